"""Sentences without support are marked where they stand, and nothing of an answer is lost or comes alive by that."""

from __future__ import annotations

import re

import pytest

from assistant.ask.events import Span
from assistant.ui.doubts import doubted_html
from assistant.ui.markup import answer_html
from assistant.ui.render import answer_markdown


def doubted(text: str, *sentences: str) -> str:
    return doubted_html(text, [Span(text.index(one), text.index(one) + len(one)) for one in sentences], [])


def marked(html: str) -> list[str]:
    return [re.sub(r"<[^>]+>", "", one) for one in re.findall(r'<mark class="doubt">(.*?)</mark>', html, re.DOTALL)]


@pytest.mark.parametrize(
    ("text", "sentence", "seen"),
    [
        ("Отпуск 28 дней [1]. Премия в мае.", "Премия в мае.", "Премия в мае."),
        ("- Отпуск 28 дней.\n- Премия в мае.", "- Премия в мае.", "Премия в мае."),
        ("1. **Премия** в мае [2].\n2. Отпуск.", "1. **Премия** в мае [2].", "Премия в мае [2]."),
        ("## Премия в мае\n\nОтпуск.", "## Премия в мае", "Премия в мае"),
        ("> Премия в мае.\n\nОтпуск.", "> Премия в мае.", "Премия в мае."),
        ("Премия _в мае_ и 5 < 7 & 8.", "Премия _в мае_ и 5 < 7 & 8.", "Премия в мае и 5 &lt; 7 &amp; 8."),
    ],
)
def test_a_sentence_is_marked(text: str, sentence: str, seen: str) -> None:
    html = doubted(text, sentence)
    assert marked(html) == [seen]
    assert re.sub(r"</?mark[^>]*>", "", html) == answer_html(answer_markdown(text, []))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("| a | b |\n|---|---|\n| Премия | в мае |", "Премия | в мае"),
        ("Один **жирный. Второй** тут.", "Один **жирный."),
        ("Премия в мае.\n\nОтпуск.", "мае.\n\nОтпуск."),
    ],
)
def test_what_runs_over_an_element_is_left_as_it_is(text: str, sentence: str) -> None:
    assert doubted(text, sentence) == answer_html(answer_markdown(text, []))


def test_all_of_several_are_marked_and_signs_of_a_model_are_no_signs() -> None:
    text = "Премия в мае. \ue000Отпуск\ue001 28 дней. Обед в час."
    html = doubted(text, "Премия в мае.", "Обед в час.")
    assert marked(html) == ["Премия в мае.", "Обед в час."]
    assert "\ue000" not in html
    assert "\ue001" not in html


def test_nothing_comes_alive() -> None:
    text = 'Смотри <img src=x onerror="alert(1)"> и [тут](javascript:alert(1)).'
    html = doubted(text, text)
    assert "<img" not in html
    assert "href" not in html
