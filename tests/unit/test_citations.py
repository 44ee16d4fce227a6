"""Citation markers while an answer streams: the pieces it arrives in make no difference."""

from __future__ import annotations

import random
import time

import pytest

from assistant.ask.citations import CitationFilter
from assistant.ask.service import unmarked

VALID = (1, 2, 12)


def filtered(*pieces: str) -> tuple[str, list[int], int]:
    citations = CitationFilter(VALID)
    text = "".join(citations.feed(piece) for piece in pieces) + citations.finish()
    return text, citations.cited, citations.invented


TEXTS = {
    "Отпуск — 28 дней [1].": ("Отпуск — 28 дней [1].", [1], 0),
    "Раз [2], два [1] и снова [2].": ("Раз [2], два [1] и снова [2].", [2, 1], 0),
    "Нет такого [3]. И такого [0][99].": ("Нет такого . И такого .", [], 3),
    "Сразу два [1, 2] и [1;12].": ("Сразу два [1][2] и [1][12].", [1, 2, 12], 0),
    "Один из двух выдуман [2, 7].": ("Один из двух выдуман [2].", [2], 1),
    "С пробелами [ 12 ] и [1 ,2].": ("С пробелами [12] и [1][2].", [12, 1, 2], 0),
    "На двух строках [1,\n2]": ("На двух строках [1][2]", [1, 2], 0),
    "Ноль впереди [01]": ("Ноль впереди [1]", [1], 0),
    "Конец оборван [1": ("Конец оборван [1", [], 0),
    "Конец оборван [": ("Конец оборван [", [], 0),
    "Не метки: a[i], [x], [], [1a], [1-2], [,], [1,,2] и [ ]": (
        "Не метки: a[i], [x], [], [1a], [1-2], [,], [1,,2] и [ ]",
        [],
        0,
    ),
    "Вложено [[1]] и [1[2]": ("Вложено [[1]] и [1[2]", [1, 2], 0),
    "Ссылка [1](http://x) и ![1]": ("Ссылка [1](http://x) и ![1]", [1], 0),
    "[1][2][3][1]": ("[1][2][1]", [1, 2], 1),
    f"Длинный список [{', '.join(map(str, range(1, 31)))}].": ("Длинный список [1][2][12].", [1, 2, 12], 27),
    f"Слишком длинный [{', '.join(['1'] * 90)}].": (f"Слишком длинный [{', '.join(['1'] * 90)}].", [], 0),
    "": ("", [], 0),
}


@pytest.mark.parametrize("text", TEXTS)
def test_every_split_into_two_gives_the_same(text: str) -> None:
    for place in range(len(text) + 1):
        assert filtered(text[:place], text[place:]) == TEXTS[text], f"split before {text[place:]!r}"


@pytest.mark.parametrize("text", TEXTS)
def test_letter_by_letter_and_at_random_gives_the_same(text: str) -> None:
    assert filtered(*text) == TEXTS[text]
    chance = random.Random(text)
    for _ in range(100):
        places = sorted(chance.choices(range(len(text) + 1), k=5))
        pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
        assert filtered(*pieces) == TEXTS[text], pieces


def test_text_before_a_marker_is_not_held_back() -> None:
    citations = CitationFilter(VALID)
    assert citations.feed("Отпуск ") == "Отпуск "
    assert citations.feed("28 дней [1") == "28 дней "
    assert citations.feed("2") == ""
    assert citations.feed("]. Да") == "[12]. Да"
    assert citations.finish() == ""


def test_a_bracket_that_never_closes_is_let_go() -> None:
    citations = CitationFilter(VALID)
    shown = "".join(citations.feed(letter) for letter in "[" + "1, " * 200)
    assert len(shown) > 400
    assert shown + citations.finish() == "[" + "1, " * 200


def test_a_flood_of_digits_or_brackets_is_quick() -> None:
    """A model that loops: no quadratic time, and no number too long for `int`."""
    start = time.process_time()
    assert filtered("[" + "9" * 100_000 + "]")[1:] == ([], 0)
    assert filtered("[" * 100_000)[0] == "[" * 100_000
    assert filtered("[1, " * 30_000)[0] == "[1, " * 30_000
    assert filtered("[" + "1" * 190 + "]")[1:] == ([], 1)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("text", ["[1]", "[ 2 ]", "[1, 2]", "см. [12; 1] и [ 1,2 ]"])
def test_a_quoted_texts_own_marks_are_no_citations(text: str) -> None:
    """What the extractive answerer quotes goes through the filter together with its own [n]."""
    shown, cited, _ = filtered(unmarked(text))
    assert cited == []
    assert "(" in shown
