"""The audit as lines of JSON: storage/audit/audit-YYYY-MM.jsonl, in the order of the database."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from assistant.errors import StorageError
from assistant.records.audit_record import AuditRecord, of_line

_LOCK_SECONDS = 30.0
_BLOCK = 1 << 16


class AuditFile:
    """Files of one folder. Whoever writes holds `locked`: several processes share them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tail: tuple[Path, int, AuditRecord] | None = None  # file, its size and last record, as we left it

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Raises `StorageError`, also for what its body could not write."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock", timeout=_LOCK_SECONDS):
                yield
        except Timeout as error:
            raise StorageError(f"the audit {self.folder} can't be written: another process holds its lock") from error
        except OSError as error:
            raise StorageError(f"the audit {self.folder} can't be written: {error.strerror} (storage.path)") from error
        except ValueError as error:
            raise StorageError(f"the audit {self.folder} is damaged: {error}; see `assistant audit verify`") from error

    def files(self) -> list[Path]:
        """From the oldest to the newest month."""
        return sorted(self.folder.glob("audit-????-??.jsonl"))

    def last(self) -> AuditRecord | None:
        """The newest record. Half a line, of a writer that was killed, is cut off first. Raises `ValueError`."""
        for file in reversed(self.files()):
            size = file.stat().st_size
            if self._tail and self._tail[:2] == (file, size):
                return self._tail[2]
            if line := _last_line(file):
                record = of_line(line)
                self._tail = (file, file.stat().st_size, record)
                return record
        return None

    def append(self, records: Sequence[AuditRecord]) -> None:
        """On the disk when it returns: a power cut takes nothing back."""
        files = self.files()
        for file, lines in _by_file(records, files[-1].name if files else ""):
            path = self.folder / file
            is_new = not path.exists()
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                _write(descriptor, "".join(lines).encode())
                os.fdatasync(descriptor)
                size = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
            if is_new:
                _sync_folder(self.folder)
            self._tail = (path, size, records[-1])

    def records(self, after: int = 0) -> Iterator[AuditRecord]:
        """Those with higher numbers, as they stand there. Raises `ValueError`."""
        for file in self.files():
            for _, line in lines_of(file):
                record = of_line(line)
                if record.number > after:
                    yield record

    def set_aside(self) -> list[str]:
        """Rename all files, which say something else than the database; their new names."""
        moment = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
        aside = []
        for file in self.files():
            aside.append(f"{file.name}.{moment}")
            file.rename(file.with_name(aside[-1]))
        self._tail = None
        return aside


def lines_of(file: Path, size: int | None = None) -> Iterator[tuple[int, str]]:
    """Number and text of each line within that many bytes; also of half a line at the end."""
    done = 0
    with file.open("rb") as content:
        for number, line in enumerate(content, start=1):
            done += len(line)
            if size is not None and done > size:
                return
            yield number, line.decode("utf-8", "backslashreplace").removesuffix("\n")


def _by_file(records: Iterable[AuditRecord], newest: str) -> Iterator[tuple[str, list[str]]]:
    """Lines by month; a clock that was put back writes on in the newest file, so that the order stays."""
    found: dict[str, list[str]] = {}
    for record in records:
        newest = max(newest, f"audit-{record.at[:7]}.jsonl")
        found.setdefault(newest, []).append(f"{record.line()}\n")
    yield from found.items()


def _last_line(file: Path) -> str:
    with file.open("rb+") as content:
        end = content.seek(0, os.SEEK_END)
        tail = b""
        while end and tail.count(b"\n") < 2:
            start = max(0, end - _BLOCK)
            content.seek(start)
            tail = content.read(end - start) + tail
            end = start
        whole, _, torn = tail.rpartition(b"\n")
        if torn:
            content.truncate(content.seek(0, os.SEEK_END) - len(torn))
        return whole.rpartition(b"\n")[2].decode("utf-8", "backslashreplace")


def _write(descriptor: int, data: bytes) -> None:
    """All of it or, with the file as it was, an error."""
    before = os.fstat(descriptor).st_size
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        os.ftruncate(descriptor, before)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
