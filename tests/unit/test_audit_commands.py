"""`assistant audit tail | verify | head | export`, as they are typed."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assistant.access.principal import Principal
from assistant.cli.main import app
from assistant.errors import AssistantError
from assistant.records.audit import Audit, os_account
from assistant.settings import Settings, Storage
from assistant.wiring import open_audit

IVANOVA, EVIL = Principal("u1", "Иванова"), Principal("u2", "=cmd|'/C calc'!A1")


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    monkeypatch.setenv("ASSISTANT_STORAGE__PATH", str(tmp_path / "storage"))
    audit = open_audit(Settings(storage=Storage(path=tmp_path / "storage")))
    audit.record("question", IVANOVA, text="Где \x1b[2Jпропуск?")
    audit.record("search", EVIL, text="x")
    audit.record("sign_out", IVANOVA)
    return audit


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["audit", *arguments])
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.stdout


def test_tail_is_readable_and_steers_no_terminal(audit: Audit) -> None:  # noqa: ARG001
    first, last = run("tail", "-n", "3").splitlines()[::2]
    assert first.startswith("1  20")
    assert "question  Иванова (local:" in first
    assert "\x1b" not in first
    assert "\\u001b[2Jпропуск?" in first
    assert "sign_out" in last
    assert [json.loads(line)["number"] for line in run("tail", "-n", "2", "--json").splitlines()] == [2, 3]
    assert run("tail", "-n", "0") == ""


def test_head_is_the_number_and_hash_of_the_newest(audit: Audit) -> None:
    head = audit.head()
    assert run("head") == f"3 {head.hash}\n"
    assert json.loads(run("head", "--json")) == {"number": 3, "hash": head.hash}


def test_verify_says_so_by_its_exit_code(audit: Audit, tmp_path: Path) -> None:
    assert run("verify") == f"records: 3; head: 3 {audit.head().hash}\n"
    with sqlite3.connect(tmp_path / "storage" / "assistant.db") as database:
        database.execute("DROP TRIGGER audit_events_no_update")
        database.execute("UPDATE audit_events SET kind = 'nothing' WHERE number = 2")
    database.close()
    done = CliRunner().invoke(app, ["audit", "verify"])
    assert done.exit_code == 1
    assert f"record 2 ({list(audit.records())[1].at} nothing) was changed" in done.stdout
    done = CliRunner().invoke(app, ["audit", "verify", "--json"])
    assert {problem["number"] for problem in json.loads(done.stdout)["problems"]} == {2}


def test_export_by_person_and_time(audit: Audit, tmp_path: Path) -> None:
    today = list(audit.records())[0].at[:10]
    rows = [json.loads(line) for line in run("export", "--user", "Иванова").splitlines()]
    assert [row["number"] for row in rows] == [1, 3]
    assert [json.loads(line)["number"] for line in run("export", "--user", "u1", "--until", today).splitlines()] == [
        1,
        3,
    ]
    assert run("export", "--until", "2020-01-01") == ""
    assert len(run("export", "--since", today).splitlines()) == 7, "each export is a record too, also this one"
    assert run("export", "--since", "2999-01-01T10:00+03:00") == ""
    run("export", "--user", "u2", "--format", "csv", "-o", str(tmp_path / "out.csv"))
    written = (tmp_path / "out.csv").read_text("utf-8")
    header, row = csv.reader(io.StringIO(written))
    assert header[:5] == ["number", "at", "kind", "actor_id", "actor"]
    assert row[4] == "'=cmd|'/C calc'!A1", "not run by a spreadsheet"
    exported = list(audit.records())[-1]
    assert (exported.kind, exported.actor) == ("export", os_account())
    assert json.loads(exported.details) == {"format": "csv", "user": "u2", "what": "audit"}


def test_a_time_that_is_none_is_refused(audit: Audit) -> None:  # noqa: ARG001
    done = CliRunner().invoke(app, ["audit", "export", "--since", "yesterday"])
    assert isinstance(done.exception, AssistantError)
    assert "2026-11-29" in str(done.exception)
