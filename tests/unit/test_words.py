"""Words as BM25 sees them: stemmed by script, ё = е, stop words of both languages left out."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest

from assistant.index.words import stop_words, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("отпуск", "отпуска отпуску отпуском отпуске отпусков"),
        ("командировка", "командировки командировку командировками"),
        ("договор", "договоры договоров договору"),
        ("holiday", "holidays Holiday HOLIDAYS"),
        ("approve", "approved approving approves"),
        ("ёлка", "елка Ёлки ЕЛКОЙ"),
        ("учёт", "учет учёта"),
    ],
)
def test_forms_of_a_word_are_one_word(one: str, other: str) -> None:
    assert set(words(other)) == set(words(one))
    assert len(words(one)) == 1


@pytest.mark.parametrize(("one", "other"), [("отпуск", "отпор"), ("holiday", "holding"), ("счёт", "счёты офис")])
def test_different_words_stay_different(one: str, other: str) -> None:
    assert set(words(one)).isdisjoint(set(words(other)[-1:]))


def test_each_word_is_stemmed_by_its_own_script() -> None:
    assert words("Настройки VPN-клиентов Cisco") == [*words("настройка"), "vpn", *words("клиент"), *words("cisco")]
    assert words("servers серверы") == ["server", "сервер"]


def test_a_decomposed_and_a_full_width_word_are_the_same() -> None:
    assert words(unicodedata.normalize("NFD", "Йод, ёлка")) == words("йод елка")
    assert words("ＶＰＮ ２０２６") == ["vpn", "2026"]


@pytest.mark.parametrize(
    "filler",
    [
        "Сколько можно и нужно это?",
        "Какой у нас",
        "Где и как",
        "How do I",
        "What is the",
        "ещё её",
        "please tell me",
    ],
)
def test_stop_words_of_both_languages_are_left_out(filler: str) -> None:
    assert words(filler) == []
    assert words(f"{filler} отпуск") == words("отпуск")


@pytest.mark.parametrize("meaningful", ["отпуск", "пароль", "vpn", "password", "оклад", "24", "G1", "директор", "days"])
def test_words_that_questions_are_about_are_kept(meaningful: str) -> None:
    assert len(words(meaningful)) == 1


def test_order_and_repetition_are_kept() -> None:
    assert words("Отпуск: 28 дней, отпуск!") == [*words("отпуск"), "28", *words("дней"), *words("отпуск")]
    assert words("«—» … !") == []


def test_a_stop_word_is_written_as_words_are_compared() -> None:
    assert not any("ё" in word or word != word.lower() for word in stop_words())


def test_stemming_from_many_threads_gives_the_same() -> None:
    text = " ".join(f"командировочные{number} документы{number} approvals{number}" for number in range(300))
    expected = words(text)
    with ThreadPoolExecutor(8) as threads:
        assert all(found == expected for found in threads.map(words, [text] * 32))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ISO-27001", ["iso", "27001", "iso-27001"]),
        ("пункт 4.2", [*words("пункт"), "4", "2", "4.2"]),
        ("ivan@corp.example", ["ivan", "corp", "exampl", "ivan@corp.example"]),
        ("FY2019", ["fy2019", "fy", "2019"]),
        ("VPN-клиент", ["vpn", *words("клиент")]),
        ("G1", ["g1"]),
    ],
)
def test_codes_are_found_whole_and_by_their_parts(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_stress_marks_are_no_letters() -> None:
    assert words("госуда́рство") == words("государство")


def test_lemmas_bring_together_what_stems_do_not() -> None:
    assert words("людей") == words("человек")
    assert words("шёл") == words("идти")
