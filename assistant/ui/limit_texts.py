"""Sentences of limits, in Russian and English: what was too much, and in how long it goes on."""

from __future__ import annotations

import math
from typing import Final

from assistant.errors import LimitReached

_RU: Final = {
    "minute": "Вы задаёте вопросы слишком часто. Следующий можно задать через {wait}.",
    "day": "Вопросов за последние сутки больше, чем разрешено одному человеку. Следующий можно задать через {wait}.",
    "address": "С вашего адреса в сети пришло слишком много вопросов. Следующий можно задать через {wait}.",
    "answers": "Ответы на ваши прежние вопросы ещё пишутся. Дождитесь одного из них или остановите его.",
    "sign_in": "Слишком много неудачных попыток входа. Попробуйте снова через {wait}.",
    "token": "С вашего адреса пришло слишком много неверных токенов. Попробуйте снова через {wait}.",
    "other": "Слишком много запросов. Попробуйте снова через {wait}.",
    "s": "{n}\N{NO-BREAK SPACE}с",
    "min": "{n}\N{NO-BREAK SPACE}мин",
    "h": "{n}\N{NO-BREAK SPACE}ч",
}
_EN: Final = {
    "minute": "You are asking too fast. You can ask again in {wait}.",
    "day": "That is more questions in 24 hours than one person may ask. You can ask again in {wait}.",
    "address": "Too many questions have come from your network address. You can ask again in {wait}.",
    "answers": "Answers to your earlier questions are still being written. Wait for one of them, or stop it.",
    "sign_in": "Too many failed attempts to sign in. Try again in {wait}.",
    "token": "Too many wrong tokens have come from your network address. Try again in {wait}.",
    "other": "Too many requests. Try again in {wait}.",
    "s": "{n}\N{NO-BREAK SPACE}s",
    "min": "{n}\N{NO-BREAK SPACE}min",
    "h": "{n}\N{NO-BREAK SPACE}h",
}
LIMIT_TEXTS: Final = {"ru": _RU, "en": _EN}


def limit_text(error: LimitReached, language: str) -> str:
    """In minutes or hours when seconds would be many; never sooner than it goes on."""
    found = LIMIT_TEXTS[language]
    unit, length = ("s", 1) if error.seconds <= 90 else ("min", 60) if error.seconds <= 90 * 60 else ("h", 3600)
    wait = found[unit].format(n=math.ceil(error.seconds / length))
    return found[error.kind if error.kind in found else "other"].format(wait=wait)
