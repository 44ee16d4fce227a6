"""Who is answered now and who waits: a line with a bound, fair between people, in which everyone knows the own place."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager

from assistant.ask.events import Event, Queued
from assistant.errors import Busy

_NEWEST_SHARE = 0.2  # of the last answer in the average time that one takes


class Queue:
    """`at_once` questions are answered, up to `waiting` more wait; the rest is told to come back.

    Next is whose person has the fewest questions before it, then who came first: somebody who asks fifty things at once
    waits behind everyone else, and does not keep them out. It may be used from several event loops.
    """

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._at_once = at_once
        self._limit = waiting
        self._lock = threading.Lock()  # over what follows
        self._answered = Counter[str]()  # questions that have a place, by person
        self._waiting: list[_Ticket] = []  # in the order of their coming
        self._average: float | None = None  # seconds that an answer holds its place

    async def through(self, who: str, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """`Queued` at each change of the place, then the events, which are begun when it is their turn. Raises `Busy`."""
        async with aclosing(events):
            with self._joined(who) as ticket:
                told = 0
                while place := ticket.place:
                    if place != told:
                        told = place
                        yield Queued(place, self._seconds(place))
                    await ticket.change()
                async for event in events:
                    yield event

    @contextmanager
    def _joined(self, who: str) -> Iterator[_Ticket]:
        """In the line or at a place, until the end: whoever leaves makes room, from wherever."""
        ticket = _Ticket(who)
        with self._lock:
            self._check_room(who)
            self._waiting.append(ticket)
            self._move()
        try:
            yield ticket
        finally:
            with self._lock:
                self._leave(ticket)
                self._move()

    def _check_room(self, who: str) -> None:
        """One person takes at most half of the line."""
        if self._answered.total() < self._at_once:
            return
        own = sum(ticket.who == who for ticket in self._waiting)
        if len(self._waiting) < self._limit and own < max(1, self._limit // 2):
            return
        whose = "of your questions" if len(self._waiting) < self._limit else "questions"
        seconds = self._seconds(len(self._waiting) + 1)
        sentence = f"too many {whose} are waiting already: ask again in a while"
        raise Busy(sentence, seconds) if seconds else Busy(sentence)

    def _leave(self, ticket: _Ticket) -> None:
        if ticket.begun is None:
            self._waiting.remove(ticket)
            return
        self._answered[ticket.who] -= 1
        self._answered += Counter()  # forgets who has none
        took = time.monotonic() - ticket.begun
        before = took if self._average is None else self._average
        self._average = before + _NEWEST_SHARE * (took - before)

    def _move(self) -> None:
        """Let in who is next while there is room, and tell the others where they are now."""
        line = self._line()
        while line and self._answered.total() < self._at_once:
            ticket = line[0]
            self._waiting.remove(ticket)
            self._answered[ticket.who] += 1
            ticket.begun = time.monotonic()
            ticket.move(0)
            line = self._line()
        for place, ticket in enumerate(line, start=1):
            ticket.move(place)

    def _line(self) -> list[_Ticket]:
        before = Counter(self._answered)
        ranked = []
        for number, ticket in enumerate(self._waiting):
            ranked.append((before[ticket.who], number, ticket))
            before[ticket.who] += 1
        return [ticket for _, _, ticket in sorted(ranked)]

    def _seconds(self, place: int) -> int | None:
        """Until that place's turn, as far as the last answers tell."""
        return None if self._average is None else max(1, round(self._average * place / self._at_once))


class _Ticket:
    """One question in the line; `place` counts from 1, and 0 is its turn."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.place = -1
        self.begun: float | None = None
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()

    def move(self, place: int) -> None:
        """From any thread."""
        if place == self.place:
            return
        self.place = place
        self._loop.call_soon_threadsafe(self._changed.set)

    async def change(self) -> None:
        await self._changed.wait()
        self._changed.clear()
