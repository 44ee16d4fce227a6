"""The language of a question: Russian as soon as a third of its letters is Cyrillic."""

from __future__ import annotations

import pytest

from assistant.ask.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Как настроить VPN?", "ru"),
        ("Cisco AnyConnect не работает", "ru"),
        ("Ёж", "ru"),
        ("How do I reset my password?", "en"),
        ("What does «отпуск» mean in the leave policy of the company?", "en"),
        ("ab ж", "ru"),
        ("abc ж", "en"),
        ("12345?", "en"),
        ("", "en"),
    ],
)
def test_by_its_letters(text: str, language: str) -> None:
    assert language_of(text) == language
