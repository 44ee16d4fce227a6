"""A language model that says nothing, or says something and names no document for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.parts.llms import EXTRACTIVE
from tests.integration.sample import FAST, LEAVE, MODEL, answering, ask, ending, model, notices, sources
from tests.servers.ollama import ScriptedOllama

pytestmark = pytest.mark.server


@pytest.fixture
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama(FAST) as server:
        yield server


@pytest.mark.parametrize("text", ["Отпуск длится 28 дней.", "Отпуск длится 28 дней [99]."])
async def test_an_answer_that_names_no_document_says_so(sample: Path, server: ScriptedOllama, text: str) -> None:
    server.change(answer=text)
    with answering(sample, model(server)) as assistant:
        events = await ask(assistant, LEAVE)
    finished = ending(events)
    assert finished.answer.startswith("Отпуск длится 28 дней")
    assert (finished.grounded, finished.cited, finished.model) == (False, (), MODEL)
    assert list(notices(finished)) == ["uncited"]
    assert sources(events)


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_empty_answer_is_none(sample: Path, server: ScriptedOllama, text: str) -> None:
    server.change(answer=text)
    with answering(sample, model(server)) as assistant:
        finished = ending(await ask(assistant, LEAVE))
    assert (finished.model, finished.grounded) == (EXTRACTIVE, True)
    assert f"{MODEL} answered with nothing" in notices(finished)["extractive"]
