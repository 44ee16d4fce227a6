"""Every string that people see, in Russian and English."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from assistant.ask.events import Notice, Queued, Standing
from assistant.errors import (
    AssistantError,
    Busy,
    ChromaUnavailable,
    IndexNotReady,
    InvalidQuestion,
    LimitReached,
    ModelUnavailable,
    NotFound,
    OtherModel,
    StorageError,
)
from assistant.index.catalog import Passage
from assistant.ui.chat_texts import CHAT_EN, CHAT_RU
from assistant.ui.limit_texts import limit_text

LANGUAGE_COOKIE = "assistant_language"
_RU = {
    "product": "Помощник по документам",
    "product_line": "Отвечает по документам компании и показывает источники.",
    "sign_in": "Войти",
    "sign_out": "Выйти",
    "name": "Имя",
    "password": "Пароль",
    "wrong_password": "Имя или пароль не подходят.",
    "question": "Вопрос",
    "ask_placeholder": "Спросите о чём-нибудь из документов компании…",
    "send": "Спросить",
    "stop": "Стоп",
    "new": "Новый разговор",
    "empty": "Задайте вопрос — например, «Как настроить VPN?»",
    "searching": "Поиск в базе знаний",
    "queued": "Вы в очереди: место {place}",
    "queued.seconds": "Вы в очереди: место {place}, примерно {seconds} с",
    "asked": "Вы спросили: {question}",
    "searched": "Искали: {question}",
    "found": "Найдено выдержек: {passages}, документов просмотрено: {documents}.",
    "passages": "выдержек: {n}",
    "passage": "Выдержка",
    "why": "Почему такой ответ: оценки найденных выдержек",
    "why_note": "Чем больше оценка, тем лучше подходит выдержка; «—» — этим способом она не найдена.",
    "found_nothing": "Подходящих выдержек нет.",
    "sources": "Источники",
    "place.page": "стр. {label}",
    "place.sheet": "лист «{label}»",
    "place.slide": "слайд {label}",
    "place.attachment": "вложение {label}",
    "dated": "от {date}",
    "superseded": "заменён: {title}",
    "expired": "срок действия истёк",
    "department": "Отдел",
    "level": "уровень",
    "loaded": "загружен",
    "original": "Открыть исходный файл",
    "outdated": "Документ обновили, и этой выдержки в нём больше нет. Ниже — его нынешний текст.",
    "back": "К чату",
    "not_found": "Такого документа нет, или у вас нет права его читать.",
    "unexpected": "Что-то сломалось. Сообщите администратору номер {error_id}.",
    "score_words": "слова (BM25)",
    "score_vector": "смысл (вектор)",
    "score_rerank": "переранжирование",
    "notice.extractive": "Языковая модель не запущена: приведены самые подходящие места из документов дословно.",
    "notice.fallback": "Основная модель не отвечает, ответила запасная.",
    "notice.passages_dropped": "Не всё найденное поместилось в контекст модели (не вошло: {detail}).",
    "notice.prompt_cut": "Сервер модели обрезал запрос ({detail} токенов): ответ может быть неполным.",
    "notice.answer_cut": "Ответ оборван: достигнут предел длины.",
    "notice.unchecked": "Не удалось сверить ответ с источниками: проверьте его сами.",
    "notice.uncited": "В ответе нет ссылок на документы: проверьте его по источникам.",
    "notice.broken_off": "Модель прервалась на середине ответа. Спросите ещё раз.",
    "notice.rerank_failed": "Переранжирование не сработало, порядок источников приблизительный.",
    "notice.rewritten_by_rule": "Уточняющий вопрос дополнен прежними по простому правилу, без языковой модели.",
    "notice.read_as": "Таких слов в документах нет, прочитано иначе: {detail}.",
    "notice.rerank_late": "Переранжирование не успело; порядок источников приблизительный.",
    "notice.keyword_only": "Векторная база не отвечает: искали только по словам.",
    "error.InvalidQuestion.empty": "Вопрос пуст: напишите, что вы хотите узнать.",
    "error.InvalidQuestion.context": "Вопрос слишком длинный для языковой модели. Спросите короче.",
    "error.InvalidQuestion": "Вопрос слишком длинный (можно до {limit} знаков). Спросите об одном, в нескольких предложениях.",
    "error.IndexNotReady": "Документы ещё не загружены. Попросите администратора выполнить `assistant ingest`.",
    "error.ChromaUnavailable": "База документов не отвечает. Попробуйте через минуту; администратору поможет `assistant doctor`.",
    "error.ModelUnavailable": "Языковая модель не отвечает. Попробуйте через минуту; администратору поможет `assistant doctor`.",
    "error.OtherModel": "База создана другой моделью эмбеддингов, чем указана в настройках, и пока не принимает документы. "
    "Попросите администратора выполнить `assistant reindex`.",
    "error.StorageError": "Хранилище недоступно (диск или база данных). Сообщите администратору: `assistant doctor`.",
    "error.Busy": "Сейчас спрашивает слишком много людей. Попробуйте через минуту.",
    "error.NotFound": "Такого документа нет, или он изменился, или у вас нет права его читать.",
    "error.AssistantError": "Не получилось ответить. Попробуйте ещё раз.",
}
_EN = {
    "product": "Document assistant",
    "product_line": "Answers from the company's documents and shows its sources.",
    "sign_in": "Sign in",
    "sign_out": "Sign out",
    "name": "Name",
    "password": "Password",
    "wrong_password": "Name or password is wrong.",
    "question": "Question",
    "ask_placeholder": "Ask about anything in the company's documents…",
    "send": "Ask",
    "stop": "Stop",
    "new": "New conversation",
    "empty": "Ask a question, for example “How do I set up the VPN?”",
    "searching": "Searching the knowledge base",
    "queued": "You are in the queue: place {place}",
    "queued.seconds": "You are in the queue: place {place}, about {seconds} s",
    "asked": "You asked: {question}",
    "searched": "Searched for: {question}",
    "found": "Passages found: {passages}, documents considered: {documents}.",
    "passages": "passages: {n}",
    "passage": "Passage",
    "why": "Why this answer: scores of the passages found",
    "why_note": "The higher a score, the better the passage fits; “—”: not found in this way.",
    "found_nothing": "No passage fits.",
    "sources": "Sources",
    "place.page": "p. {label}",
    "place.sheet": "sheet “{label}”",
    "place.slide": "slide {label}",
    "place.attachment": "attachment {label}",
    "dated": "of {date}",
    "superseded": "superseded by {title}",
    "expired": "expired",
    "department": "Department",
    "level": "level",
    "loaded": "loaded",
    "original": "Open the original file",
    "outdated": "The document was updated and no longer has this passage. Below is its present text.",
    "back": "Back to the chat",
    "not_found": "There is no such document, or you may not read it.",
    "unexpected": "Something broke. Please tell your administrator the number {error_id}.",
    "score_words": "words (BM25)",
    "score_vector": "meaning (vector)",
    "score_rerank": "rerank",
    "notice.extractive": "No language model is running: the best matching places in the documents are quoted word for word.",
    "notice.fallback": "The main model does not answer; another one did.",
    "notice.passages_dropped": "Not everything found fits into the model's context ({detail} left out).",
    "notice.prompt_cut": "The model's server cut the prompt ({detail} tokens): the answer may be incomplete.",
    "notice.answer_cut": "The answer was cut: it reached its length limit.",
    "notice.unchecked": "The answer could not be checked against its sources: please do it yourself.",
    "notice.uncited": "The answer names no document: please check it against the sources.",
    "notice.broken_off": "The model broke off in the middle of the answer. Please ask again.",
    "notice.rerank_failed": "Reranking failed; the order of the sources is approximate.",
    "notice.rewritten_by_rule": "Your follow-up was completed from earlier questions by a simple rule, without the language model.",
    "notice.read_as": "No document has these words; they were read as: {detail}.",
    "notice.rerank_late": "Reranking took too long; the order of the sources is approximate.",
    "notice.keyword_only": "The vector store does not answer: the search was by words only.",
    "error.InvalidQuestion.empty": "The question is empty: write what you want to know.",
    "error.InvalidQuestion.context": "The question is too long for the language model. Please ask in fewer words.",
    "error.InvalidQuestion": "The question is too long (up to {limit} characters). Ask for one thing in a few sentences.",
    "error.IndexNotReady": "No documents are loaded yet. Ask your administrator to run `assistant ingest`.",
    "error.ChromaUnavailable": "The document store does not answer. Try again in a minute; `assistant doctor` helps the administrator.",
    "error.ModelUnavailable": "The language model does not answer. Try again in a minute; `assistant doctor` helps the administrator.",
    "error.OtherModel": "The store was made with another embedding model than the settings name, so it takes no documents now. "
    "Ask your administrator to run `assistant reindex`.",
    "error.StorageError": "Storage is unavailable (disk or database). Please tell your administrator: `assistant doctor`.",
    "error.Busy": "Too many people are asking at the moment. Try again in a minute.",
    "error.NotFound": "There is no such document, or it has changed, or you may not read it.",
    "error.AssistantError": "That did not work. Please try again.",
}
LANGUAGES = {"ru": {**_RU, **CHAT_RU}, "en": {**_EN, **CHAT_EN}}
_RANGE = re.compile(r"\s*([a-z]+)(?:-[a-z0-9-]+)?\s*(?:;\s*q\s*=\s*([01](?:\.\d*)?)\s*)?")
_SHOWN_ERRORS = (
    InvalidQuestion,
    IndexNotReady,
    OtherModel,
    ChromaUnavailable,
    ModelUnavailable,
    StorageError,
    Busy,
    NotFound,
)


def texts(language: str) -> dict[str, str]:
    return LANGUAGES[language]


class Asked(Protocol):
    """A request as far as its language goes: FastAPI's and Gradio's."""

    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def cookies(self) -> Mapping[str, str]: ...


def reader_language(request: Asked) -> str:
    """What was chosen on a page and is remembered, or the browser's."""
    return page_language(request.headers.get("accept-language"), request.cookies.get(LANGUAGE_COOKIE))


def page_language(accept_language: str | None, chosen: str | None = None) -> str:
    """The chosen language, or the first of the browser's that we speak (RFC 9110, 12.5.4); Russian when it names none."""
    if chosen in LANGUAGES:
        return chosen
    wanted = []
    for number, part in enumerate((accept_language or "").lower().split(",")):
        match = _RANGE.fullmatch(part)
        quality = float(match[2] or 1) if match else 0.0
        if match and quality > 0:
            wanted.append((-quality, number, match[1]))
    return next((name for _, _, name in sorted(wanted) if name in LANGUAGES), "ru")


def place_text(passage: Passage, language: str) -> str:
    """Where in its document a passage is: page, sheet, slide or attachment; empty when it has none of them."""
    return texts(language)[f"place.{passage.page_kind}"].format(label=passage.page) if passage.page else ""


def dated_text(standing: Standing, language: str) -> str:
    return texts(language)["dated"].format(date=date_text(standing.date, language)) if standing.date else ""


def out_of_force(standing: Standing, language: str) -> str:
    """What replaced the document, or that it has expired; empty for one in force."""
    t, by = texts(language), standing.superseded_by
    if by is None:
        return t["expired"] if standing.is_expired else ""
    title = f"«{by.title}»" if language == "ru" else f"“{by.title}”"
    return t["superseded"].format(title=title + (f" ({date_text(by.date, language)})" if by.date else ""))


def date_text(day: str, language: str) -> str:
    """An ISO date as it is written in the language."""
    return ".".join(reversed(day.split("-"))) if language == "ru" else day


def decimal_text(figure: str, language: str) -> str:
    """A formatted figure with the decimal sign of the language."""
    return figure.replace(".", ",") if language == "ru" else figure


def notice_text(notice: Notice, language: str) -> str:
    return texts(language)[f"notice.{notice.kind}"].format(detail=notice.detail)


def queued_text(queued: Queued, language: str) -> str:
    """The place in the line, and about how long that takes, if that is known."""
    key = "queued" if queued.seconds is None else "queued.seconds"
    return texts(language)[key].format(place=queued.place, seconds=queued.seconds)


def error_text(error: AssistantError, language: str, *, limit: int = 0) -> str:
    """What happened and what to do, in the person's language."""
    if isinstance(error, LimitReached):
        return limit_text(error, language)
    found = texts(language)
    if isinstance(error, InvalidQuestion):
        for case in ("empty", "context"):
            if case in str(error):
                return found[f"error.InvalidQuestion.{case}"]
    name = next((kind.__name__ for kind in _SHOWN_ERRORS if isinstance(error, kind)), "AssistantError")
    return found[f"error.{name}"].format(limit=limit)


def error_id(message: str) -> str:
    """The number of what went wrong with a message: people tell it, the log carries it."""
    return message[:8]


def numbered(sentence: str, number: str, language: str) -> str:
    """With the number that the log carries."""
    return f"{sentence} {texts(language)['error_number'].format(error_id=number)}"


def failure_text(status: str, error: str, message: str, language: str) -> str:
    """Why a kept message has no whole answer; `error` is the kind that was kept. Empty when it has one."""
    found = texts(language)
    if status == "stopped":
        return found["stopped"]
    if status != "failed":
        return ""
    shown = {kind.__name__ for kind in _SHOWN_ERRORS} - {"InvalidQuestion", "NotFound"}
    sentence = found[f"error.{error if error in shown | {'BrokenOff'} else 'AssistantError'}"]
    return numbered(sentence, error_id(message), language)
