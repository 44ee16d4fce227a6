"""Words of signing in, one's own account, and limits, in Russian and English."""

from __future__ import annotations

from typing import Final

_RU: Final = {
    "sign_in_unavailable": "Каталог сотрудников не отвечает. Попробуйте через несколько минут или войдите другим способом.",
    "limit_reached": "Слишком много запросов. Попробуйте позже.",
}
_EN: Final = {
    "sign_in_unavailable": "The staff directory does not answer. Try again in a few minutes, or sign in another way.",
    "limit_reached": "Too many requests. Try again later.",
}


def account_texts(language: str) -> dict[str, str]:
    return {"ru": _RU, "en": _EN}[language]
