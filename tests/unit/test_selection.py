"""Passages for an answer differ from each other."""

from __future__ import annotations

from assistant.access.principal import AccessClass
from assistant.ask.events import Scores, Source
from assistant.ask.selection import distinct
from assistant.index.catalog import Passage
from assistant.index.words import words

TEXT = "Отпуск составляет двадцать восемь календарных дней и оплачивается не позднее трёх дней до начала отдыха"


def source(document: str, text: str) -> Source:
    passage = Passage(
        chunk=f"{document}-0",
        document=document,
        path=document,
        title="",
        section="",
        page=None,
        position=0,
        text=text,
        class_id=1,
        access_class=AccessClass("company", 1),
    )
    return Source(0, passage, 1.0, Scores())


def words_of(passage: Passage) -> frozenset[str]:
    return frozenset(words(passage.text))


def test_a_copy_makes_room_for_the_next() -> None:
    found = [source("a", TEXT), source("b", f"{TEXT}!"), source("c", "Командировка оформляется приказом")]
    assert [one.passage.document for one in distinct(found, 2, words_of)] == ["a", "c"]


def test_another_number_is_another_thing() -> None:
    found = [source("a", f"{TEXT}, 700 рублей"), source("b", f"{TEXT}, 1500 рублей")]
    assert distinct(found, 2, words_of) == found


def test_likeness_is_no_sameness() -> None:
    found = [source("a", TEXT), source("b", f"{TEXT}. Премия выплачивается ежеквартально")]
    assert distinct(found, 2, words_of) == found


def test_a_replaced_edition_stays_to_be_seen() -> None:
    found = [source("new", TEXT), source("old", TEXT)]
    assert distinct(found, 2, words_of, kept={"old": []}) == found


def test_passages_without_words_are_not_the_same() -> None:
    found = [source("a", "…"), source("b", "—")]
    assert distinct(found, 5, words_of) == found
