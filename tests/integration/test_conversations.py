"""Conversations are kept while they happen: to the end, to the stop, to the error, and through a killed server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest
from sqlalchemy import update

from assistant import __version__
from assistant.access.principal import LOCAL_OPERATOR
from assistant.ask.events import Event, Finished, Recorded, Source, Sources, Step, Token, Turn
from assistant.assistant import Assistant
from assistant.errors import AlreadyAsked, ConfigError, InvalidQuestion, InvalidRequest, ModelUnavailable, NotFound
from assistant.records.conversations import BROKEN_OFF
from assistant.records.database import Database
from assistant.records.tables import ConversationRow, MessageRow
from assistant.settings import Answer, Llm, State
from assistant.wiring import build
from tests.integration import company
from tests.integration.sample import FAST, MODEL, model
from tests.integration.talking import PASS, PRICES, only, person, talk
from tests.servers.assistant_process import AssistantProcess
from tests.servers.ollama import Script, ScriptedOllama

pytestmark = pytest.mark.server


@pytest.fixture
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama(FAST) as server:
        yield server


@pytest.fixture
def assistant(place: Path, server: ScriptedOllama) -> Iterator[Assistant]:
    with talking(place, server) as found:
        yield found


def talking(place: Path, server: ScriptedOllama, *, quotes: bool = True, **blocks: object) -> Assistant:
    chain = [model(server), *([Llm(provider="extractive")] if quotes else [])]
    return build(company.settings(place / "storage", llms=chain, answer=Answer(retry_seconds=0.01), **blocks))


def database(assistant: Assistant) -> Database:
    return Database(assistant.settings.database_url)


def outside(source: Source) -> Source:
    """As it is when it is of no index."""
    return replace(source, passage=replace(source.passage, class_id=0))


async def test_an_exchange_is_kept_with_all_that_was_shown(assistant: Assistant) -> None:
    anna = person(assistant, "anna", "sales", "hr")
    conversation, message, events = await talk(assistant, f" {PRICES}\n", anna)
    kept = only(assistant, anna, conversation)
    finished = events[-1]
    step = next(event for event in events if isinstance(event, Step))
    given = next(event for event in events if isinstance(event, Sources))
    assert isinstance(finished, Finished)
    assert (kept.id, kept.status, kept.position) == (message, "finished", 1)
    assert (kept.answer, kept.model, kept.is_grounded) == (finished.answer, finished.model, finished.grounded)
    assert kept.model == MODEL
    assert kept.searched == step.question
    sources = [one.source for one in kept.sources]
    assert sources == [outside(source) for source in step.found], "the same, with its place, text, date and scores"
    assert [one.source for one in kept.sources if one.is_given] == [outside(source) for source in given.sources]
    assert list(kept.cited) == sorted((outside(source) for source in finished.cited), key=lambda source: source.n)
    assert kept.timings == finished.timings_ms
    assert not kept.is_withheld
    assert assistant.conversations.open(anna, conversation).conversation.title == PRICES
    with database(assistant).transaction() as session:
        row = session.get(MessageRow, message)
        assert row is not None
        assert row.departments == ["hr", "sales"]
        assert row.versions == assistant.versions(assistant.serving())
        assert (row.versions["assistant"], row.versions["generation"]) == (__version__, 1)


async def test_a_program_without_a_conversation_leaves_no_trace(assistant: Assistant) -> None:
    anna = person(assistant, "anna", "sales")
    events = [event async for event in assistant.ask(PRICES, anna)]
    assert isinstance(events[-1], Finished)
    assert not any(isinstance(event, Recorded) for event in events)
    assert (events[-1].conversation, events[-1].message) == (None, None)
    assert assistant.conversations.list(anna).conversations == ()


async def test_what_was_said_is_the_history_of_the_next_question(assistant: Assistant) -> None:
    anna = person(assistant, "anna", "sales")
    conversation, _, first = await talk(assistant, PRICES, anna)
    given: list[list[Turn]] = []
    stream = assistant.serving().ask_service.stream

    def listening(question: str, principal: object, history: tuple[Turn, ...] = ()) -> object:
        given.append(list(history))
        return stream(question, principal, history)  # type: ignore[arg-type]

    object.__setattr__(assistant.serving().ask_service, "stream", listening)
    _, _, second = await talk(assistant, "А оптом?", anna, conversation)
    await talk(assistant, PASS, anna, conversation)
    turns = [
        Turn(question, events[-1].answer, "" if whole == question else whole)
        for question, events in ((PRICES, first), ("А оптом?", second))
        for whole in [next(event.question for event in events if isinstance(event, Step))]
        if isinstance(events[-1], Finished)
    ]
    assert given == [turns[:1], turns]
    assert turns[1].searched, "a follow-up was made whole by what was said before"
    questions = [one.question for one in assistant.conversations.open(anna, conversation).messages]
    assert questions == [PRICES, "А оптом?", PASS]


async def test_who_stops_keeps_what_was_said(place: Path) -> None:
    slow = Script(first_token_seconds=0.0, tokens_per_second=20.0, answer="слово " * 300)
    with ScriptedOllama(slow) as server, talking(place, server) as assistant:
        anna = person(assistant, "anna", "sales")
        conversation, said = "", ""
        async with aclosing(assistant.ask(PRICES, anna, "new")) as events:
            async for event in events:
                if isinstance(event, Recorded):
                    conversation = event.conversation
                    assert only(assistant, anna, conversation).status == "answering", "it is there from the beginning"
                if isinstance(event, Token):
                    said += event.text
                    if len(said) > 12:
                        break
        kept = only(assistant, anna, conversation)
        assert (kept.status, kept.answer) == ("stopped", said.strip())
        assert [one.is_given for one in kept.sources]


async def test_a_client_that_is_cut_off_has_stopped(place: Path) -> None:
    """As a web server does it: the task is cancelled, and every further wait in it too."""
    slow = Script(first_token_seconds=0.0, tokens_per_second=20.0, answer="слово " * 300)
    with ScriptedOllama(slow) as server, talking(place, server) as assistant:
        anna = person(assistant, "anna", "sales")
        events: list[Event] = []

        async def follow() -> None:
            async for event in assistant.ask(PRICES, anna, "new"):
                events.append(event)

        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            while sum(isinstance(event, Token) for event in events) < 3:
                await asyncio.sleep(0.02)
            group.cancel_scope.cancel()
        assert isinstance(events[0], Recorded)
        deadline = time.monotonic() + 10
        while (kept := only(assistant, anna, events[0].conversation)).status == "answering":
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        assert kept.status == "stopped"
        assert kept.answer.startswith("слово")


async def test_a_failure_is_kept_too(place: Path) -> None:
    with ScriptedOllama(Script(out_of_memory=True)) as server, talking(place, server, quotes=False) as assistant:
        anna = person(assistant, "anna", "sales")
        with pytest.raises(ModelUnavailable):
            await talk(assistant, PRICES, anna)
        (found,) = assistant.conversations.list(anna).conversations
        kept = only(assistant, anna, found.id)
        assert (kept.status, kept.error, kept.answer) == ("failed", "ModelUnavailable", "")


async def test_what_is_refused_is_not_kept(assistant: Assistant) -> None:
    anna = person(assistant, "anna", "sales")
    for question, conversation, key, error in (
        ("", "new", None, InvalidQuestion),
        ("x" * 5000, "new", None, InvalidQuestion),
        (PRICES, "0" * 20, None, NotFound),
        (PRICES, "new", "", InvalidRequest),
        (PRICES, "new", "k" * 81, InvalidRequest),
    ):
        with pytest.raises(error):
            await talk(assistant, question, anna, conversation, key)
    with pytest.raises(ConfigError, match="--as USER"):
        await talk(assistant, PRICES, LOCAL_OPERATOR)
    assert assistant.conversations.list(anna).conversations == ()


async def test_a_double_send_makes_one_message(assistant: Assistant) -> None:
    anna = person(assistant, "anna", "sales")
    conversation = assistant.conversations.create(anna).id
    results = await asyncio.gather(
        *(talk(assistant, PRICES, anna, conversation, "key-1") for _ in range(4)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in results) == ["AlreadyAsked"] * 3 + ["tuple"]
    assert only(assistant, anna, conversation).status == "finished"
    with pytest.raises(AlreadyAsked):
        await talk(assistant, PRICES, anna, conversation, "key-1")
    await talk(assistant, PRICES, anna, conversation, "key-2")
    assert len(assistant.conversations.open(anna, conversation).messages) == 2


async def test_a_silent_answer_is_shown_as_broken_off(assistant: Assistant) -> None:
    anna = person(assistant, "anna", "sales")
    conversation, message, _ = await talk(assistant, PRICES, anna)

    def heard(ago: timedelta) -> tuple[str, str]:
        with database(assistant).transaction() as session:
            heard_at = datetime.now(UTC) - ago
            session.execute(update(MessageRow).values(status="answering", heard_at=heard_at, finished_at=None))
        kept = only(assistant, anna, conversation)
        return kept.status, kept.error

    assert heard(timedelta(seconds=5)) == ("answering", "")
    assert heard(timedelta(seconds=30)) == ("failed", BROKEN_OFF)
    assistant.conversations.purge()
    with database(assistant).transaction() as session:
        row = session.get(MessageRow, message)
        assert row is not None
        assert (row.status, row.error) == ("failed", BROKEN_OFF)


def test_a_killed_server_loses_no_question_and_little_of_the_answer(tmp_path: Path) -> None:
    slow = Script(first_token_seconds=0.0, tokens_per_second=30.0, answer="слово " * 2000)
    with ScriptedOllama(slow) as ollama:
        models = json.dumps([{"provider": "ollama", "model": MODEL, "url": ollama.url}])
        environment = {"ASSISTANT_LLMS": models, "ASSISTANT_EMBEDDING__PROVIDER": "hash"}
        with AssistantProcess(tmp_path / "storage", **environment) as process:
            password = process.password
            with httpx.Client(
                base_url=process.url, headers={"origin": process.url}, trust_env=False, timeout=60
            ) as client:
                client.post("/login", data={"name": "admin", "password": password})
                body = {"question": "Как настроить VPN?", "conversation": "new", "key": "k"}
                with client.stream("POST", "/api/ask", json=body) as answer:
                    begun, lines = time.monotonic(), answer.iter_lines()
                    assert next(lines) == "event: recorded"
                    found = json.loads(next(lines).removeprefix("data: "))["conversation"]
                    for _ in lines:
                        if time.monotonic() - begun > 7:
                            break
                    os.kill(process.process.pid, signal.SIGKILL)
                    process.process.wait()
        with build(company.settings(tmp_path / "storage")) as assistant:
            admin = assistant.users.find("admin")
            assert only(assistant, admin, found).status == "answering", "nobody could know yet"
            with database(assistant).transaction() as session:
                session.execute(update(MessageRow).values(heard_at=datetime.now(UTC) - timedelta(seconds=30)))
            kept = only(assistant, admin, found)
    assert (kept.question, kept.status, kept.error) == ("Как настроить VPN?", "failed", BROKEN_OFF)
    assert kept.answer.startswith("слово слово")
    assert kept.sources


async def test_the_purge_follows_the_settings(place: Path, server: ScriptedOllama) -> None:
    with talking(place, server, state=State(retention_days=0, undo_days=1)) as assistant:
        anna = person(assistant, "anna", "sales")
        kept, deleted = (assistant.conversations.create(anna, name).id for name in ("kept", "deleted"))
        assistant.conversations.delete(anna, deleted)
        with database(assistant).transaction() as session:
            long_ago = datetime.now(UTC) - timedelta(days=4000)
            session.execute(update(ConversationRow).values(updated_at=long_ago))
        assert assistant.conversations.purge() == 0, "0 days is for ever, and the deletion is fresh"
        with database(assistant).transaction() as session:
            session.execute(update(ConversationRow).where(ConversationRow.id == deleted).values(deleted_at=long_ago))
        assert assistant.conversations.purge() == 1
    with talking(place, server, state=State(retention_days=3000)) as assistant:
        assert [one.id for one in assistant.conversations.list(anna).conversations] == [kept]
        assert assistant.conversations.purge() == 1
        assert assistant.conversations.list(anna).conversations == ()


async def test_pages_of_the_list_and_of_a_search(assistant: Assistant) -> None:
    anna = person(assistant, "anna", "sales")
    made = [assistant.conversations.create(anna, f"Отпуск {number}").id for number in range(5)][::-1]
    for search in ("", "отпуск"):
        first = assistant.conversations.list(anna, search=search, limit=2)
        last = assistant.conversations.list(anna, search=search, limit=2, offset=4)
        assert ([one.id for one in first.conversations], first.has_more) == (made[:2], True)
        assert ([one.id for one in last.conversations], last.has_more) == (made[4:], False)
