"""The chain's breaker: who pays for a model that hangs, and what counts as an answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from assistant.ask.chain import Chain, Chosen
from assistant.ask.events import Token
from assistant.ask.prompt import Prompt
from assistant.ask.retrieval import Retrieved
from assistant.ask.service import AskService, _Answer
from assistant.errors import ModelUnavailable
from assistant.parts.llms import ChatModel, EchoModel, ModelStatus, Usage
from assistant.settings import Answer, Llm
from tests.unit.samples import source

LIMIT = 0.2
PROMPT = Prompt(messages=[], sources=(), tokens=0)


class Scripted(EchoModel):
    """Says its pieces, or nothing until its first-token limit when it hangs."""

    def __init__(self, name: str, *pieces: str, hangs: bool = False) -> None:
        super().__init__(Llm(provider="echo", model=name, first_token_seconds=LIMIT))
        self.pieces, self.hangs, self.asked = pieces, hangs, 0

    @property
    def name(self) -> str:
        return self.settings.model

    async def stream(self, messages: Sequence[Any]) -> AsyncGenerator[str | Usage, None]:
        self.asked += 1
        if self.hangs:
            await asyncio.sleep(LIMIT)
            raise ModelUnavailable(f"{self.name} hangs")
        for piece in self.pieces:
            yield piece
        yield Usage()

    async def status(self) -> ModelStatus:
        return ModelStatus(True, "")


async def answered(chain: Chain) -> tuple[str, float]:
    """Who answers, and after how many seconds."""
    start = time.monotonic()
    pieces = [piece async for piece in chain.stream(lambda _: PROMPT)]
    assert isinstance(pieces[0], Chosen)
    return pieces[0].model.name, time.monotonic() - start


async def test_one_question_at_a_time_waits_for_a_model_that_hangs() -> None:
    hung, spare = Scripted("hung", hangs=True), Scripted("spare", "да")
    chain = Chain([hung, spare], retry_seconds=0.01)
    assert (await answered(chain))[1] >= LIMIT
    await asyncio.sleep(LIMIT + 0.05)
    found = await asyncio.gather(*(answered(chain) for _ in range(20)))
    assert hung.asked == 2, "the first question, and one that looks whether it is back"
    assert sum(seconds >= LIMIT / 2 for _, seconds in found) == 1
    assert {name for name, _ in found} == {"spare"}


async def test_it_rests_as_long_as_it_cost() -> None:
    hung, spare = Scripted("hung", hangs=True), Scripted("spare", "да")
    chain = Chain([hung, spare], retry_seconds=0.01)
    await answered(chain)
    await asyncio.sleep(LIMIT / 2)
    assert (await answered(chain))[1] < LIMIT / 2
    assert hung.asked == 1


async def test_a_probe_that_succeeds_ends_the_rest_and_one_that_is_left_does_not_last() -> None:
    model, spare = Scripted("model", "да", hangs=True), Scripted("spare", "да")
    chain = Chain([model, spare], retry_seconds=0.01)
    await answered(chain)
    await asyncio.sleep(LIMIT + 0.05)
    probe = asyncio.create_task(answered(chain))
    await asyncio.sleep(0.02)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    model.hangs = False
    assert (await answered(chain))[0] == "spare"
    await asyncio.sleep(LIMIT + 0.05)
    assert [name for name, _ in await asyncio.gather(*(answered(chain) for _ in range(3)))][0] == "model"
    assert (await answered(chain))[0] == "model"


@pytest.mark.parametrize("pieces", [(), ("",), (" ", "\n")])
async def test_an_answer_without_a_word_is_the_next_models(pieces: tuple[str, ...]) -> None:
    chain = Chain([Scripted("empty", *pieces), Scripted("spare", " ", "да")], retry_seconds=1)
    found = [piece async for piece in chain.stream(lambda _: PROMPT)]
    assert isinstance(found[0], Chosen)
    assert (found[0].model.name, found[1:]) == ("spare", ["да", Usage()])
    assert "empty answered with nothing" in found[0].failures[0]
    with pytest.raises(ModelUnavailable, match="answered with nothing"):
        await answered(Chain([cast(ChatModel, Scripted("empty", *pieces))], retry_seconds=1))


async def test_quotes_are_chosen_off_the_event_loop() -> None:
    threads = []

    def rarity(words: Sequence[str]) -> dict[str, float]:
        threads.append(threading.get_ident())
        return dict.fromkeys(words, 1.0)

    search = SimpleNamespace(keyword_retriever=lambda: SimpleNamespace(rarity=rarity))
    parts = {"rewriter": None, "check": None, "retriever": None, "search": search, "chain": None, "prompts": None}
    service = AskService(settings=Answer(), quotes=True, **cast(Any, parts))
    retrieved = cast(Retrieved, SimpleNamespace(sources=(source(1, "Отпуск — 28 дней."),)))
    events = await service._quote("Отпуск?", retrieved, _Answer("ru", {}), "reason")  # noqa: SLF001
    assert [type(event).__name__ for event in events] == ["Notice", "Sources", "Token", "Token"]
    assert "".join(event.text for event in events if isinstance(event, Token)) == "Отпуск — 28 дней. [1]"
    assert len(threads) == 1
    assert threading.get_ident() not in threads
