"""The audit: what was done, by whom, in the order in which it happened; each record is chained to the one before it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from assistant.access.caller import ADDRESS
from assistant.access.principal import LOCAL_OPERATOR, Principal
from assistant.errors import StorageError
from assistant.records.account_tables import AuditEventRow, AuditHeadRow
from assistant.records.audit_check import Verified, verify
from assistant.records.audit_file import AuditFile
from assistant.records.audit_record import AuditRecord, canonical, of_row
from assistant.records.database import AFTER_COMMIT, Database
from assistant.records.texts import storable

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = structlog.get_logger("assistant.audit")

_WAIT_SECONDS = 60.0  # for other threads of this process
_PART = 1000  # records that are read or written at once
_NO_HEAD = "the database's row in audit_head is gone: somebody changed the audit; see docs/audit.md"


class Noting(Protocol):
    """Writes a record within somebody's transaction; what is known only there is given there."""

    def __call__(self, session: Session, **more: Any) -> None: ...


@dataclass(frozen=True)
class Head:
    """The newest record's number and hash: kept elsewhere, they show whether the end was cut off later."""

    number: int
    hash: str


@dataclass(frozen=True)
class _Waiting:
    """A record on its way."""

    kind: str
    actor_id: str
    actor: str
    address: str
    details: str
    written: Future[int] = field(default_factory=Future)


class Audit:
    """Written to the database and to a file; a record is written when both have it, and only then."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.file = AuditFile(folder)
        self._waiting: list[_Waiting] = []
        self._queue = Lock()
        self._writing = Lock()
        self._is_mended = False

    def record(self, kind: str, who: Principal | None, **details: Any) -> int:
        """Write down what was done; the record's number. Raises `StorageError`: then it must not be done.

        The address is the request's. Threads that wait write together, in one transaction.
        """
        wanted = _waiting(kind, who, details)
        with self._queue:
            self._waiting.append(wanted)
        with self._alone():
            if not wanted.written.done():
                self._write_waiting()
        return wanted.written.result()

    def noting(self, kind: str, who: Principal | None, **details: Any) -> Noting:
        """A record to be written in the transaction of what is done: both are kept, or neither.

        Called there with the session, before anything else is changed. Raises `StorageError`.
        """
        with self._alone():
            self._mend_once()

        def note(session: Session, **more: Any) -> None:
            records = self._insert(session, [_waiting(kind, who, {**details, **more})])
            session.info.setdefault(AFTER_COMMIT, []).append(lambda: self._noted(records))

        return note

    def head(self) -> Head:
        with self._database.transaction() as session:
            row = session.get(AuditHeadRow, 1)
            if row is None:
                raise StorageError(_NO_HEAD)
            return Head(row.number, row.hash)

    def verify(self) -> Verified:
        """Raises `StorageError`."""
        return verify(self)

    def records(
        self, *, after: int = 0, person: str | None = None, since: str | None = None, until: str | None = None
    ) -> Iterator[AuditRecord]:
        """In the order of their numbers; `person` is a name or an id, the times are as records have them."""
        from sqlalchemy import or_, select

        wanted = select(AuditEventRow).order_by(AuditEventRow.number).limit(_PART)
        if person is not None:
            wanted = wanted.where(or_(AuditEventRow.actor == person, AuditEventRow.actor_id == person))
        if since is not None:
            wanted = wanted.where(AuditEventRow.at >= since)
        if until is not None:
            wanted = wanted.where(AuditEventRow.at < until)
        while True:
            with self._database.transaction() as session:
                part = [of_row(row) for row in session.scalars(wanted.where(AuditEventRow.number > after))]
            yield from part
            if len(part) < _PART:
                return
            after = part[-1].number

    # --- writing

    def _write_waiting(self) -> None:
        with self._queue:
            batch, self._waiting = self._waiting, []
        try:
            self._mend_once()
            with self.file.locked():  # around both: nobody finds what the file has not got yet and takes it for lost
                with self._database.transaction() as session:
                    records = self._insert(session, batch)
                self._to_file(records)
        except BaseException as error:
            for one in batch:
                one.written.set_exception(error)
            raise
        for one, record in zip(batch, records, strict=True):
            one.written.set_result(record.number)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Among the threads of this process. Raises `StorageError` when another does not come to an end."""
        if not self._writing.acquire(timeout=_WAIT_SECONDS):
            raise StorageError("the audit is not written: who writes does not come to an end")
        try:
            yield
        finally:
            self._writing.release()

    def _noted(self, records: Sequence[AuditRecord]) -> None:
        with self._alone(), self.file.locked():
            self._to_file(records)

    def _insert(self, session: Session, batch: Sequence[_Waiting]) -> list[AuditRecord]:
        """Numbered and chained. The head's row is taken first: who has it is alone, in every process and database."""
        from sqlalchemy import insert, update

        taken = update(AuditHeadRow).where(AuditHeadRow.id == 1).values(number=AuditHeadRow.number + len(batch))
        head = session.execute(taken.returning(AuditHeadRow.number, AuditHeadRow.hash)).one_or_none()
        if head is None:
            raise StorageError(_NO_HEAD)
        first, previous = head[0] - len(batch) + 1, head[1]
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        records = []
        for number, one in enumerate(batch, start=first):
            record = AuditRecord(number, at, one.kind, one.actor_id, one.actor, one.address, one.details, previous)
            records.append(replace(record, hash=record.made_hash()))
            previous = records[-1].hash
        session.execute(insert(AuditEventRow), [record.values() for record in records])
        session.execute(update(AuditHeadRow).where(AuditHeadRow.id == 1).values(hash=previous))
        return records

    def _to_file(self, records: Sequence[AuditRecord]) -> None:
        """Behind what is there; what other processes have not written yet comes first, or they came first with ours."""
        last = self.file.last()
        number = last.number if last else 0
        if number == records[0].number - 1:
            self.file.append(records)
        elif number < records[-1].number:
            self._catch_up(number)

    def _catch_up(self, number: int) -> None:
        part: list[AuditRecord] = []
        for record in self.records(after=number):
            part.append(record)
            if len(part) == _PART:
                self.file.append(part)
                part = []
        if part:
            self.file.append(part)

    # --- mending, once a process

    def _mend_once(self) -> None:
        if not self._is_mended:
            self._mend()
            self._is_mended = True

    def _mend(self) -> None:
        """Make file and database one again after a crash, a power cut or the return of an older database.

        Where one goes on from the other, what is missing is added; where they differ, the file is set aside and kept.
        Whatever is more than a few lines missing in the file becomes a record.
        """
        with self.file.locked():
            head = self.head()
            last, is_readable = self._last_of_file()
            found: dict[str, Any] = {}
            if not is_readable or (last and last.number <= head.number and not self._has(last)):
                found, last = self._set_aside(last), None
            elif last and last.number > head.number and self._goes_on(head):
                found = {"restored_from": head.number + 1, "restored_to": last.number}
                self._restore(head)
            elif last and last.number > head.number:
                found, last = self._set_aside(last), None
            elif last is None and head.number:
                found = {"file_made_up_to": head.number}
            self._catch_up(last.number if last else 0)
            if found:
                log.warning("the audit was mended", **found)
                mended = _waiting("audit.mended", None, found)
                with self._database.transaction() as session:
                    records = self._insert(session, [mended])
                self._to_file(records)

    def _last_of_file(self) -> tuple[AuditRecord | None, bool]:
        """And whether it is a record."""
        try:
            return self.file.last(), True
        except ValueError:
            return None, False

    def _set_aside(self, last: AuditRecord | None) -> dict[str, Any]:
        found: dict[str, Any] = {"set_aside": self.file.set_aside()}
        return found | ({"number": last.number, "hash": last.hash} if last else {})

    def _has(self, record: AuditRecord) -> bool:
        with self._database.transaction() as session:
            row = session.get(AuditEventRow, record.number)
            return row is not None and row.hash == record.hash

    def _goes_on(self, head: Head) -> bool:
        """Whether the file's records behind the database's head are one chain with it."""
        previous, number = head.hash, head.number
        for record in self.file.records(after=head.number):
            number += 1
            if (record.number, record.previous, record.hash) != (number, previous, record.made_hash()):
                return False
            previous = record.hash
        return True

    def _restore(self, head: Head) -> None:
        from sqlalchemy import insert, update

        with self._database.transaction() as session:
            for record in self.file.records(after=head.number):
                session.execute(insert(AuditEventRow), record.values())
                session.execute(
                    update(AuditHeadRow).where(AuditHeadRow.id == 1).values(number=record.number, hash=record.hash)
                )


def os_account() -> str:
    """The operating system's account that this process runs as."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's number without a name
        return f"uid {os.geteuid()}"


def _waiting(kind: str, who: Principal | None, details: dict[str, Any]) -> _Waiting:
    return _Waiting(
        kind,
        who.id if who else "",
        storable(_actor(who))[:200],
        storable(ADDRESS.get() or f"local:{os_account()}")[:60],
        canonical(details),
    )


def _actor(who: Principal | None) -> str:
    """Who runs the command line has the account of the machine."""
    if who is None:
        return ""
    return os_account() if who.id == LOCAL_OPERATOR.id else who.name
