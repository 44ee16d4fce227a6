"""An exchange is kept while it happens: the question before it is answered, the answer when it ends, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import structlog

from assistant.ask.events import Event, Finished, Notice, Recorded, Source, Sources, Step, Token, Turn
from assistant.conversations.stored import stored_source
from assistant.errors import Busy, StorageError
from assistant.records.conversations import FAILED, FINISHED, STOPPED, AnswerColumns, Conversations
from assistant.records.tables import MessageRow

log = structlog.get_logger("assistant.conversations")

BEAT_SECONDS = 5.0  # a sign of life, with the text so far: what a killed server had said is not lost

Stream = Callable[[Sequence[Turn]], AsyncGenerator[Event, None]]


class Recording:
    """One message that is being answered."""

    def __init__(
        self, talks: Conversations, owner: str, row: MessageRow, versions: dict[str, Any], *, is_first: bool
    ) -> None:
        self._talks = talks
        self._owner = owner
        self._row = row
        self._versions = versions
        self._is_first = is_first  # of a conversation that was made for it
        self._text: list[str] = []
        self._found: tuple[Source, ...] = ()
        self._given: tuple[Source, ...] = ()
        self._notices: list[Notice] = []
        self._searched = ""
        self._error = ""
        self._finished: Finished | None = None

    async def run(self, stream: Stream, history: Sequence[Turn]) -> AsyncGenerator[Event, None]:
        """The stream's events with the message's ids. Whoever leaves early has stopped it; the text so far stays."""
        beat = asyncio.create_task(self._beat())
        status: str | None = STOPPED
        is_told = False
        try:
            async with aclosing(stream(history)) as events:
                async for event in events:
                    if not is_told:  # a refusal comes before everything
                        is_told = True
                        yield Recorded(self._row.conversation_id, self._row.id)
                    self._take(event)
                    if isinstance(event, Finished):
                        status = FINISHED
                        await self._end(status)
                        event = replace(event, conversation=self._row.conversation_id, message=self._row.id)
                    yield event
        except Busy:
            status = None  # as if it had not been sent
            discard = partial(self._talks.discard, with_conversation=self._is_first)
            await asyncio.to_thread(discard, self._owner, self._row.id)
            raise
        except Exception as error:
            if status != FINISHED:
                status, self._error = FAILED, type(error).__name__
            raise
        finally:
            beat.cancel()
            if status not in (FINISHED, None):
                await self._end(status)

    def _take(self, event: Event) -> None:
        match event:
            case Step():
                self._searched, self._found = event.question, event.found
            case Notice():
                self._notices.append(event)
            case Sources():
                self._given = event.sources
            case Token():
                self._text.append(event.text)
            case Finished():
                self._finished = event

    def _columns(self) -> AnswerColumns:
        given = {source.n for source in self._given}
        cited = {source.n for source in self._finished.cited} if self._finished else set()
        nearest = {source.n for source in self._finished.nearest} if self._finished else set()
        columns: AnswerColumns = {
            "searched": self._searched,
            "answer": self._finished.answer if self._finished else "".join(self._text).strip(),
            "error": self._error,
            "sources": [
                stored_source(source, given=source.n in given, cited=source.n in cited, nearest=source.n in nearest)
                for source in self._found or self._given
            ],
            "notices": [asdict(notice) for notice in self._notices],
            "versions": self._versions,
        }
        if self._finished:
            columns["model"] = self._finished.model[:200]
            columns["is_grounded"] = self._finished.grounded
            columns["timings"] = self._finished.timings_ms
            columns["unsupported"] = [[span.start, span.end] for span in self._finished.unsupported]
        return columns

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            with contextlib.suppress(StorageError):  # the end is written in any case, and says if it could not be
                await asyncio.to_thread(self._talks.note, self._owner, self._row.id, self._columns())

    async def _end(self, status: str) -> None:
        """Written by a thread that goes on when this task is cancelled: that is how a client leaves."""
        work = partial(self._talks.end, self._owner, self._row.id, status, self._columns())
        writing = asyncio.get_running_loop().run_in_executor(None, work)
        writing.add_done_callback(_report)
        await asyncio.shield(writing)


def _report(writing: asyncio.Future[bool]) -> None:
    if not writing.cancelled() and (error := writing.exception()) is not None:
        log.error("an answer was not kept", reason=str(error))
