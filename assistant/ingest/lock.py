"""One ingest at a time for a storage folder; a second one waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from assistant.errors import StorageError

Lock = Callable[[Callable[[], None] | None], AbstractContextManager[None]]


@contextmanager
def one_at_a_time(file: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock; `waiting` is called once if somebody else has it. The system frees it when its holder dies."""
    from filelock import FileLock, Timeout

    lock = FileLock(file)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if waiting:
                waiting()
            lock.acquire()
    except OSError as error:
        raise StorageError(f"{file} can't be written: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()
