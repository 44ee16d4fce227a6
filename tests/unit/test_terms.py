"""What a question names: repaired spellings, compounds, synonyms, and what of them a passage has."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import ConfigError
from assistant.index.evidence import Evidence, evidence
from assistant.index.glossary import Glossary, read_glossary
from assistant.index.spelling import Vocabulary, by_letter
from assistant.index.terms import meant, read_as, searched, terms
from assistant.index.words import words

TEXTS = [
    "Настройка VPN для удалённой работы, заявка в Jira",
    "Отпуск без сохранения заработной платы, командировка",
    "Footlocker board elections",
    "Лист нетрудоспособности оплачивается в срок",
    "Ожидать ответа сервера",
]
COUNTS = Counter(word for text in TEXTS for word in set(words(text)))


def rarity_of(count: int) -> float:
    return math.log(1 + (len(TEXTS) - count + 0.5) / (count + 0.5))


def vocabulary(is_visible: Callable[[str], bool] = lambda _word: True) -> Vocabulary:
    numbers = {word: number for number, word in enumerate(COUNTS)}
    spellings = by_letter(COUNTS)
    return Vocabulary(numbers, lambda word: COUNTS[word], rarity_of, is_visible, spellings)


def asked(question: str, *groups: Sequence[str], visible: Vocabulary | None = None) -> list[str]:
    return searched(terms(question, visible or vocabulary(), Glossary(groups)))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("мзт", "vpn"),  # the other keyboard layout
        ("yfcnhjqrf dgy.", "настройка vpn"),  # and of the whole question, its letter by its sound
        ("j;blfnm", "ожидать"),  # with letters on the keys of punctuation
        ("впн", "vpn"),  # the other alphabet
        ("джира", "jira"),
        ("otpusk", "отпуск"),
        ("комадировка", "командировка"),  # a typing error
        ("нетрудоспосбности", "нетрудоспособности"),
        ("ответасервера", "ответа сервера"),  # a blank left out
        ("от́пуск", "отпуск"),  # a stress mark
    ],
)
def test_a_word_that_no_document_has_is_read_as_what_was_meant(typed: str, meant: str) -> None:
    assert asked(typed) == words(meant)


def test_a_stop_word_in_the_wrong_layout_is_none() -> None:
    assert asked("rfr yfcnhjqrf") == words("настройка")


@pytest.mark.parametrize("word", ["vpn", "xyzzy", "бор", "командировка"])
def test_known_words_and_words_like_no_other_stay(word: str) -> None:
    found = terms(word, vocabulary(), Glossary())
    assert searched(found) == words(word)
    assert read_as(found) == ""


def test_what_was_read_otherwise_is_said() -> None:
    assert read_as(terms("Как настроить мзт и комадировку?", vocabulary(), Glossary())).startswith(
        "мзт → vpn, комадировку → "
    )


def test_the_embedding_model_reads_what_was_meant() -> None:
    question = "Как получить Мзт и комадировку?"
    assert meant(question, terms(question, vocabulary(), Glossary())) == "Как получить vpn и комадировку?"
    alphabet = "Otpusk, Ёлка и Впн"  # people and models read that
    assert meant(alphabet, terms(alphabet, vocabulary(), Glossary())) == alphabet
    punctuation = "j;blfnm jngecr"  # keys of punctuation have letters too
    assert meant(punctuation, terms(punctuation, vocabulary(), Glossary())) == "ожидать отпуск"
    both = "jngecr jngecrf"  # one is the beginning of the other
    assert meant(both, terms(both, vocabulary(), Glossary())) == "отпуск отпуска"


def test_words_of_passages_that_the_asker_may_not_read_are_no_readings() -> None:
    secret = words("командировка")[0]
    assert asked("комадировка", visible=vocabulary(lambda word: word != secret)) == words("комадировка")
    assert asked("мзт", visible=vocabulary(lambda word: word != "vpn")) == words("мзт")


def test_a_word_of_forbidden_passages_is_as_rare_as_one_of_none() -> None:
    secret = words("командировка")[0]
    hidden = vocabulary(lambda word: word != secret)
    (found,) = terms("командировка", hidden, Glossary())
    assert found.rarity == rarity_of(0)
    (free,) = terms("командировка", vocabulary(), Glossary())
    assert free.rarity < found.rarity


def test_a_word_of_a_thousand_letters_is_not_taken_apart() -> None:
    long = "ответасервера" * 80
    assert asked(long) == words(long)


def test_a_word_of_the_glossary_is_no_typing_error() -> None:
    (found,) = terms("комадировка", vocabulary(), Glossary([["комадировка", "отпуск"]]))
    assert found.reading.words == tuple(words("комадировка"))
    assert read_as([found]) == ""


def test_a_question_in_the_wrong_layout_is_read_whole() -> None:
    question = "rfr yfcnhjqrf dgy."
    assert meant(question, terms(question, vocabulary(), Glossary())) == "как настройка vpn."


def test_synonyms_are_searched_too_and_either_phrase_is_enough() -> None:
    group = ["больничный", "лист нетрудоспособности"]
    assert set(asked("больничный", group)) == {*words("больничный"), *words("лист нетрудоспособности")}
    assert set(asked("Когда дают лист нетрудоспособности?", group)) >= set(words("больничный"))
    (found,) = shares("больничный", ["Лист нетрудоспособности оплачивается"], Glossary([group]))
    assert found.coverage == pytest.approx(1.0)
    (half,) = shares("больничный", ["Лист бумаги"], Glossary([group]))
    assert half.coverage == 0.0


def shares(
    question: str, texts: Sequence[str], glossary: Glossary | None = None, titles: Sequence[str] = ()
) -> list[Evidence]:
    known = vocabulary()
    rows = [np.array([known.numbers.get(word, -1) for word in words(text)], dtype=np.int64) for text in texts]
    found = terms(question, known, glossary or Glossary())
    return evidence(
        found,
        known.numbers,
        lambda names: {name: known.rarity((name,)) for name in names},
        rows,
        titles or [""] * len(texts),
    )


def test_coverage_is_the_share_of_the_words_by_rarity_and_a_typing_error_is_half_sure() -> None:
    every, one, none, typo = (
        shares("отпуск vpn", ["vpn отпуск"])[0],
        shares("отпуск vpn", ["vpn vpn"])[0],
        shares("отпуск vpn", ["сервер"])[0],
        shares("комадировка", ["командировка"])[0],
    )
    assert [share.coverage for share in (every, one, none, typo)] == pytest.approx([1.0, 0.5, 0.0, 0.5])


def test_near_words_are_side_by_side_or_with_few_between_them() -> None:
    texts = ["отпуск vpn", "vpn отпуск", "отпуск jira vpn", "отпуск jira сервер vpn", "отпуск jira сервер лист vpn"]
    assert [share.proximity for share in shares("отпуск vpn", texts)] == pytest.approx([1, 1, 2 / 3, 4 / 9, 0])


def test_near_words_of_different_passages_are_not_near() -> None:
    assert [share.proximity for share in shares("отпуск vpn", ["jira отпуск", "vpn jira"])] == [0, 0]


def test_a_title_counts_by_what_it_shares_with_the_question() -> None:
    named, part, other = shares("отпуск vpn", ["jira"] * 3, titles=["Отпуск VPN", "Отпуск, лист", "Сервер"])
    assert named.title == pytest.approx(1.0)
    assert 0.4 < part.title < 0.6
    assert other.title == 0.0


def test_a_name_written_as_one_word_in_the_title_is_named_by_two() -> None:
    (named,), (other,) = (shares(asked, ["board"], titles=["FOOTLOCKER"]) for asked in ("Foot Locker", "Foot board"))
    assert named.title > 0.5
    assert other.title == 0.0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: b", "is no list"),
        ("- [одно]", "group 1"),
        ("- [отпуск, vacation]\n- [и, а]", "group 2: 'и'"),
        ("- [1, 2]", "group 1"),
        ("- [", "can't be read"),
    ],
)
def test_a_wrong_glossary_is_said_with_its_group(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "glossary.yaml"
    file.write_text(content, "utf-8")
    with pytest.raises(ConfigError, match=said):
        read_glossary(file)


def test_the_shipped_glossary_is_read_and_an_empty_one_is_none(tmp_path: Path) -> None:
    shipped = read_glossary(Path(__file__).parents[2] / "configs" / "glossary.yaml")
    assert shipped.synonyms(words("больничный"))
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read_glossary(tmp_path / "empty.yaml").synonyms(words("больничный")) == {}
