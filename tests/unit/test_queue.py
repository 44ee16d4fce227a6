"""The line before the language model: who is next, where each one is, and that whoever leaves makes room."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest

from assistant.ask.events import Event, Queued, Token
from assistant.ask.queue import Queue
from assistant.errors import Busy


class Asker:
    """Somebody's question: what was told, whether it has a place, and a gate that ends its answer."""

    def __init__(self, queue: Queue, who: str) -> None:
        self.told: list[Queued] = []
        self.answering = False
        self.gate = asyncio.Event()
        self.task = asyncio.create_task(self._ask(queue, who))

    async def _ask(self, queue: Queue, who: str) -> None:
        async for event in queue.through(who, self._answer()):
            if isinstance(event, Queued):
                self.told.append(event)

    async def _answer(self) -> AsyncGenerator[Event, None]:
        self.answering = True
        yield Token("…")
        await self.gate.wait()

    @property
    def places(self) -> list[int]:
        return [queued.place for queued in self.told]

    async def finish(self) -> None:
        self.gate.set()
        await self.task
        await settle()

    async def leave(self) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task
        await settle()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def come(queue: Queue, names: str) -> list[Asker]:
    """One after another, a letter a person."""
    askers = []
    for who in names:
        askers.append(Asker(queue, who))
        await settle()
    return askers


async def test_first_come_first_served_and_each_knows_the_place() -> None:
    queue = Queue(at_once=2, waiting=10)
    a, b, c, d = await come(queue, "abcd")
    assert [asker.answering for asker in (a, b, c, d)] == [True, True, False, False]
    assert (a.places, c.places, d.places) == ([], [1], [2])
    await b.finish()
    assert (c.answering, d.answering, d.places) == (True, False, [2, 1])
    await a.finish()
    assert d.answering
    for asker in (c, d):
        await asker.finish()


async def test_who_asks_many_things_at_once_waits_behind_the_others() -> None:
    queue = Queue(at_once=2, waiting=10)
    hog = await come(queue, "hhhh")
    late = await come(queue, "xy")
    assert [asker.places for asker in late] == [[1], [2]], "before the hog's third question"
    assert hog[2].places == [1, 2, 3]
    await hog[0].finish()
    assert (late[0].answering, hog[2].answering) == (True, False)
    await hog[1].finish()
    assert (late[1].answering, hog[2].answering) == (False, True), (
        "whose two are done has as many as the one who came later"
    )
    await late[0].finish()
    assert (late[1].answering, hog[3].answering) == (True, False)
    for asker in (hog[2], hog[3], late[1]):
        await asker.finish()


async def test_whoever_leaves_makes_room() -> None:
    queue = Queue(at_once=1, waiting=10)
    a, b, c, d = await come(queue, "abcd")
    await b.leave()
    assert (c.places, d.places) == ([2, 1], [3, 2])
    await a.leave()
    assert (c.answering, d.places) == (True, [3, 2, 1])
    await c.finish()
    await d.finish()
    assert (await come(queue, "e"))[0].answering, "nobody has kept a place"


async def test_an_answer_that_fails_gives_its_place_back() -> None:
    queue = Queue(at_once=1, waiting=10)

    async def broken() -> AsyncGenerator[Event, None]:
        yield Token("…")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        _ = [event async for event in queue.through("a", broken())]
    assert (await come(queue, "b"))[0].answering


async def test_a_full_line_sends_away_with_a_time_and_one_person_fills_half_of_it() -> None:
    queue = Queue(at_once=1, waiting=4)
    asked = await come(queue, "hhh")
    for who, said in (("h", "of your questions"), ("x", ""), ("y", ""), ("z", "too many questions")):
        if not said:
            asked += await come(queue, who)
            continue
        closed = asyncio.Event()

        async def never(closed: asyncio.Event = closed) -> AsyncGenerator[Event, None]:
            closed.set()
            yield Token("never")

        with pytest.raises(Busy, match=said) as refused:
            await anext(queue.through(who, never()))
        assert refused.value.seconds > 0
        assert not closed.is_set(), "nothing was begun for it"
    for asker in asked:
        await asker.leave()


async def test_the_estimate_is_made_of_answers_that_were() -> None:
    queue = Queue(at_once=2, waiting=10)
    queue._average = 8.0
    asked = await come(queue, "abcdefgh")
    assert [asker.told[0].seconds for asker in asked[2:]] == [4, 8, 12, 16, 20, 24]
    for asker in asked:
        await asker.leave()
    empty = Queue(at_once=1, waiting=10)
    asked = await come(empty, "ab")
    assert asked[1].told == [Queued(1, None)]
    await asyncio.sleep(0.05)
    await asked[0].finish()
    asked += await come(empty, "c")
    assert asked[2].told == [Queued(1, 1)], "no less than a second is promised"
    for asker in asked[1:]:
        await asker.finish()


def test_one_line_for_several_event_loops() -> None:
    queue = Queue(at_once=1, waiting=100)
    at_once, most, done = 0, 0, 0
    lock = threading.Lock()

    async def answer() -> AsyncGenerator[Event, None]:
        nonlocal at_once, most, done
        with lock:
            at_once += 1
            most = max(most, at_once)
        yield Token("…")
        await asyncio.sleep(0.002)
        with lock:
            at_once -= 1
            done += 1

    async def ask(who: str) -> None:
        async for _ in queue.through(who, answer()):
            pass

    async def many(who: str) -> None:
        await asyncio.gather(*(ask(who) for _ in range(20)))

    threads = [threading.Thread(target=lambda who=who: asyncio.run(many(who))) for who in "abc"]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (done, most) == (60, 1)
