"""A conversation as HTML: hostile text does nothing, what is withheld is told by its number, ratings are shown."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from assistant.ask.events import Finished, Notice, Queued, Recorded, Sources, Span, Step, Token
from assistant.conversations.views import (
    ConversationPage,
    ConversationView,
    FeedbackView,
    MessageView,
    OpenConversation,
    SourceView,
)
from assistant.errors import AccessDenied, NotFound
from assistant.ui.handlers import sentence_of
from assistant.ui.live import Live
from assistant.ui.messages import message_html, stored, talk_html
from assistant.ui.sidebar import talks_html, undo_html
from assistant.ui.texts import LANGUAGES
from tests.unit.samples import source
from tests.unit.test_render import HOSTILE

NOW = datetime(2026, 11, 29, tzinfo=UTC)
VOID = {"input", "br", "path", "hr", "img"}


class Elements(HTMLParser):
    """Tags with their attributes; `text` is what is seen."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.depth = "", 0
        self.feed(html)
        self.close()
        assert self.depth == 0, "an element is left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.depth += tag not in VOID

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag not in VOID

    def handle_data(self, data: str) -> None:
        self.text += data

    def with_(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.found if name in attributes]


def message(**changed: object) -> MessageView:
    """A finished message with one cited source."""
    given = MessageView(
        id="abcdef0123456789",
        position=0,
        key=None,
        question="Сколько дней?",
        searched="Сколько дней?",
        language="ru",
        answer="28 дней [1].",
        status="finished",
        error="",
        model="m",
        is_grounded=True,
        sources=(SourceView(1, source(1, "28 дней."), is_given=True, is_cited=True),),
        notices=(),
        is_withheld=False,
        asked_at=NOW,
        finished_at=NOW,
    )
    return replace(given, **changed)  # type: ignore[arg-type]


def shown(view: MessageView, language: str = "ru") -> Elements:
    return Elements(message_html(stored(view, language), language, kept=view))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_draws_links_and_runs_nothing(text: str) -> None:
    hostile = source(1, text, title=text, section=text)
    view = message(
        question=text,
        searched=text,
        answer=f"{text} [1]",
        sources=(SourceView(1, hostile, is_given=True, is_cited=True),),
        notices=(Notice("read_as", text),),
        feedback=FeedbackView(-1, "wrong", text, NOW),
    )
    talk = ConversationView(text, text, NOW, NOW)
    live = Live(text, "en", key=text)
    for event in (Recorded(text, text), Step(text, (hostile,), 1, 0.1), Sources((hostile,)), Token(f"{text} [1]")):
        live.take(event)
    live.take(Finished(text, (hostile,), "m", grounded=True))
    pages = (
        live.told(),
        talk_html(OpenConversation(talk, (view,)), "ru"),
        live.html(),
        talks_html(ConversationPage((talk,), has_more=True), "ru", search=text),
        undo_html(talk, "ru"),
    )
    for page in pages:
        for tag, attributes in Elements(page).found:
            assert tag not in {"img", "script", "iframe", "style", "object", "base", "meta"}, page
            assert not [name for name in attributes if name.startswith("on") or name == "src"], page
            assert re.fullmatch("|text-align:(left|right)", attributes.get("style") or ""), page
            if tag == "a" and "href" in attributes:
                href = attributes["href"] or ""
                assert href.startswith(("/documents/d1?chunk=", "/?c=", "/api/conversations/")), href
    assert "<script" not in "".join(pages)


def test_a_number_leads_to_its_source() -> None:
    links = [one["href"] for one in shown(message()).with_("href")]
    assert links.count("/documents/d1?chunk=d1-v-0#found") >= 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_withheld_source_is_told_by_its_number_alone(language: str) -> None:
    withheld = SourceView(2, None, is_given=True, is_cited=True)
    seen = shown(message(sources=(*message().sources, withheld), is_withheld=True), language)
    assert f"[2] {LANGUAGES[language]['withheld']}" in seen.text
    assert LANGUAGES[language]["withheld_note"] in seen.text
    assert "[1]" in seen.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_no_source_says_and_what_is_nearest(language: str) -> None:
    answer = "28 дней [1]. Ещё три дня за стаж [1]."
    start = answer.index("Ещё")
    marked = shown(message(answer=answer, unsupported=(Span(start, len(answer)),)), language).text
    assert LANGUAGES[language]["unsupported_note"] in marked
    assert marked.count("Ещё три дня за стаж") == 2
    near = SourceView(1, source(1, "28 дней."), is_given=False, is_cited=False, is_nearest=True)
    seen = shown(message(answer="В документах нет ответа.", sources=(near,)), language)
    assert LANGUAGES[language]["nearest"] in seen.text
    assert LANGUAGES[language]["sources"] not in seen.text
    assert "/documents/d1?chunk=d1-v-0#found" in {one["href"] for one in seen.with_("href")}


def test_a_source_that_changed_since_says_so() -> None:
    changed = replace(message().sources[0], is_changed=True)
    assert "документ с тех пор изменился" in shown(message(sources=(changed,))).text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("status", "error", "sentence"),
    [
        ("stopped", "", "stopped"),
        ("failed", "ModelUnavailable", "error.ModelUnavailable"),
        ("failed", "ChromaUnavailable", "error.ChromaUnavailable"),
        ("failed", "StorageError", "error.StorageError"),
        ("failed", "BrokenOff", "error.BrokenOff"),
        ("failed", "KeyError", "error.AssistantError"),
    ],
)
def test_what_is_not_whole_says_why_and_can_be_asked_again(
    status: str, error: str, sentence: str, language: str
) -> None:
    seen = shown(message(status=status, error=error, answer="нача"), language)
    assert LANGUAGES[language][sentence] in seen.text
    assert ("abcdef01" in seen.text) == (status == "failed")
    assert [one["data-question"] for one in seen.with_("data-question")] == ["Сколько дней?"]
    assert "нача" in seen.text


def test_what_was_said_of_an_answer_is_shown() -> None:
    seen = shown(message(feedback=FeedbackView(-1, "outdated", "новый приказ", NOW)))
    pressed = {one["data-rating"]: one["aria-pressed"] for one in seen.with_("aria-pressed")}
    assert pressed == {"1": "false", "-1": "true"}
    assert [one["value"] for one in seen.with_("checked")] == ["outdated"]
    assert "новый приказ" in seen.text
    assert not shown(message()).with_("checked")


def test_a_message_that_is_being_answered_is_not_shown_twice() -> None:
    talk = OpenConversation(ConversationView("t", "Отпуск", NOW, NOW), (message(), message(id="b", status="answering")))
    assert [one["data-message"] for one in Elements(talk_html(talk, "ru")).with_("data-message")] == [message().id]


def test_an_answer_is_followed_from_its_place_in_the_line_to_its_end() -> None:
    live = Live("Сколько дней?", "ru", key="k")
    assert "Ищу ответ" in Elements(live.html()).text
    live.take(Recorded("t1", "m1"))
    live.take(Queued(3, 20))
    queued = Elements(live.html())
    assert "место 3, примерно 20 с" in queued.text
    assert [(one["data-talk"], one["data-key"]) for one in queued.with_("data-answering")] == [("t1", "k")]
    found = source(1, "28 дней.")
    live.take(Step("Сколько дней отпуска?", (found,), 1, 0.2))
    assert "выдержек: 1, 0,2 с" in Elements(live.html()).text
    assert "Пишу ответ" in Elements(live.html()).text
    live.take(Sources((found,)))
    live.take(Token("28 дней [1]."))
    text = Elements(live.html()).text
    assert "Пишу ответ" not in text
    assert "Сколько дней отпуска?" in text
    assert live.told() == LANGUAGES["ru"]["stopped"]
    live.take(Finished("28 дней [1].", (found,), "m", grounded=True))
    assert live.told() == "Ответ готов. 28 дней."


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        (message(), "Ответ готов. 28 дней."),
        (message(status="stopped"), LANGUAGES["ru"]["stopped"]),
        (message(status="failed", error="BrokenOff"), "Сервер остановился, не закончив ответ. Номер ошибки: abcdef01."),
        (None, ""),
    ],
)
def test_of_an_answer_made_elsewhere_its_own_end_is_told(kept: MessageView | None, told: str) -> None:
    live = Live("Сколько дней?", "ru")
    live.show("28")
    live.end(kept)
    assert live.told() == told


@pytest.mark.parametrize("language", ["ru", "en"])
def test_what_is_gone_is_a_conversation_and_no_document(language: str) -> None:
    """It was deleted in another tab, and then asked in, renamed or rated in this one."""
    assert sentence_of(NotFound("there is no such conversation"), language, "1") == LANGUAGES[language]["talk_gone"]
    assert sentence_of(AccessDenied("sign in first"), language, "1") == LANGUAGES[language]["sign_in_again"]
