"""Pages of PDFs for the people who read an answer's sources, drawn in worker processes: a PDF may be hostile.

The same walls as for reading: no network, bounded memory and time. The processes start with the first page that somebody
opens, and are made anew when one of them hangs or dies.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, TypeVar

from assistant.errors import DocumentError, NotFound
from assistant.ingest import worker
from assistant.ingest.isolation import isolate
from assistant.settings import Ingest

if TYPE_CHECKING:
    from pebble import ProcessPool

    from assistant.parts.pdf_view import PageView

_WORKERS = 2  # one that is busy with a hostile file does not keep the others' pages waiting
_SECONDS = 15.0  # for one page
_PATIENCE = 90.0  # with those before it: eight at once (web/documents.py), two by two
_MEMORY_MB = 2048  # of address space
_TASKS = 500  # of one process: PDFium keeps fonts

T = TypeVar("T")


class NotDrawn(DocumentError):
    """The page could not be drawn, or not in time."""


class Drawing:
    """One for the whole service; holds no state of any user. What may be seen is checked by its caller."""

    def __init__(self, settings: Ingest) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None
        self._closed = False

    def look(self, location: str, sha256: str, shown: int, place: int, passage: str) -> PageView:
        """Page `shown` and the boxes over the passage that begins on page `place`, both from 1.

        Raises `FileChanged` for another content than `sha256`, `NotFound` for a page that is not there, and `DocumentError`.
        """
        return self._run(worker.look, self._sheet(location, sha256), shown, place, passage)

    def draw(self, location: str, sha256: str, number: int) -> bytes:
        """Page `number` as WebP. Raises as `look` does."""
        return self._run(worker.draw, self._sheet(location, sha256), number)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        _stop(pool)

    def _sheet(self, location: str, sha256: str) -> worker.Sheet:
        passwords = tuple(password.get_secret_value() for password in self._settings.passwords)
        return worker.Sheet(location, sha256, passwords)

    def _run(self, task: Callable[..., T], *arguments: Any) -> T:
        from pebble import ProcessExpired

        pool = self._started()
        try:
            future = pool.schedule(task, args=list(arguments), timeout=_SECONDS)
        except RuntimeError as error:
            self._forget(pool)
            raise NotDrawn("the page could not be drawn: try again") from error
        try:
            result: T = future.result(timeout=_PATIENCE)
        except ProcessExpired as error:
            raise NotDrawn("the page could not be drawn: the drawing crashed on it") from error
        except FutureTimeoutError as error:
            if not future.done():  # not this page's doing: the processes do not answer any more
                self._forget(pool)
            raise NotDrawn("the page could not be drawn in time") from error
        except MemoryError as error:
            raise NotDrawn("the page could not be drawn: it needs too much memory") from error
        except (DocumentError, NotFound):
            raise
        except (RuntimeError, OSError) as error:  # the pool was stopped, or its pipe broke
            self._forget(pool)
            raise NotDrawn("the page could not be drawn: try again") from error
        return result

    def _started(self) -> ProcessPool:
        import multiprocessing

        from pebble import ProcessPool

        with self._lock:
            if self._closed:
                raise NotDrawn("the page could not be drawn: the assistant is stopping")
            if self._pool is None or not self._pool.active:
                self._pool = ProcessPool(
                    max_workers=_WORKERS,
                    max_tasks=_TASKS,
                    initializer=isolate,
                    initargs=[min(_MEMORY_MB, self._settings.limits.memory_mb)],
                    context=multiprocessing.get_context("spawn"),  # a fork would inherit threads, locks, connections
                )
            return self._pool

    def _forget(self, pool: ProcessPool) -> None:
        """The next page starts new processes."""
        with self._lock:
            if self._pool is pool:
                self._pool = None
        _stop(pool)


def _stop(pool: ProcessPool | None) -> None:
    if pool is not None:
        pool.stop()
        pool.join()
