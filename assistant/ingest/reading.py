"""Reading in worker processes with limits: a file that hangs, crashes or eats memory costs only itself.

A document's text is read in one task, its pages without usable text are recognised in further ones of a few pages each:
so a long scan is spread over all cores, and each piece has a time limit of its own.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from assistant.errors import AssistantError, DocumentError
from assistant.ingest import worker
from assistant.ingest.isolation import folder_of_workers, isolate
from assistant.ingest.pipeline import ReaderChoice
from assistant.parts.ocr_data import OCR_IS_OFF
from assistant.settings import Ingest

if TYPE_CHECKING:
    from pebble import ProcessFuture, ProcessPool

    from assistant.parts.readers import Part, Reading

_LONGEST = 500  # characters of a reason
_PAGES_A_TASK = 4  # recognised at once
_AHEAD = 32  # files a worker that are read before their results are taken …
_AHEAD_BYTES = 64 << 20  # … if they are small
_WAITING = 64  # documents whose text is held while their pictures wait to be recognised
_TICK = 0.5  # seconds
_GRACE = 120.0  # seconds beyond the longest time limit, until files without a result mean that reading is stuck


@dataclass(frozen=True)
class ReadTask:
    """One file to be read; `key` comes back with the result."""

    key: str
    location: Path
    reader: ReaderChoice
    size: int = 0  # bytes


@dataclass(frozen=True)
class Page:
    """Markdown of a page, sheet or slide (label as printed or counted), or of a whole document without such."""

    label: str | None
    text: str
    kind: str = "page"
    confidence: float | None = None  # of OCR, 0-100; None: not by OCR
    repaired: int = 0  # words whose Latin look-alikes were put back into Cyrillic


@dataclass(frozen=True)
class ReadResult:
    key: str
    pages: list[Page]
    properties: dict[str, Any] = field(default_factory=dict)  # what the file says of itself: title, author, date …
    error: str | None = None
    warning: str | None = None  # what could not be read of it
    passing: bool = False  # the error or warning is the system's doing: the next run tries again


@dataclass
class _Document:
    """A document on its way: what was read of it, and its pictures that still wait."""

    task: ReadTask
    job: worker.Job
    reading: Reading | None = None
    recognised: list[Part] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    passing: bool = False  # one of them is the system's doing
    open_pictures: int = 0
    crashes: int = 0


@dataclass
class _Step:
    """One task of a worker: the whole document, or some of its pictures."""

    document: _Document
    pictures: list[int]  # empty: read it


Tick = Callable[[str, float], None]  # the document that has been under way longest, and for how many seconds


def read_all(
    tasks: Iterable[ReadTask], *, settings: Ingest, cache: Path | None = None, tick: Tick | None = None
) -> Iterator[ReadResult]:
    """Results as they are done; a bounded number is under way, so memory stays flat. Text goes before pictures."""
    queue = iter(tasks)
    first = next(queue, None)
    if first is None:
        return
    workers = settings.workers or os.cpu_count() or 1
    with folder_of_workers(cache) as temporary:
        pool = _pool(workers, settings, temporary)
        try:
            yield from _Reader(pool, settings, cache, workers).run(first, queue, tick)
        finally:
            pool.stop()  # not close: whoever stops taking results does not wait for the files under way
            pool.join()


def _pool(workers: int, settings: Ingest, temporary: str) -> ProcessPool:
    import multiprocessing

    from pebble import ProcessPool

    # spawn: a fork would inherit the parent's threads, locks and database connections
    return ProcessPool(
        max_workers=workers,
        max_tasks=2000,
        initializer=isolate,
        initargs=[settings.limits.memory_mb, temporary],
        context=multiprocessing.get_context("spawn"),
    )


class _Reader:
    def __init__(self, pool: ProcessPool, settings: Ingest, cache: Path | None, workers: int) -> None:
        self._pool = pool
        self._settings = settings
        self._cache = str(cache) if cache else None
        self._workers = workers
        self._running: dict[ProcessFuture, _Step] = {}
        self._pictures: deque[_Step] = deque()
        self._waiting = 0  # documents with pictures
        self._idle = 0.0  # seconds without a result
        self._oldest: tuple[_Step | None, float] = (None, 0.0)

    def run(self, first: ReadTask, queue: Iterator[ReadTask], tick: Tick | None) -> Iterator[ReadResult]:
        upcoming: ReadTask | None = first
        while True:
            while self._has_room() and (upcoming or self._pictures):
                if upcoming is not None and (self._waiting < _WAITING or not self._pictures):
                    self._start(_Step(_Document(upcoming, self._job(upcoming)), []))
                    upcoming = next(queue, None)
                else:
                    self._start(self._pictures.popleft())
            if not self._running:
                return
            done, _ = wait(self._running, timeout=_TICK, return_when=FIRST_COMPLETED)
            self._watch(idle=not done)
            for future in [one for one in self._running if one in done]:  # of several in the order they were begun
                result = self._finished(future, self._running.pop(future))
                if result is not None:
                    yield result
            if tick and self._running:
                tick(*self._slowest())

    def _watch(self, *, idle: bool) -> None:
        """A worker that is killed while it sends a result keeps the lock on the pipe, and nothing comes any more."""
        self._idle = self._idle + _TICK if idle else 0.0
        longest = max(self._settings.limits.seconds, self._settings.limits.ocr_page_seconds * _PAGES_A_TASK)
        if idle and (self._idle > longest + _GRACE or not self._pool.active):
            raise _broken()

    def _has_room(self) -> bool:
        under_way = len(self._running)
        if under_way < 2 * self._workers:
            return True
        sizes = sum(step.document.task.size for step in self._running.values())
        return under_way < _AHEAD * self._workers and sizes < _AHEAD_BYTES

    def _slowest(self) -> tuple[str, float]:
        """The document that was handed out first, and for how long it has been that."""
        step = next(iter(self._running.values()))
        if self._oldest[0] is not step:
            self._oldest = step, monotonic()
        return step.document.task.key, monotonic() - self._oldest[1]

    def _job(self, task: ReadTask) -> worker.Job:
        return worker.Job(
            location=str(task.location),
            reader=task.reader.name,
            options=task.reader.options,
            limits=self._settings.limits.model_dump(),
            ocr=self._settings.ocr.model_dump(mode="json"),
            passwords=tuple(password.get_secret_value() for password in self._settings.passwords),
            cache=self._cache,
        )

    def _start(self, step: _Step) -> None:
        limits, job, pictures = self._settings.limits, step.document.job, step.pictures
        seconds = limits.ocr_page_seconds * len(pictures) if pictures else limits.seconds
        schedule = partial(self._pool.schedule, timeout=seconds)
        try:
            future = schedule(worker.recognise, [job, pictures]) if pictures else schedule(worker.read, [job])
        except RuntimeError as error:
            raise _broken() from error
        self._running[future] = step

    def _finished(self, future: ProcessFuture, step: _Step) -> ReadResult | None:
        """The document's result, if this was the last of it."""
        from pebble import ProcessExpired

        document = step.document
        try:
            found = future.result()
        except ProcessExpired:
            document.crashes += 1
            if document.crashes == 1:  # it may have been the one before it that broke the worker
                self._start(step)
                return None
            return self._failed(step, "the reader crashed on it")
        except FutureTimeoutError:
            return self._failed(step, self._too_slow(step))
        except MemoryError:
            limit = self._settings.limits.memory_mb
            return self._failed(step, f"reading needs more than {limit} MB (ingest.limits.memory_mb)")
        except worker.PassingTrouble as error:
            document.passing = True
            return self._failed(step, str(error))
        except DocumentError as error:
            return self._failed(step, str(error))
        except BrokenProcessPool as error:  # no file's doing: none of them is noted as failed
            raise _broken() from error
        except Exception as error:  # noqa: BLE001 - what it is could not be said through the pipe
            return self._failed(step, f"the reader failed on it: {type(error).__name__}: {error}"[:_LONGEST])
        if step.pictures:
            document.recognised += found
            return self._less(document, len(step.pictures))
        document.reading = found
        return self._queue_pictures(document)

    def _queue_pictures(self, document: _Document) -> ReadResult | None:
        assert document.reading is not None
        document.problems += document.reading.lacking
        pictures = [part.picture for part in document.reading.parts if part.picture is not None]
        if pictures and not self._settings.ocr.enabled:
            document.problems.append(OCR_IS_OFF)
        if not pictures or not self._settings.ocr.enabled:
            return _result(document)
        document.open_pictures = len(pictures)
        self._waiting += 1
        for start in range(0, len(pictures), _PAGES_A_TASK):
            self._pictures.append(_Step(document, pictures[start : start + _PAGES_A_TASK]))
        return None

    def _failed(self, step: _Step, reason: str) -> ReadResult | None:
        document = step.document
        if not step.pictures:
            return ReadResult(document.task.key, [], error=reason, passing=document.passing)
        if len(step.pictures) > 1:  # only the page that is at fault is lost
            self._pictures.extend(_Step(document, [picture]) for picture in step.pictures)
            return None
        if reason not in document.problems:
            document.problems.append(reason)
        return self._less(document, 1)

    def _less(self, document: _Document, pictures: int) -> ReadResult | None:
        document.open_pictures -= pictures
        if document.open_pictures:
            return None
        self._waiting -= 1
        return _result(document)

    def _too_slow(self, step: _Step) -> str:
        limits = self._settings.limits
        if step.pictures:
            return (
                f"recognition took longer than {limits.ocr_page_seconds:.0f} s a page (ingest.limits.ocr_page_seconds)"
            )
        return f"reading took longer than {limits.seconds:.0f} s (ingest.limits.seconds)"


def _result(document: _Document) -> ReadResult:
    from assistant.parts.readers.base import with_recognised

    assert document.reading is not None
    parts = with_recognised(document.reading.parts, document.recognised)
    pages = [Page(part.label, part.text, part.kind, part.confidence, part.repaired) for part in parts]
    problem = "; ".join(document.problems)[:_LONGEST]
    passing = document.passing and bool(problem)  # else each page was recognised at its second try
    if not any(page.text.strip() for page in pages):
        return ReadResult(document.task.key, [], error=problem or _NO_TEXT, passing=passing)
    warning = f"not all of it could be read: {problem}" if problem else None
    return ReadResult(document.task.key, pages, document.reading.properties, None, warning, passing)


def _broken() -> AssistantError:
    return AssistantError(
        "the processes that read files ended or do not answer (is the machine out of memory? lower ingest.workers); "
        "run the same command again"
    )


_NO_TEXT = "no text was found in it (empty, or pictures without text)"
