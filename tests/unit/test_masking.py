"""Taking out of an answer what its reader may no longer read: in doubt a sentence is withheld."""

from __future__ import annotations

import pytest

from assistant.conversations.masking import Given, masked

OPEN = Given(1, "Отпуска", "Отпуск длится двадцать восемь дней, заявление подают за две недели.")
SECRET = Given(2, "Оклады руководства", "Оклад директора по продажам составляет четыреста тысяч рублей в месяц.")
X = "[…]"


def shown(text: str, *, placeholder: str = X, is_quoted: bool = False) -> str:
    return masked(text, [SECRET], [OPEN], placeholder, is_quoted=is_quoted)


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ("Отпуск 28 дней [1]. Оклад 400 [2].", f"Отпуск 28 дней [1]. {X}"),
        ("Оклад 400 [2]. Отпуск 28 дней [1].", f"{X} Отпуск 28 дней [1]."),
        ("Отпуск 28 дней [1] и оклад 400 [2].", X),
        ("Отпуск 28 дней [1][2].", X),
        ("Отпуск по правилам [1] длится 28 дней.", "Отпуск по правилам [1] длится 28 дней."),
        ("Отпуск 28 дней. [1] Оклад 400.", f"Отпуск 28 дней. [1] {X}"),
        ("[1] Оклад 400.", X),
        ("Кто-то получает 400.", X),
        ("Отпуск 28 дней [1]. Больше ничего. И ещё.", f"Отпуск 28 дней [1]. {X}"),
        ("Оклад 400 тыс. руб. [2], а отпуск 28 дней [1].", X),
        ("По «Оклады руководства» отпуск 28 дней [1].", X),
        ("Знайте: оклад директора по продажам составляет много [1].", X),
        ("Известно из чужого [7].", X),
        ("Отпуск 28 дней [1]!", "Отпуск 28 дней [1]!"),
        ("«Отпуск 28 дней.» [1] Так.", f"«Отпуск 28 дней.» [1] {X}"),
        ("", ""),
    ],
)
def test_a_sentence_stays_only_with_a_source_that_may_be_read(answer: str, left: str) -> None:
    assert shown(answer) == left


def test_lists_and_paragraphs_keep_their_form() -> None:
    answer = "Правила [1]:\n\n- отпуск 28 дней [1]\n- оклад 400 [2]\n- премия 40 [2]\n- заявление [1]\n\nИтого [1]."
    left = f"Правила [1]:\n\n- отпуск 28 дней [1]\n{X}\n- заявление [1]\n\nИтого [1]."
    assert shown(answer) == left


def test_a_run_that_may_be_read_elsewhere_is_no_secret() -> None:
    secret = Given(2, "Копия", OPEN.text)
    assert masked("Отпуск длится двадцать восемь дней, заявление [1].", [secret], [OPEN], X, is_quoted=False) != X


def test_quotes_are_withheld_whole() -> None:
    """A quote may have several sentences, or be a list; its number stands behind it."""
    answer = "Отпуск. Двадцать восемь дней. [1]\n\nОклад:\n- один\n- два [2]\n\n| a | b |\n| c | d |\n\n[1]"
    assert shown(answer, is_quoted=True) == f"Отпуск. Двадцать восемь дней. [1]\n\n{X}\n\n| a | b |\n| c | d |\n\n[1]"
    assert shown("Оклад. [2]", is_quoted=True) == X
    assert shown("Недосказанный оклад", is_quoted=True) == X


def test_as_a_context_nothing_stands_in_its_place() -> None:
    assert shown("Оклад 400 [2]. Отпуск 28 дней [1].", placeholder="") == "Отпуск 28 дней [1]."
    assert shown("Оклад 400 [2].", placeholder="") == ""


def test_it_takes_time_in_proportion() -> None:
    long = "Отпуск 28 дней [1]. Оклад 400 [2].\n" * 3000 + "." * 3000
    assert "400" not in shown(long)
