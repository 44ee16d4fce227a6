"""Answers without a language model: whole lists, table rows, no repetition, in reading order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from assistant.ask.extractive import choose_quotes, is_table, units
from tests.unit.samples import source


def equal(tokens: Sequence[str]) -> dict[str, float]:
    """Every word is worth the same."""
    return dict.fromkeys(tokens, 1.0)


def quoted(question: str, *texts: str, limit: int = 4) -> list[tuple[int, str]]:
    sources = [source(n, text, title="") for n, text in enumerate(texts, start=1)]
    return [(quote.source.n, quote.text) for quote in choose_quotes(question, sources, equal, limit=limit)]


def test_sentences_are_units() -> None:
    text = "Отпуск — 28 дней. Его делят на части!\nОдна из них не короче 14 дней?\n\nThe next paragraph."
    assert units(text) == [
        "Отпуск — 28 дней.",
        "Его делят на части!",
        "Одна из них не короче 14 дней?",
        "The next paragraph.",
    ]


@pytest.mark.parametrize("mark", ["-", "*", "•", "–", "1.", "2)"])
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_list_stays_whole_with_the_line_that_leads_to_it(mark: str, gap: str) -> None:
    listed = f"{mark} паспорт\n{mark} СНИЛС\n{mark} диплом"
    assert units(f"Приходите утром. Возьмите с собой:{gap}{listed}\n\nПропуск выдаст охрана.") in (
        ["Приходите утром.", f"Возьмите с собой:\n{listed}", "Пропуск выдаст охрана."],
        [f"Приходите утром. Возьмите с собой:\n{listed}", "Пропуск выдаст охрана."],
    )


def test_a_line_that_ends_without_a_colon_does_not_belong_to_the_list() -> None:
    assert units("Отпуск положен всем.\n\n- раз\n- два") == ["Отпуск положен всем.", "- раз\n- два"]


def test_the_second_line_of_an_item_belongs_to_it() -> None:
    assert units("- раз\n  и ещё\n- два") == ["- раз\n  и ещё\n- два"]


def test_a_very_long_list_is_cut_between_items() -> None:
    parts = units("\n".join(f"- пункт {number}" for number in range(40)))
    assert len(parts) == 3
    assert "\n".join(parts) == "\n".join(f"- пункт {number}" for number in range(40))
    assert all(line.startswith("- ") for part in parts for line in part.split("\n"))


TABLE = "| Город | Сутки |\n|:---|---:|\n| Москва | 700 ₽ |\n| Tallinn |  |"


def test_a_short_table_stays_whole_with_the_line_that_leads_to_it() -> None:
    assert units(f"Размер суточных. По городам:\n\n{TABLE}\n\nИ всё.") in (
        ["Размер суточных.", f"По городам:\n\n{TABLE}", "И всё."],
        [f"Размер суточных. По городам:\n\n{TABLE}", "И всё."],
    )
    assert units(f"Размер суточных.\n\n{TABLE}") == ["Размер суточных.", TABLE]
    assert is_table(TABLE)
    assert not is_table("Размер | суточных")


def test_of_a_long_table_or_a_piece_of_one_each_row_is_a_unit() -> None:
    rows = [f"| Город {number} | {number} ₽ |" for number in range(20)]
    single = [f"Город {number} — {number} ₽" for number in range(20)]
    assert units("\n".join(rows[:3])) == single[:3]
    assert units("\n".join(["| Место | Сутки |", "|---|---|", *rows])) == ["Место — Сутки", *single]


def test_texts_without_words_are_not_quoted() -> None:
    assert units("") == units("\n\n  \n") == []
    assert quoted("отпуск", "|---|---|\n\n— … !") == []


def test_the_sentence_with_the_questions_words_is_quoted() -> None:
    text = "Компания основана в 1998 году. Заявление на отпуск подают за 14 дней до начала. Офис открыт с девяти утра."
    assert quoted("за сколько дней подают заявление на отпуск", text)[0] == (
        1,
        "Заявление на отпуск подают за 14 дней до начала.",
    )


def test_what_stands_in_two_passages_is_quoted_once() -> None:
    sentence = "Заявление на отпуск подают за 14 дней до начала."
    found = quoted("заявление на отпуск", sentence, sentence.replace("Заявление", "ЗАЯВЛЕНИЕ"))
    assert found == [(1, sentence)]


def test_quotes_come_in_reading_order() -> None:
    first = "Отпуск оформляют в системе заранее. Кофе бесплатный на каждом этаже. Отпуск согласует руководитель отдела."
    second = "Отпуск переносят по заявлению сотрудника отдела. Отпуск продлевают при болезни по заявлению."
    found = quoted("отпуск оформляют согласует руководитель переносят продлевают заявлению", first, second)
    assert [number for number, _ in found] == sorted(number for number, _ in found)
    for number, text in ((1, first), (2, second)):
        places = [text.index(quote) for n, quote in found if n == number]
        assert places == sorted(places)
    assert len(found) >= 3
    assert not any("Кофе" in quote for _, quote in found)


def test_there_are_at_most_limit_quotes_and_each_is_worth_it() -> None:
    text = " ".join(f"Правило отпуска номер {number} действует для всех отделов." for number in range(9))
    assert len(quoted("правило отпуска", text, limit=2)) == 2
    mixed = "Срок отпуска в компании составляет ровно 28 календарных дней. Про срок спросите в понедельник."
    assert len(quoted("срок отпуска календарных дней компании составляет", mixed)) == 1


def test_a_rare_word_counts_more() -> None:
    def rare(tokens: Sequence[str]) -> dict[str, float]:
        return {token: 9.0 if token == "vpn" else 1.0 for token in tokens}

    text = "Для входа нужен телефон сотрудника и пропуск. Клиент VPN ставят с портала сегодня."
    sources = [source(1, text, title="")]
    assert "VPN" in choose_quotes("вход vpn телефон сотрудника", sources, rare, limit=1)[0].text


def test_words_of_the_heading_help_a_sentence() -> None:
    plain = source(1, "Срок подачи составляет четырнадцать дней до начала.", title="", section="Пропуск")
    headed = source(1, "Срок подачи составляет четырнадцать дней до начала.", title="", section="Отпуск")
    (low,) = choose_quotes("срок отпуска", [plain], equal, limit=1)
    (high,) = choose_quotes("срок отпуска", [headed], equal, limit=1)
    assert high.score > low.score


def test_nothing_to_quote_from() -> None:
    assert choose_quotes("отпуск", [], equal, limit=3) == []
