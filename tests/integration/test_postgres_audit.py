"""The audit on a real PostgreSQL: many writers, one chain, and a table that refuses changes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from assistant.access.principal import Principal
from assistant.errors import StorageError
from assistant.records.audit import Audit
from assistant.records.database import Database
from tests.unit.test_audit import check, write_in_processes

pytestmark = pytest.mark.server
IVANOVA = Principal("u1", "Иванова")


@pytest.fixture
def audit(postgres_database: Database, tmp_path: Path) -> Audit:
    """From the first record on; the owner of a database may do that."""
    with postgres_database.transaction() as session:
        session.execute(text("ALTER TABLE audit_events DISABLE TRIGGER ALL"))
        session.execute(text("TRUNCATE audit_events"))
        session.execute(text("ALTER TABLE audit_events ENABLE TRIGGER ALL"))
        session.execute(text("UPDATE audit_head SET number = 0, hash = repeat('0', 64)"))
    return Audit(postgres_database, tmp_path / "audit")


def test_threads_and_processes_write_at_once(audit: Audit, postgres_database: Database, tmp_path: Path) -> None:
    def write() -> None:
        for number in range(10):
            audit.record("question", IVANOVA, text="\x00 вопрос", n=number)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    write_in_processes(postgres_database.url, tmp_path / "audit", 2, 30)
    for thread in threads:
        thread.join()
    check(audit, 140)
    assert audit.verify().problems == ()


@pytest.mark.parametrize(
    "change",
    ["UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events WHERE number = 1", "TRUNCATE audit_events"],
)
def test_the_table_refuses_changes(audit: Audit, postgres_database: Database, change: str) -> None:
    audit.record("question", IVANOVA)
    with pytest.raises(StorageError, match="append-only"), postgres_database.transaction() as session:
        session.execute(text(change))
    check(audit, 1)


def test_a_change_and_its_record_are_kept_together(audit: Audit, postgres_database: Database) -> None:
    note = audit.noting("access.changed", IVANOVA)

    def change(level: int, table: str) -> None:
        with postgres_database.transaction() as session:
            note(session, level=level)
            session.execute(text(f"UPDATE {table} SET level = {level}"))  # noqa: S608 - the test's own words

    with pytest.raises(StorageError):
        change(9, "no_such_table")
    assert audit.head().number == 0
    change(2, "users")
    assert check(audit, 1)[0].details == '{"level":2}'


def test_a_changed_record_is_named(audit: Audit, postgres_database: Database) -> None:
    for _ in range(3):
        audit.record("question", IVANOVA)
    with postgres_database.transaction() as session:
        session.execute(text("ALTER TABLE audit_events DISABLE TRIGGER ALL"))
        session.execute(text("UPDATE audit_events SET actor = 'x' WHERE number = 2"))
        session.execute(text("ALTER TABLE audit_events ENABLE TRIGGER ALL"))
    assert {problem.number for problem in audit.verify().problems} == {2}
