"""Loading of documents that was asked for on the page: one source after the other, beside the page."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from assistant.access.caller import ADDRESS
from assistant.access.principal import Principal
from assistant.assistant import Assistant
from assistant.errors import AssistantError
from assistant.ingest.progress import IngestProgress
from assistant.ingest.report import IngestReport
from assistant.web.background import in_background

log = structlog.get_logger("assistant.web")


@dataclass(frozen=True)
class Outcome:
    """How the last run of a source ended: a report, or why there is none."""

    at: datetime
    report: IngestReport | None = None
    problem: str = ""
    error_id: str = ""


@dataclass(frozen=True)
class Running:
    source: str
    progress: IngestProgress | None = None
    waits: bool = False  # for an ingest that somebody else runs


class Loading:
    """One for the server. It never accepts mass deletions: that is for whoever sits at the machine."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._lock = threading.Lock()
        self._asked: list[tuple[str, Principal, str]] = []  # with the address
        self._outcomes: dict[str, Outcome] = {}
        self.running: Running | None = None

    def ask_for(self, source: str, who: Principal) -> None:
        """Run the source's pipeline now, or after what runs; a run under way may have looked at the folder already."""
        with self._lock:
            if all(source != asked for asked, _, _ in self._asked):
                self._asked.append((source, who, ADDRESS.get()))
            if self.running is None:
                self._start()

    def waiting(self) -> list[str]:
        with self._lock:
            return [source for source, _, _ in self._asked]

    def outcomes(self) -> dict[str, Outcome]:
        with self._lock:
            return dict(self._outcomes)

    def _start(self) -> None:
        """With the lock held."""
        source, who, address = self._asked.pop(0)
        self.running = Running(source)
        in_background(lambda: self._run(source, who, address), lambda done: self._ended(source, done))

    def _run(self, source: str, who: Principal, address: str) -> None:
        ADDRESS.set(address)  # this thread knows nothing of the request

        def waits() -> None:
            self.running = Running(source, waits=True)

        def progress(now: IngestProgress) -> None:
            self.running = Running(source, progress=now)

        try:
            report = self._assistant.ingest(source, who=who, progress=progress, waiting=waits)
            self._note(source, Outcome(_now(), report=report))
        except AssistantError as error:
            log.error("documents were not loaded", source=source, reason=str(error))
            self._note(source, Outcome(_now(), problem=str(error)))

    def _ended(self, source: str, done: Future[None]) -> None:
        error = done.exception()
        if error is not None:
            error_id = secrets.token_hex(4)
            log.error("unexpected error", error_id=error_id, source=source, exc_info=error)
            self._note(source, Outcome(_now(), error_id=error_id))
        with self._lock:
            self.running = None
            if self._asked:
                self._start()

    def _note(self, source: str, outcome: Outcome) -> None:
        with self._lock:
            self._outcomes[source] = outcome


def _now() -> datetime:
    return datetime.now(UTC)
