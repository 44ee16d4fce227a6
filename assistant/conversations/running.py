"""Answers that are being made in this process: they go on when the page that asked is gone, and any page can follow them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from assistant.ask.events import Event, Recorded
from assistant.errors import NotFound

_KEPT_SECONDS = 60.0  # after its end: the second of two clicks may come when a short answer is there already

Ask = Callable[[], AsyncGenerator[Event, None]]
Sent = tuple[str, str, str | None]  # by whom, to which conversation, with which key


class RunningAnswer:
    """One answer with all its events so far."""

    def __init__(self, sent: Sent, ask: Ask, forget: Callable[[RunningAnswer], None]) -> None:
        self.owner = sent[0]
        self.sent = sent
        self.conversation = ""  # both known when `begun` returns
        self.message = ""
        self._events: list[Event] = []
        self._forget = forget
        self._news = asyncio.Event()  # a new one for each piece of news: nobody can miss one or see one twice
        self._task = asyncio.create_task(self._run(ask))
        self._task.add_done_callback(self._end)

    @property
    def is_over(self) -> bool:
        return self._task.done()

    async def begun(self) -> None:
        """Returns when the question is kept. Raises what refused it."""
        while not self.message and not self.is_over:
            await self._news.wait()
        if not self.message and (error := self._error()):
            raise error

    async def follow(self) -> AsyncGenerator[Event, None]:
        """The events from the first one on, then as they come; raises what ended the answer, if something did."""
        seen = 0
        while True:
            while seen < len(self._events):
                yield self._events[seen]
                seen += 1
            if error := self._error():
                raise error
            if self.is_over:
                return
            await self._news.wait()

    async def stop(self) -> None:
        """Returns when the text so far is kept; the model is stopped too."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self, ask: Ask) -> None:
        async with aclosing(ask()) as events:
            async for event in events:
                if isinstance(event, Recorded):
                    self.conversation, self.message = event.conversation, event.message
                self._events.append(event)
                self._tell()

    def _error(self) -> BaseException | None:
        return self._task.exception() if self.is_over and not self._task.cancelled() else None

    def _end(self, task: asyncio.Task[None]) -> None:
        self._error()  # looked at, or asyncio would log it once more
        delay = _KEPT_SECONDS if self.message else 0.0  # what was refused may be sent again at once
        task.get_loop().call_later(delay, self._forget, self)
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class Running:
    """The answers of this process, in its one event loop; whose end stops them, and their texts so far are kept."""

    def __init__(self) -> None:
        self._answers: list[RunningAnswer] = []

    async def start(self, owner: str, place: str, key: str | None, ask: Ask) -> RunningAnswer:
        """Begin an answer, or find the one that the same owner began in the same place with the same key.

        `place` is a conversation, or that it is to be a new one. Raises what refuses the question.
        """
        sent = (owner, place, key)
        answer = next((one for one in self._answers if key and one.sent == sent), None)
        if answer is None:
            answer = RunningAnswer(sent, ask, self._answers.remove)
            self._answers.append(answer)
        await answer.begun()
        return answer

    def of(self, owner: str, conversation: str) -> RunningAnswer | None:
        """The answer that is being made in a conversation of that owner's."""
        found = (one for one in self._answers if one.owner == owner and one.conversation == conversation)
        return next((one for one in found if not one.is_over), None)

    async def stop(self, owner: str, message: str) -> None:
        """Raises `NotFound` for another's; one that is over stays as it is."""
        found = next((one for one in self._answers if one.owner == owner and one.message == message), None)
        if found is None:
            raise NotFound("this answer is not being made")
        await found.stop()
