"""Whether the audit is whole: the chain in the database, its head, and the lines of JSON beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.records.audit_file import lines_of
from assistant.records.audit_record import NO_HASH, AuditRecord, of_line

if TYPE_CHECKING:
    from assistant.records.audit import Audit, Head

_NEAR = 1000  # numbers on both sides among which the place of a moved record is looked for
_PLACED = 200  # problems up to which it is: two thousand hashes each would take hours where a whole table was changed
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Problem:
    """What is wrong with a record; `number` is None for what is about a whole file."""

    number: int | None
    what: str
    at: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Verified:
    records: int
    head: Head
    problems: tuple[Problem, ...]


def verify(audit: Audit) -> Verified:
    """Reads all of it, and changes nothing. What is written meanwhile is not looked at. Raises `StorageError`."""
    head, sizes = _settled(audit)
    lines = _Lines(sizes)
    problems: list[Problem] = []
    before, was_whole = AuditRecord(0, "", "", "", "", "", "{}", "", NO_HASH), True
    count = 0
    for record in audit.records():
        if record.number > head.number and audit.head().number >= record.number:
            break  # written since then
        count += 1
        problems += _gap(before, record.number, lines)
        is_whole = _is_whole(record)
        if not is_whole:
            place = _place_of(record) if len(problems) < _PLACED else None
            what = f"was moved: it was written as record {place}" if place else "was changed: its hash is another"
            problems.append(_of(record, what))
        elif was_whole and record.previous != before.hash and record.number == before.number + 1:
            what = f"does not follow record {before.number}: one of the two was replaced together with its hash"
            problems.append(_of(record, what))
        problems += lines.compare(record)
        before, was_whole = record, is_whole
    problems += _gap(before, head.number + 1, lines)
    if before.number == head.number and before.hash != head.hash:
        problems.append(_of(before, "is not the one that the head was of: it was changed with its hash"))
    if before.number > head.number:
        problems.append(_of(before, f"is behind the head, {head.number}: it was added by hand, or the head changed"))
    problems += lines.rest()
    return Verified(count, head, tuple(problems))


def _settled(audit: Audit) -> tuple[Head, list[tuple[Path, int]]]:
    """Head and files of one moment: what the database has already, the file gets within it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with audit.file.locked():
            head = audit.head()
            sizes = [(file, file.stat().st_size) for file in audit.file.files()]
            last = None
            with suppress(ValueError):
                last = audit.file.last()
        if time.monotonic() > deadline or (last is not None and last.number >= head.number) or not head.number:
            return head, sizes
        time.sleep(0.2)


def _gap(before: AuditRecord, number: int, lines: _Lines) -> Iterator[Problem]:
    """Records that are not in the table; what the file says of them."""
    first = before.number + 1
    if number - first > _NEAR:
        yield Problem(first, f"and all records up to {number - 1} are missing in the database")
        return
    for missing in range(first, number):
        found = lines.skipped(missing)
        where = "the file still has it" if found else "the file has not got it either"
        what = f"is missing in the database: it was removed ({where})"
        yield Problem(missing, what, found.at if found else "", found.kind if found else "")


def _is_whole(record: AuditRecord) -> bool:
    try:
        return record.made_hash() == record.hash
    except ValueError:  # its details are no JSON any more
        return False


def _place_of(record: AuditRecord) -> int | None:
    """The number with which the hash is right."""
    numbers = range(max(1, record.number - _NEAR), record.number + _NEAR + 1)
    with suppress(ValueError):
        return next((n for n in numbers if replace(record, number=n).made_hash() == record.hash), None)
    return None


class _Lines:
    """The lines of the files, beside the records of the table."""

    def __init__(self, sizes: list[tuple[Path, int]]) -> None:
        self._found: list[Problem] = []
        self._lines = self._read(sizes)
        self._next = next(self._lines, None)

    def compare(self, record: AuditRecord) -> Iterator[Problem]:
        """The record's line must be there and say the same."""
        if self._next is None or self._next.number > record.number:
            yield from self._drained()
            yield _of(record, "is missing in the file")
            return
        if self._next.number == record.number:
            if self._next != record:
                yield _of(record, "says something else in the file than in the database")
            self._go_on()
        yield from self._drained()

    def skipped(self, number: int) -> AuditRecord | None:
        """The line of a record that the table has not got."""
        if self._next is None or self._next.number != number:
            return None
        found = self._next
        self._go_on()
        return found

    def rest(self) -> Iterator[Problem]:
        """Lines behind the table's last record, and what was wrong with lines."""
        while self._next is not None:
            yield _of(self._next, "is in the file, and the database's head is before it: its end was cut off")
            self._go_on()
        yield from self._drained()

    def _go_on(self) -> None:
        self._next = next(self._lines, None)

    def _drained(self) -> Iterator[Problem]:
        found, self._found = self._found, []
        yield from found

    def _read(self, sizes: list[tuple[Path, int]]) -> Iterator[AuditRecord]:
        """Those in order; the others become problems."""
        last = 0
        for file, size in sizes:
            for number, line in lines_of(file, size):
                try:
                    record = of_line(line)
                except ValueError:
                    self._found.append(Problem(None, f"{file.name}, line {number}: no record"))
                    continue
                if record.number != last + 1 and record.made_hash() != record.hash:
                    self._found.append(_of(record, f"was changed in {file.name}, line {number}"))
                    continue
                if record.number <= last:
                    self._found.append(_of(record, f"stands in the wrong place in {file.name}, line {number}"))
                    continue
                last = record.number
                yield record


def _of(record: AuditRecord, what: str) -> Problem:
    return Problem(record.number, what, record.at, record.kind)
