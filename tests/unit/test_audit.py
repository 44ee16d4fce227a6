"""The audit's records: numbered without gaps and chained, in the database and in the file, whoever writes at once."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from assistant.access.caller import ADDRESS
from assistant.access.principal import LOCAL_OPERATOR, Principal
from assistant.errors import StorageError
from assistant.records.audit import Audit, os_account
from assistant.records.audit_record import NO_HASH, AuditRecord
from assistant.records.database import Database

IVANOVA = Principal("u1", "Иванова")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'assistant.db'}")
    database.migrate(tmp_path / "lock")
    yield database
    database.close()


@pytest.fixture
def audit(database: Database, tmp_path: Path) -> Audit:
    return Audit(database, tmp_path / "audit")


def lines(audit: Audit) -> list[str]:
    return [line for file in audit.file.files() for line in file.read_text("utf-8").split("\n")[:-1]]


def check(audit: Audit, count: int) -> list[AuditRecord]:
    """Numbers without gaps, one chain, and the same in the file."""
    records = list(audit.records())
    assert [record.number for record in records] == list(range(1, count + 1))
    for before, record in zip([None, *records], records, strict=False):
        assert record.previous == (before.hash if before else NO_HASH)
        assert record.hash == record.made_hash()
    assert lines(audit) == [record.line() for record in records]
    assert (audit.head().number, audit.head().hash) == (count, records[-1].hash)
    return records


def test_a_record_says_who_did_what_from_where_and_when(audit: Audit) -> None:
    ADDRESS.set("10.0.0.7")
    assert audit.record("feedback", IVANOVA, message="m1", rating=-1) == 1
    ADDRESS.set("")
    assert audit.record("user.added", LOCAL_OPERATOR, name="petrov") == 2
    assert audit.record("sign_in.failed", None) == 3
    by_person, by_operator, by_nobody = check(audit, 3)
    assert (by_person.actor_id, by_person.actor, by_person.address) == ("u1", "Иванова", "10.0.0.7")
    assert json.loads(by_person.details) == {"message": "m1", "rating": -1}
    assert (by_operator.actor, by_operator.address) == (os_account(), f"local:{os_account()}")
    assert (by_nobody.actor_id, by_nobody.actor) == ("", "")
    assert by_person.at.endswith("+00:00")


def test_whatever_is_in_a_text_is_kept_as_json(audit: Audit) -> None:
    typed = 'a"b\n\u2028\x00\ud83d конец'
    audit.record("question", Principal("u2", "\x00х\ud83d" * 300), text=typed)
    assert json.loads(check(audit, 1)[0].details)["text"] == typed


def test_threads_write_at_once(audit: Audit) -> None:
    def write() -> None:
        for number in range(25):
            audit.record("question", IVANOVA, n=number)

    threads = [threading.Thread(target=write) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(audit, 300)


def _write(url: str, folder: Path, count: int) -> None:
    database = Database(url)
    audit = Audit(database, folder)
    for number in range(count):
        audit.record("question", IVANOVA, n=number)
    database.close()


def write_in_processes(url: str, folder: Path, processes: int, count: int) -> None:
    context = multiprocessing.get_context("spawn")
    started = [context.Process(target=_write, args=(url, folder, count)) for _ in range(processes)]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
    assert [process.exitcode for process in started] == [0] * processes


def test_processes_write_at_once(audit: Audit, database: Database, tmp_path: Path) -> None:
    write_in_processes(database.url, tmp_path / "audit", 3, 40)
    check(audit, 120)


@pytest.mark.parametrize("change", ["UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events WHERE number = 2"])
def test_the_database_refuses_changes(audit: Audit, database: Database, change: str) -> None:
    for _ in range(3):
        audit.record("question", IVANOVA)
    with pytest.raises(StorageError, match="append-only"), database.transaction() as session:
        session.execute(text(change))
    check(audit, 3)


# --- what can't be written


def test_no_record_where_the_database_refuses(audit: Audit, database: Database) -> None:
    audit.record("question", IVANOVA)
    with database.transaction() as session:
        session.execute(
            text("CREATE TRIGGER full BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        )
    with pytest.raises(StorageError, match="disk full"):
        audit.record("question", IVANOVA)
    with database.transaction() as session:
        session.execute(text("DROP TRIGGER full"))
    audit.record("question", IVANOVA)
    check(audit, 2)


def test_a_file_that_can_not_be_written_is_an_error_and_catches_up_later(audit: Audit) -> None:
    audit.record("question", IVANOVA, n=1)
    file = audit.file.files()[0]
    kept = file.rename(file.with_suffix(".kept"))
    file.mkdir()  # also root can't write a folder
    with pytest.raises(StorageError, match="can't be written"):
        audit.record("question", IVANOVA, n=2)
    file.rmdir()
    kept.rename(file)
    audit.record("question", IVANOVA, n=3)
    check(audit, 3)


# --- mending at the next start


def test_what_a_crash_left_out_of_the_file_is_added(audit: Audit, database: Database, tmp_path: Path) -> None:
    for number in range(5):
        audit.record("question", IVANOVA, n=number)
    file = audit.file.files()[0]
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.index(b'"n":2')])  # in the middle of a line
    again = Audit(database, tmp_path / "audit")
    again.record("question", IVANOVA, n=5)
    check(again, 6)


def test_a_lost_file_is_made_again_and_that_is_a_record(audit: Audit, database: Database, tmp_path: Path) -> None:
    audit.record("question", IVANOVA)
    audit.file.files()[0].unlink()
    again = Audit(database, tmp_path / "audit")
    again.record("question", IVANOVA)
    mended = check(again, 3)[1]
    assert (mended.kind, json.loads(mended.details)) == ("audit.mended", {"file_made_up_to": 1})


def test_an_older_database_gets_its_records_from_the_file(audit: Audit, database: Database, tmp_path: Path) -> None:
    """Such as one that came back from a backup, or that a power cut took the end of."""
    audit.record("question", IVANOVA, n=1)
    with sqlite3.connect(tmp_path / "older.db") as older:
        database.engine.raw_connection().driver_connection.backup(older)  # type: ignore[union-attr]
    for number in (2, 3):
        audit.record("question", IVANOVA, n=number)
    restored = Database(f"sqlite:///{tmp_path / 'older.db'}")
    again = Audit(restored, tmp_path / "audit")
    again.record("question", IVANOVA, n=4)
    records = check(again, 5)
    assert json.loads(records[3].details) == {"restored_from": 2, "restored_to": 3}
    restored.close()


@pytest.mark.parametrize("is_record", [True, False])
def test_a_file_that_differs_is_kept_aside(audit: Audit, database: Database, tmp_path: Path, is_record: bool) -> None:
    for number in (1, 2):
        audit.record("question", IVANOVA, n=number)
    file = audit.file.files()[0]
    forged = replace(check(audit, 2)[1], details='{"n":7}')
    forged = replace(forged, hash=forged.made_hash())
    file.write_text(f"{lines(audit)[0]}\n{forged.line() if is_record else 'what is this?'}\n", "utf-8")
    again = Audit(database, tmp_path / "audit")
    again.record("question", IVANOVA, n=3)
    mended = json.loads(check(again, 4)[2].details)
    assert mended.get("hash") == (forged.hash if is_record else None)
    (aside,) = mended["set_aside"]
    assert len((tmp_path / "audit" / aside).read_text("utf-8").splitlines()) == 2


def test_who_gets_no_connection_is_told_as_where_the_database_is_away(audit: Audit, database: Database) -> None:
    """Fifty who rate at once while something holds the database: those who wait too long get a sentence, and no record."""
    pool: Any = database.engine.pool
    pool._timeout = 0.1
    held = [database.engine.connect() for _ in range(15)]
    try:
        with pytest.raises(StorageError, match="all connections"):
            audit.record("question", IVANOVA)
    finally:
        for connection in held:
            connection.close()
    audit.record("question", IVANOVA)
    check(audit, 1)
