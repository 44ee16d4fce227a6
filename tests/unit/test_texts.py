"""The page's sentences: all in both languages, one for every notice and error, in the reader's language."""

from __future__ import annotations

import re
from string import Formatter
from typing import get_args

import pytest

from assistant import errors
from assistant.ask.events import Notice, NoticeKind
from assistant.errors import AssistantError, ConfigError, InvalidQuestion, LimitReached
from assistant.ui.account_texts import account_texts
from assistant.ui.document_texts import document_texts
from assistant.ui.limit_texts import LIMIT_TEXTS
from assistant.ui.review_texts import review_texts
from assistant.ui.texts import LANGUAGES, error_text, notice_text, page_language, texts


def test_every_sentence_is_there_in_both_languages() -> None:
    ru, en = (
        {
            **LANGUAGES[language],
            **document_texts(language),
            **review_texts(language),
            **account_texts(language),
            **LIMIT_TEXTS[language],
        }
        for language in ("ru", "en")
    )
    assert set(ru) == set(en)
    assert all(value.strip() for language in (ru, en) for value in language.values())
    for key in ru:
        assert _places(ru[key]) == _places(en[key]), key
    assert all(re.search("[а-яё]", value, re.IGNORECASE) for value in ru.values())
    assert not [key for key, value in en.items() if re.search("[а-яё]", value, re.IGNORECASE)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_notice_and_every_error_has_a_sentence(language: str) -> None:
    for kind in get_args(NoticeKind):
        assert notice_text(Notice(kind, "{7}"), language)
    for error in _errors(AssistantError):
        sentence = error_text(error("internal {detail}"), language, limit=4000)
        known = {
            **texts(language),
            "other": LIMIT_TEXTS[language]["other"].replace(
                "{wait}", f"60\N{NO-BREAK SPACE}{'с' if language == 'ru' else 's'}"
            ),
        }
        assert sentence in {value.replace("{limit}", "4000") for value in known.values()}
        assert "internal" not in sentence
    assert "4000" in error_text(
        InvalidQuestion("the question has 5000 characters, 4000 are allowed"), language, limit=4000
    )
    by_case = {
        error_text(InvalidQuestion(text), language, limit=4000)
        for text in ("the question is empty", "it does not fit into the language model's context", "too long")
    }
    assert len(by_case) == 3


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "ru"),
        ("", "ru"),
        ("en", "en"),
        ("en-US,en;q=0.9", "en"),
        ("EN-gb", "en"),
        ("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", "ru"),
        ("de-DE,de;q=0.9,en;q=0.8,ru;q=0.7", "en"),
        ("en;q=0.5,ru;q=0.9", "ru"),
        ("en; q=0.5, ru; q=0.9", "ru"),
        ("en;q=0,ru;q=0.1", "ru"),
        ("en;q=0", "ru"),
        ("de,fr", "ru"),
        ("*", "ru"),
        ("en;q=x,ru", "ru"),
        (";;,,=;q=", "ru"),
        ("de; q=0.9, en ; q=0.5 , ru; q = 0.4", "en"),
        ("EN_us, en", "en"),
        ("en;q=nan,ru;q=0.1", "ru"),
    ],
)
def test_the_first_language_that_we_speak(header: str | None, language: str) -> None:
    assert page_language(header) == language


@pytest.mark.parametrize(
    ("chosen", "header", "language"),
    [
        ("en", "ru-RU,ru", "en"),
        ("ru", "en", "ru"),
        (None, "en", "en"),
        ("de", "en", "en"),
        ("", None, "ru"),
    ],
)
def test_what_was_chosen_goes_before_what_the_browser_says(
    chosen: str | None, header: str | None, language: str
) -> None:
    assert page_language(header, chosen) == language


def _places(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def _errors(kind: type[AssistantError]) -> list[type[AssistantError]]:
    assert ConfigError.__module__ == errors.__name__
    return [kind, *(below for found in kind.__subclasses__() for below in _errors(found))]


@pytest.mark.parametrize(
    ("seconds", "ru", "en"),
    [
        (1, "1 с", "1 s"),
        (90, "90 с", "90 s"),
        (91, "2 мин", "2 min"),
        (5400, "90 мин", "90 min"),
        (5401, "2 ч", "2 h"),
        (86400, "24 ч", "24 h"),
    ],
)
def test_a_limit_says_in_how_long_it_goes_on_and_never_too_soon(seconds: int, ru: str, en: str) -> None:
    for kind in ("minute", "day", "address", "sign_in", "token", ""):
        error = LimitReached("internal", seconds, kind=kind)
        assert error_text(error, "ru").replace("\N{NO-BREAK SPACE}", " ").endswith(f" через {ru}.")
        assert error_text(error, "en").replace("\N{NO-BREAK SPACE}", " ").endswith(f" in {en}.")
