"""Answers go on without their reader; whoever follows one hears all of it, and only its owner can stop it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from assistant.ask.events import Event, Recorded, Token
from assistant.conversations import running as module
from assistant.conversations.running import Running, RunningAnswer
from assistant.errors import InvalidQuestion, NotFound


class Asked:
    """An answer of three words; the last two come when `go` is set. Notes how it ended."""

    def __init__(self, message: str = "m", error: Exception | None = None) -> None:
        self.go = asyncio.Event()
        self.times, self.ended = 0, ""
        self._message, self._error = message, error

    async def __call__(self) -> AsyncGenerator[Event, None]:
        self.times += 1
        if self._error and not self._message:
            raise self._error
        yield Recorded("c", self._message)
        try:
            yield Token("one ")
            await self.go.wait()
            yield Token("two ")
            if self._error:
                raise self._error
            yield Token("three")
            self.ended = "finished"
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


async def heard(answer: RunningAnswer, into: list[str] | None = None) -> str:
    found = [] if into is None else into
    async for event in answer.follow():
        found += [event.text] if isinstance(event, Token) else []
    return "".join(found)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        await asyncio.wait_for(test(), 20)

    asyncio.run(in_time())


def test_it_goes_on_when_nobody_follows() -> None:
    async def test() -> None:
        running, asked = Running(), Asked()
        answer = await running.start("anna", "new", "k", asked)
        first = asyncio.create_task(heard(answer))
        await asyncio.sleep(0)
        first.cancel()  # the page is closed
        assert running.of("anna", "c") is answer
        asked.go.set()
        assert await heard(answer) == "one two three"
        assert asked.ended == "finished"
        assert running.of("anna", "c") is None

    run(test)


def test_all_who_follow_hear_everything() -> None:
    async def test() -> None:
        running, asked = Running(), Asked()
        answer = await running.start("anna", "new", "k", asked)
        early = [asyncio.create_task(heard(answer)) for _ in range(3)]
        await asyncio.sleep(0)
        asked.go.set()
        assert [*await asyncio.gather(*early), await heard(answer)] == ["one two three"] * 4

    run(test)


def test_two_clicks_are_one_question_and_of_two_people_two() -> None:
    async def test() -> None:
        running, asked = Running(), Asked()
        one, two = await asyncio.gather(
            running.start("anna", "new", "k", asked), running.start("anna", "new", "k", asked)
        )
        assert one is two
        assert asked.times == 1
        assert (await running.start("boris", "new", "k", Asked("other"))) is not one
        assert (await running.start("anna", "c2", "k", Asked("other"))) is not one  # the page went on to another one
        asked.go.set()
        await heard(one)
        assert (await running.start("anna", "new", "k", asked)) is one  # also just after its end

    run(test)


def test_it_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_SECONDS", 0.0)

    async def test() -> None:
        running, asked = Running(), Asked()
        asked.go.set()
        answer = await running.start("anna", "new", "k", asked)
        await heard(answer)
        await asyncio.sleep(0.01)
        assert (await running.start("anna", "new", "k", asked)) is not answer

    run(test)


def test_only_its_owner_can_stop_or_find_it() -> None:
    async def test() -> None:
        running, asked = Running(), Asked()
        answer = await running.start("anna", "new", None, asked)
        with pytest.raises(NotFound):
            await running.stop("boris", "m")
        assert running.of("boris", "c") is None
        follower = asyncio.create_task(heard(answer))
        await asyncio.sleep(0)
        await running.stop("anna", "m")
        assert asked.ended == "cancelled"
        assert await follower == "one "

    run(test)


def test_what_is_refused_is_raised_and_may_be_sent_again() -> None:
    async def test() -> None:
        running, refused = Running(), Asked("", InvalidQuestion("it is empty"))
        for _ in range(2):
            with pytest.raises(InvalidQuestion):
                await running.start("anna", "new", "k", refused)
            await asyncio.sleep(0.01)
        assert refused.times == 2

    run(test)


def test_what_breaks_off_is_raised_to_all_who_follow() -> None:
    async def test() -> None:
        running, asked = Running(), Asked("m", InvalidQuestion("too long for the model"))
        answer = await running.start("anna", "new", "k", asked)
        asked.go.set()
        found: list[str] = []
        with pytest.raises(InvalidQuestion):
            await heard(answer, found)
        assert found == ["one ", "two "]
        with pytest.raises(InvalidQuestion):
            await heard(answer)

    run(test)
