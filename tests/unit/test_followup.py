"""The rule for follow-ups: what leans on a question before it, what stands for itself, what is put together."""

from __future__ import annotations

import time

import pytest

from assistant.ask.events import Turn
from assistant.ask.followup import joined, kind_of, topic_of
from assistant.ask.rewrite import _language, _wrong

LEAVE = Turn("Сколько дней отпуска положено?", "28 календарных дней [1].")


@pytest.mark.parametrize(
    "question",
    [
        "А на покраске?",
        "а если стаж шесть лет?",
        "И кто это согласует?",
        "Что насчёт подрядчиков?",
        "Хорошо, а в Москве?",
        "Как часто им проходить медосмотр?",
        "Сколько их?",
        "Подробнее?",
        "Почему?",
        "And on probation?",
        "What about urgent ones?",
        "ok, and in Kazan?",
        "Which port does it use?",
        "Who has to confirm it?",
        "Why?",
    ],
)
def test_what_leans_on_a_question_before_it(question: str) -> None:
    assert kind_of(question) == "follow-up"


@pytest.mark.parametrize(
    "question",
    [
        "Кто подписывает договоры свыше пяти миллионов?",
        "А как заказать новую рассылку отдела?",
        "Если отпуск совпал с больничным, он продлевается автоматически на эти дни?",
        "Что такое NDA?",
        "Who is the IT contact in Tallinn?",
        "Is it possible to print price lists at home?",
        "And how long are CVs of rejected candidates stored?",
        "How long is the warranty for fans and silencers?",
    ],
)
def test_what_stands_for_itself(question: str) -> None:
    assert kind_of(question) == "whole"


@pytest.mark.parametrize("question", ["Где можно курить?", "За сколько дней?", "How many days?", "Warranty on fans?"])
def test_of_a_short_question_nobody_knows_by_its_words(question: str) -> None:
    assert kind_of(question) == "unclear"


def test_a_thousand_pronouns_are_read_at_once() -> None:
    start = time.perf_counter()
    assert kind_of("vpn access " + "it " * 5000) == "unclear"
    assert time.perf_counter() - start < 2, "for each of them all that stands before it was read"


def test_the_topic_is_the_last_whole_question_and_what_was_asked_about_it_last() -> None:
    vpn = Turn("Как получить доступ к корпоративному VPN из дома?", "")
    assert topic_of([vpn, LEAVE]) == (LEAVE.question,)
    assert topic_of([LEAVE, Turn("А на покраске?", "")]) == (LEAVE.question, "А на покраске?")
    more = [LEAVE, Turn("А на покраске?", ""), Turn("А при стаже шесть лет?", "")]
    assert topic_of(more) == (LEAVE.question, "А при стаже шесть лет?")
    searched = Turn("А там?", "", "Сколько дней отпуска в Таллине?")
    assert topic_of([vpn, searched]) == ("Сколько дней отпуска в Таллине?",), "as it was searched"
    by_rule = Turn("А на покраске?", "", "Сколько дней отпуска положено — на покраске?")
    assert topic_of([vpn, by_rule]) == ("Сколько дней отпуска положено", "на покраске?")


def test_questions_are_put_together() -> None:
    assert joined([LEAVE.question], "А на покраске?", limit=500) == "Сколько дней отпуска положено — на покраске?"
    topic = (LEAVE.question, "А на покраске?")
    assert joined(topic, "а в Казани?", limit=500) == "Сколько дней отпуска положено — на покраске — в Казани?"
    assert joined(topic, "а в Казани?", limit=46) == "Сколько дней отпуска положено — в Казани?"
    assert joined(topic, "а в Казани?", limit=20) == "а в Казани?", "no longer than a question may be"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ("", "no whole question"),
        ("Сколько дней отпуска?\nОтвет: 28", "more than a question"),
        ("К сожалению, я не могу это переписать", "refused"),
        ("В документах нет ответа на этот вопрос.", "refused"),
        ("Отпуск сварщика длится 35 дней", "something else"),
        ("Где купить билеты на концерт группы?", "something else"),
    ],
)
def test_a_models_text_that_is_no_whole_question_is_not_used(found: str, reason: str) -> None:
    assert reason in _wrong(found, "А у сварщиков?", [LEAVE])


def test_a_whole_question_is_used() -> None:
    assert _wrong("Сколько дней отпуска положено сварщикам?", "А у сварщиков?", [LEAVE]) == ""


def test_a_single_name_is_in_the_language_of_the_conversation() -> None:
    assert _language("VPN?", [LEAVE]) == "ru"
    assert _language("And for welders?", [LEAVE]) == "en"
    assert _language("VPN?", []) == "en"
