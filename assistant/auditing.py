"""What of asking, searching and opening is written into the audit: nothing is given out before its record is there."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from assistant import __version__, resources
from assistant.access.principal import LOCAL_OPERATOR, Principal
from assistant.ask.events import Event, Finished, Source, Sources, Step, documents_of
from assistant.errors import AssistantError, InvalidQuestion
from assistant.records.audit import Audit
from assistant.settings import Settings

if TYPE_CHECKING:
    from assistant.ask.retrieval import Retrieved
    from assistant.records.tables import DocumentRow

log = structlog.get_logger("assistant.audit")
_ID_CHARS = 80  # of what should be an id, and may be anything as long as it was not looked for


class Auditing:
    """Around what `Assistant` does. Records are written by threads: the event loop is free meanwhile."""

    def __init__(self, audit: Audit, *, store_questions: bool) -> None:
        self._audit = audit
        self._store_questions = store_questions

    async def answer(
        self, question: str, principal: Principal, conversation: str | None, answering: AsyncGenerator[Event, None]
    ) -> AsyncGenerator[Event, None]:
        """The events of an answer, which begins when the question is recorded. Raises `StorageError`.

        What was found is recorded before the first word of it goes out; at the end, however it ends, what was shown.
        """
        place = {"conversation": conversation[:_ID_CHARS]} if conversation else {}
        asked = await self._record("question", principal, **self._words(question), **place)
        shown: list[Source] = []
        end = partial(self._end, principal, asked, shown)
        is_over = False
        try:
            async with aclosing(answering) as events:
                async for event in events:
                    match event:
                        case Step():
                            found = documents_of(event.found)
                            await self._record("answer.retrieved", principal, question=asked, documents=found)
                        case Sources():
                            shown += event.sources
                        case Finished():
                            shown += event.nearest
                            is_over = True
                            await end("answer.shown", **_finished(event))
                    yield event
        except Exception as error:
            if not is_over:
                await end("answer.failed", error=type(error).__name__)
            raise
        except BaseException:  # whoever asked has left, or stopped it
            if not is_over:
                await end("answer.stopped")
            raise

    async def search(
        self, question: str, principal: Principal, retrieving: Coroutine[Any, Any, Retrieved]
    ) -> Retrieved:
        """What was found, when that is recorded. Raises `StorageError`.

        Of a question that is none (it may be as long as a request) nothing is kept: the audit only grows.
        """
        try:
            found = await retrieving
        except InvalidQuestion:
            raise
        except AssistantError as error:
            await self._record("search", principal, **self._words(question), error=type(error).__name__)
            raise
        documents = documents_of(found.sources)
        await self._record("search", principal, **self._words(question), documents=documents)
        return found

    def opened(self, principal: Principal, row: DocumentRow, part: str) -> None:
        """`part` is what of it: its text, a page, the file. Raises `StorageError`."""
        self._audit.record(
            "document.opened",
            principal,
            document=row.id,
            version=row.version,
            sha256=row.sha256,
            path=row.path,
            part=part,
        )

    def started(self, settings: Settings, what: str) -> None:
        """With which settings: a fingerprint of all of them, secrets masked, and the ways in; and what groups give, for
        `access.file` may have changed while nobody looked at it. Raises `StorageError`.
        """
        auth = settings.auth
        ways = ["local"] if auth.local.enabled else []
        ways += [way.name for way in auth.ldap] + [way.name for way in auth.oidc]
        masked = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
        fingerprint = hashlib.sha256(masked.encode()).hexdigest()
        file = resources.locate(settings.access.file)
        groups = hashlib.sha256(file.read_bytes()).hexdigest() if file else ""
        details = {"what": what, "version": __version__, "ways": ways, "settings": fingerprint, "access_file": groups}
        self._audit.record("config.start", LOCAL_OPERATOR, **details)

    def access_file(self, file: Path, fingerprint: str) -> None:
        """What groups give is another thing from now on. Raises `StorageError`."""
        self._audit.record("access.changed", None, file=str(file), sha256=fingerprint)

    def _words(self, question: str) -> dict[str, Any]:
        """No hash in their place: a short question is soon guessed from one."""
        return {"text": question} if self._store_questions else {"characters": len(question)}

    async def _record(self, kind: str, who: Principal, **details: Any) -> int:
        return await asyncio.to_thread(self._audit.record, kind, who, **details)

    async def _end(self, who: Principal, asked: int, shown: Sequence[Source], kind: str, **details: Any) -> None:
        """Written by a thread that goes on when this task is cancelled: that is how a client leaves."""
        documents = documents_of(shown)
        writing = asyncio.ensure_future(self._record(kind, who, question=asked, documents=documents, **details))
        writing.add_done_callback(_report)
        await asyncio.shield(writing)


def _finished(event: Finished) -> dict[str, Any]:
    cited = list(dict.fromkeys(source.passage.document for source in event.cited))
    kept = {"conversation": event.conversation, "message": event.message} if event.conversation else {}
    return {"cited": cited, "model": event.model, "grounded": event.grounded, **kept}


def _report(writing: asyncio.Future[int]) -> None:
    if not writing.cancelled() and (error := writing.exception()) is not None:
        log.error("the end of an answer was not recorded", reason=str(error))
