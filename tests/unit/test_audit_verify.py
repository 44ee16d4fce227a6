"""`assistant audit verify` finds and names what was changed, removed, moved or added, in the table and in the file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.access.principal import Principal
from assistant.records import audit_check
from assistant.records.audit import Audit
from assistant.records.audit_check import Problem
from assistant.records.audit_record import AuditRecord
from tests.unit.test_audit import audit, database, lines  # noqa: F401 - fixtures

IVANOVA = Principal("u1", "Иванова")
COUNT = 8
Tamper = Callable[[sqlite3.Connection, Path, list[AuditRecord]], None]


@pytest.fixture
def written(audit: Audit) -> Audit:  # noqa: F811
    for number in range(COUNT):
        audit.record("question", IVANOVA, text=f"вопрос {number + 1}")
    return audit


def tampered(audit: Audit, tamper: Tamper) -> list[Problem]:  # noqa: F811
    """By somebody who owns the database: the triggers are gone first."""
    records, file = list(audit.records()), audit.file.files()[0]
    connection = sqlite3.connect(audit._database.url.removeprefix("sqlite:///"), isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    tamper(connection, file, records)
    connection.close()
    return list(audit.verify().problems)


def test_what_is_whole_has_no_problems_and_says_its_head(written: Audit) -> None:
    found = written.verify()
    assert (found.records, found.problems) == (COUNT, ())
    assert found.head == written.head()


def test_nothing_at_all_is_whole(audit: Audit) -> None:  # noqa: F811
    assert audit.verify().problems == ()


def put(connection: sqlite3.Connection, record: AuditRecord) -> None:
    values: dict[str, Any] = record.values()
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    connection.execute(f"INSERT OR REPLACE INTO audit_events ({names}) VALUES ({marks})", values)  # noqa: S608


def set_head(connection: sqlite3.Connection, record: AuditRecord) -> None:
    connection.execute("UPDATE audit_head SET number = ?, hash = ?", (record.number, record.hash))


def rehashed(record: AuditRecord, **changes: str) -> AuditRecord:
    changed = replace(record, **changes)  # type: ignore[arg-type]
    return replace(changed, hash=changed.made_hash())


def change(connection: sqlite3.Connection, _file: Path, _records: list[AuditRecord]) -> None:
    connection.execute("UPDATE audit_events SET actor = 'Петров' WHERE number = 5")


def change_and_hash(connection: sqlite3.Connection, _file: Path, records: list[AuditRecord]) -> None:
    put(connection, rehashed(records[4], actor="Петров"))


def change_the_last_and_hash(connection: sqlite3.Connection, _file: Path, records: list[AuditRecord]) -> None:
    put(connection, rehashed(records[7], actor="Петров"))


def chain_anew(connection: sqlite3.Connection, _file: Path, records: list[AuditRecord]) -> None:
    """From the changed one to the end, head included: only the file tells."""
    previous = records[3].hash
    for record in records[4:]:
        made = rehashed(record, previous=previous, actor="Петров")
        put(connection, made)
        previous = made.hash
    set_head(connection, made)


def break_details(connection: sqlite3.Connection, _file: Path, _records: list[AuditRecord]) -> None:
    connection.execute("UPDATE audit_events SET details = '{' WHERE number = 5")


def remove(connection: sqlite3.Connection, _file: Path, _records: list[AuditRecord]) -> None:
    connection.execute("DELETE FROM audit_events WHERE number = 5")


def remove_everywhere(connection: sqlite3.Connection, file: Path, _records: list[AuditRecord]) -> None:
    connection.execute("DELETE FROM audit_events WHERE number = 5")
    kept = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join(kept[:4] + kept[5:]), "utf-8")


def swap(connection: sqlite3.Connection, _file: Path, records: list[AuditRecord]) -> None:
    put(connection, replace(records[4], number=6))
    put(connection, replace(records[5], number=5))


def cut_the_end(connection: sqlite3.Connection, _file: Path, _records: list[AuditRecord]) -> None:
    connection.execute("DELETE FROM audit_events WHERE number > 6")


def cut_the_end_with_the_head(connection: sqlite3.Connection, _file: Path, records: list[AuditRecord]) -> None:
    connection.execute("DELETE FROM audit_events WHERE number > 6")
    set_head(connection, records[5])


def add(connection: sqlite3.Connection, _file: Path, records: list[AuditRecord]) -> None:
    put(connection, rehashed(replace(records[7], number=9), previous=records[7].hash, kind="forged"))
    put(connection, rehashed(replace(records[7], number=10), previous="0" * 64, kind="forged"))


@pytest.mark.parametrize(
    ("tamper", "named", "what"),
    [
        (change, {5}, "was changed"),
        (change_and_hash, {5, 6}, "does not follow record 5"),
        (change_the_last_and_hash, {8}, "not the one that the head was of"),
        (chain_anew, {5, 6, 7, 8}, "something else in the file"),
        (break_details, {5}, "was changed"),
        (remove, {5}, "the file still has it"),
        (remove_everywhere, {5}, "the file has not got it either"),
        (swap, {5, 6}, "was written as record 6"),
        (cut_the_end, {7, 8}, "is missing in the database"),
        (cut_the_end_with_the_head, {7, 8}, "its end was cut off"),
        (add, {9, 10}, "is behind the head"),
    ],
)
def test_the_table(written: Audit, tamper: Tamper, named: set[int], what: str) -> None:
    problems = tampered(written, tamper)
    assert {problem.number for problem in problems} == named
    assert any(what in problem.what for problem in problems), problems
    in_file = [problem for problem in problems if tamper is not remove_everywhere]
    assert all(problem.at and problem.kind for problem in in_file), "with time and kind"


def changed_line(_connection: sqlite3.Connection, file: Path, _records: list[AuditRecord]) -> None:
    file.write_text(file.read_text("utf-8").replace("вопрос 5", "другое"), "utf-8")


def changed_number(_connection: sqlite3.Connection, file: Path, _records: list[AuditRecord]) -> None:
    file.write_text(file.read_text("utf-8").replace('"number":5,', '"number":7,'), "utf-8")


def removed_line(_connection: sqlite3.Connection, file: Path, _records: list[AuditRecord]) -> None:
    kept = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join(kept[:4] + kept[5:]), "utf-8")


def moved_line(_connection: sqlite3.Connection, file: Path, _records: list[AuditRecord]) -> None:
    kept = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join([*kept[:4], kept[5], kept[4], *kept[6:]]), "utf-8")


def no_line(_connection: sqlite3.Connection, file: Path, _records: list[AuditRecord]) -> None:
    kept = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join([*kept[:4], '{"number":5}\n', *kept[5:]]), "utf-8")


def cut_lines(_connection: sqlite3.Connection, file: Path, _records: list[AuditRecord]) -> None:
    kept = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join(kept[:6]), "utf-8")


def no_file(_connection: sqlite3.Connection, file: Path, _records: list[AuditRecord]) -> None:
    file.unlink()


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (changed_line, {5}),
        (changed_number, {5, 7}),
        (removed_line, {5}),
        (moved_line, {5}),
        (no_line, {5, None}),
        (cut_lines, {7, 8}),
        (no_file, set(range(1, COUNT + 1))),
    ],
)
def test_the_file(written: Audit, tamper: Tamper, named: set[int | None]) -> None:
    assert {problem.number for problem in tampered(written, tamper)} == named


def test_a_page_of_the_chain_can_be_checked_by_anybody(written: Audit) -> None:
    """With nothing but a line and SHA-256, as docs/audit.md says."""
    import hashlib

    line = json.loads(lines(written)[2])
    claimed = line.pop("hash")
    text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == claimed


def test_a_table_that_was_changed_everywhere_takes_no_hours(
    audit: Audit,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a record was before costs two thousand hashes: only of the first ones it is told."""
    tried: list[int] = []
    monkeypatch.setattr(audit_check, "_PLACED", 3)
    monkeypatch.setattr(audit_check, "_place_of", lambda record: tried.append(record.number))
    for number in range(COUNT):
        audit.record("question", IVANOVA, text=f"вопрос {number + 1}")
    found = tampered(
        audit, lambda connection, _file, _records: connection.execute("UPDATE audit_events SET actor = 'x'")
    )
    assert {problem.number for problem in found} == set(range(1, COUNT + 1))
    assert tried == [1, 2]  # each is wrong in the file too
