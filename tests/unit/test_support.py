"""What counts as a statement of an answer, and when a source says it: words, numbers, names, negations."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from assistant.ask.claims import claims
from assistant.ask.polarity import names, numbers, polarity
from assistant.ask.support import places, support
from tests.unit.test_extractive import equal

TRIP = """Суточные платят за каждый день поездки. Отчитываться за суточные чеками не нужно.

| Куда | Суточные за день |
| --- | --- |
| Москва | 1 600 ₽ |
| Эстония | 60 евро |

Полис оформляет тревел-координатор Рощина до 5 марта. Выдаёт его отдел кадров за 20 минут."""


def unlike(_: str, others: Sequence[str]) -> list[float]:
    """Nothing is like anything by its meaning: what is left are the words."""
    return [0.0 for _ in others]


def alike(_: str, others: Sequence[str]) -> list[float]:
    return [1.0 for _ in others]


def said(claim: str, text: str = TRIP) -> float:
    return support(claim, places(text, "Положение о командировках"), equal, alike)


def marked(answer: str) -> list[tuple[str, list[int]]]:
    return [(answer[one.span.start : one.span.end], sorted(one.cited)) for one in claims(answer)]


@pytest.mark.parametrize(
    "claim",
    [
        "В Москве суточные за день — 1 600 ₽.",
        "Суточные в Москве: 1600 ₽ за день",
        "За суточные не нужно отчитываться чеками.",
        "Полис оформляет Рощина до 5 марта.",
        "Отдел кадров выдаёт полис за двадцать минут.",
    ],
)
def test_what_a_source_says_is_supported(claim: str) -> None:
    assert said(claim) > 0.6


@pytest.mark.parametrize(
    "claim",
    [
        "В Москве суточные за день — 1 800 ₽.",
        "В Москве суточные за день — 60 ₽.",  # it is there, in another row
        "За суточные нужно отчитываться чеками.",
        "Полис оформляет тревел-координатор Иванова до 5 марта.",
        "Полис оформляет тревел-координатор Рощина до 5 мая.",
        "Отдел кадров выдаёт полис за тридцать минут.",
        "Суточные выдают по форме ИТ-05.",
    ],
)
def test_another_number_name_or_a_negation_is_not(claim: str) -> None:
    assert said(claim) == 0.0


def test_words_and_meaning_count_together() -> None:
    found = places(TRIP)
    claim = "Суточные начисляют ежедневно"
    assert support(claim, found, equal, unlike) < 0.4 < support(claim, found, equal, alike)
    assert support("Обезьяны любят бананы", found, equal, unlike) == 0.0


def test_between_languages_numbers_and_meaning_count() -> None:
    found = places(TRIP)
    assert support("The per diem in Moscow is 1,600 RUB.", found, equal, lambda _, others: [0.3] * len(others)) > 0.4
    assert support("The per diem in Moscow is 1,700 RUB.", found, equal, alike) == 0.0


def test_numbers_in_one_form() -> None:
    assert numbers("1 200 ₽, 1,200 RUB, 2,33 дня, 10:00, two и шести") == {"1200", "2.33", "10:00", "2", "6"}
    assert numbers("форма ИТ-05") == frozenset()
    assert names("Форма ИТ-05 у Ершовой до 5 марта") == names("ИТ-05, Ершовой, марта,") | names("x Ершовой")


def test_a_measure_is_no_negation_and_an_enumeration_is_one_clause() -> None:
    assert not any(polarity("Не более 7 дней").values())
    assert not any(polarity("Суммы не должны превышать 5 ₽").values())
    denied = polarity("Запрещены записки на мониторе, таблицы Excel и сохранение паролей")
    assert denied["парол"]
    assert polarity("Доступ выдаётся сразу, заявка не нужна")["доступ"] is False


def test_sentences_with_their_places_and_numbers() -> None:
    answer = "Отпуск длится 28 дней [1][2]. Его делят на две части. [3] Деньги приходят заранее."
    assert marked(answer) == [
        ("Отпуск длится 28 дней [1][2].", [1, 2]),
        ("Его делят на две части. [3]", [3]),
        ("Деньги приходят заранее.", []),
    ]


def test_blanks_without_end_cost_nothing() -> None:
    start = time.perf_counter()
    line = " " * 3000
    assert marked(f"{line}Отпуск длится 28 дней.") == [("Отпуск длится 28 дней.", [])]
    assert said("Отпуск длится 28 дней.", f"{line}| Отпуск | длится 28 дней |\n|{line}---|---|\n| а | б |") > 0
    assert time.perf_counter() - start < 10, (
        "the rule under a table's head was looked for in every way to part the line"
    )


def test_a_number_without_end_is_no_marker() -> None:
    assert marked(f"Отпуск длится 28 дней [1] [{'9' * 5000}].")[0][1] == [1]


def test_items_and_rows_are_statements() -> None:
    answer = (
        "Порядок действий:\n\n1. Откройте портал кадров. [1]\n2. **Подайте** заявление [2]\n\n| Москва | 1 600 ₽ | [3]"
    )
    assert marked(answer) == [
        ("Откройте портал кадров. [1]", [1]),
        ("**Подайте** заявление [2]", [2]),
        ("| Москва | 1 600 ₽ | [3]", [3]),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "## Отпуск и больничный",
        "**Как оформить отпуск**",
        "Нужны такие документы:",
        "Хотите узнать подробнее о порядке?",
        "В документах нет ответа на этот вопрос.",
        "Я не нашёл сведений о парковке.",
        "The documents do not mention parking fees.",
        "Надеюсь, это поможет с оформлением отпуска!",
        "| --- | --- |",
        "Да.",
        "",
    ],
)
def test_what_states_nothing(line: str) -> None:
    assert marked(line) == []
