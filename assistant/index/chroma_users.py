"""Who uses the Chroma server of a storage folder, asked of the kernel and not of files that a crash leaves behind.

Every user holds `chroma-users.lock` shared; the lock is gone the moment its process is, however that ended. Who can
take it exclusively is the only user left. Starting, joining and leaving take turns under `chroma-change.lock`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assistant.errors import ChromaUnavailable, StorageError


def unwritable(path: Path, why: object) -> StorageError:
    return StorageError(f"Can't write to {path} ({why}): give this account the right to, or set storage.path")


def lock_file(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise unwritable(path, error.strerror) from error


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Takes the lock if it is free; never waits."""
    import fcntl  # not on Windows, where only `chroma.mode: server` works

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StorageError(f"No file locks on this disk ({error}): put storage.path on a local one") from error
    return True


def unlock(descriptor: int) -> None:
    """Frees the lock and closes. Closing alone is not enough: a forked child has a copy of the descriptor."""
    import fcntl

    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


class Users:
    """One user's place among all users. Everything but `turn` and `forget` is called inside a turn."""

    def __init__(self, folder: Path, patience: float) -> None:
        self._folder, self._patience = folder, patience
        self._place: int | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Alone among all threads and processes; waits for as long as somebody else's start may take."""
        descriptor = lock_file(self._folder / "chroma-change.lock")
        try:
            deadline = time.monotonic() + self._patience
            while not try_lock(descriptor):
                if time.monotonic() > deadline:
                    raise ChromaUnavailable(
                        f"Another process has been starting or stopping Chroma for {self._patience:.0f} s: try again, "
                        f"or see who holds {self._folder / 'chroma-change.lock'}"
                    )
                time.sleep(0.02)
            yield
        finally:
            unlock(descriptor)

    @property
    def joined(self) -> bool:
        return self._place is not None

    def join(self) -> None:
        if self._place is None:
            self._place = lock_file(self._folder / "chroma-users.lock")
            try_lock(self._place, shared=True)  # free: exclusively it is held within a turn only

    def is_last(self) -> bool:
        """Whether no other user lives. The place is kept either way."""
        if self._place is None:
            return False
        last = try_lock(self._place)
        try_lock(self._place, shared=True)
        return last

    def leave(self) -> None:
        if self._place is not None:
            unlock(self._place)
        self._place = None

    def forget(self) -> None:
        """In a forked child: to unlock would end the parent's place."""
        if self._place is not None:
            os.close(self._place)
        self._place = None


def replace_file(path: Path, text: str) -> None:
    """Whole or not at all: a reader never sees half a file."""
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise unwritable(path, error.strerror) from error
