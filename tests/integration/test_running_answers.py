"""An answer that a page has asked for goes on in the server when the page is gone, and is kept; stopping stops the model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from assistant.ask.events import Finished, Recorded, Token
from assistant.assistant import Assistant
from assistant.errors import NotFound
from assistant.settings import Answer
from assistant.wiring import build
from tests.integration import company
from tests.integration.sample import model
from tests.integration.talking import PRICES, only, person
from tests.servers.ollama import Script, ScriptedOllama

pytestmark = pytest.mark.server
SLOW = Script(first_token_seconds=0.0, tokens_per_second=40.0, answer="слово " * 30 + "[1]")


@pytest.fixture
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama(SLOW) as server:
        yield server


@pytest.fixture
def assistant(place: Path, server: ScriptedOllama) -> Iterator[Assistant]:
    settings = company.settings(place / "storage", llms=[model(server)], answer=Answer(retry_seconds=0.01))
    with build(settings) as assistant:
        yield assistant


async def test_a_closed_page_loses_nothing(assistant: Assistant) -> None:
    anna = person(assistant, "anna", "sales")
    answer = await assistant.begin(PRICES, anna, "new", "k")
    async with aclosing(answer.follow()) as events:
        async for event in events:
            if isinstance(event, Token):
                break  # the lid is closed
    assert only(assistant, anna, answer.conversation).status == "answering"
    assert assistant.running.of("anna", answer.conversation) is None, "names are no ids"
    again = assistant.running.of(anna.id, answer.conversation)
    assert again is answer
    events_again = [event async for event in again.follow()]
    assert isinstance(events_again[0], Recorded)
    finished = events_again[-1]
    assert isinstance(finished, Finished)
    assert "".join(event.text for event in events_again if isinstance(event, Token)).strip() == finished.answer
    kept = only(assistant, anna, answer.conversation)
    assert (kept.id, kept.status, kept.answer) == (answer.message, "finished", finished.answer)
    assert (await assistant.begin(PRICES, anna, "new", "k")) is answer, "the second click"
    assert len(assistant.conversations.list(anna).conversations) == 1


async def test_stopping_stops_the_model_and_keeps_the_text(assistant: Assistant, server: ScriptedOllama) -> None:
    anna, boris = person(assistant, "anna", "sales"), person(assistant, "boris", "sales")
    server.change(answer="слово " * 3000)
    answer = await assistant.begin(PRICES, anna, "new", "k")
    async with aclosing(answer.follow()) as events:
        async for event in events:
            if isinstance(event, Token):
                break
    with pytest.raises(NotFound):
        await assistant.running.stop(boris.id, answer.message)
    await assistant.running.stop(anna.id, answer.message)
    kept = only(assistant, anna, answer.conversation)
    assert kept.status == "stopped"
    assert kept.answer.startswith("сло")
    left = await asyncio.to_thread(server.wait_for, lambda one: one.disconnected)
    assert left.tokens < 3000
