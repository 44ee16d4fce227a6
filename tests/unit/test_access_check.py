"""The nightly check's clock, its kept result, and what the log, health and the exit code make of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from typer.testing import CliRunner

from assistant.access.principal import AccessClass
from assistant.cli import verifying
from assistant.cli.main import app
from assistant.errors import StorageError
from assistant.operations import health
from assistant.operations.access_check import keep, last
from assistant.settings import Settings, Storage
from assistant.settings_security import Access
from assistant.verification.canaries import Canary
from assistant.verification.people import Kind
from assistant.verification.report import Report
from assistant.web.nightly import Nightly, seconds_until

CANARY = Canary(AccessClass("hr", 2), "d1", "c1", "key", ("mark", "title", "name"))
STAFF, HEAD = Kind("everyone"), Kind("hr / 2", ("hr",), 2)


def report(*seen: tuple[Kind, str]) -> Report:
    made = Report(frozenset({"company"}), 1, ["hr / 2"], [STAFF.name, HEAD.name])
    for kind, text in seen:
        made.judge("GET /x", kind, [CANARY], text)
    return made


RIGHT = report((STAFF, "nothing"), (HEAD, "… mark …"))
LEAK = report((STAFF, "a title is enough"), (HEAD, "mark"))
BLIND = report((STAFF, ""), (HEAD, ""))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "run").mkdir()
    return Settings(storage=Storage(path=tmp_path), access=Access(verify_at="03:00"))


def test_a_leak_and_what_is_not_found_are_told_apart() -> None:
    assert RIGHT.is_right
    assert RIGHT.found["GET /x", HEAD.name] == 1
    assert LEAK.leaks == ["GET /x: 'everyone' was shown the document of 'hr / 2'"]
    assert LEAK.missing == []
    assert BLIND.leaks == []
    assert BLIND.missing == ["GET /x: 'hr / 2' may read the document of 'hr / 2' and did not find it"]
    assert "LEAK: GET /x" in "\n".join(LEAK.lines())
    assert "!0/1" in "\n".join(LEAK.lines())


@pytest.mark.parametrize(("found", "code"), [(RIGHT, 0), (LEAK, 1), (BLIND, 1)])
def test_the_command_says_it_with_its_exit_code(monkeypatch: pytest.MonkeyPatch, found: Report, code: int) -> None:
    monkeypatch.setattr(verifying, "verified", lambda *_, **__: found)
    answer = CliRunner().invoke(app, ["access", "verify", "--json"])
    assert answer.exit_code == code, answer.output
    assert json.loads(answer.stdout)["leaks"] == found.leaks
    assert json.loads(answer.stdout)["checks"] == 2


@pytest.mark.parametrize(
    ("found", "state", "level"), [(RIGHT, "ok", "info"), (LEAK, "down", "critical"), (BLIND, "degraded", "error")]
)
def test_health_and_the_log_after_a_night(settings: Settings, found: Report, state: str, level: str) -> None:
    with structlog.testing.capture_logs() as lines:
        Nightly(settings, lambda given, _: keep(given.storage.path, found.as_json())).check()
    assert [line["log_level"] for line in lines] == [level]
    part = health._access_verified(cast(Any, SimpleNamespace(settings=settings)))
    assert part.state == state
    assert ("shown the document" in part.detail) == (found is LEAK)


def test_a_night_that_fails_is_logged_and_the_next_one_comes(settings: Settings) -> None:
    def fail(_: Settings, _stopped: object) -> None:
        raise StorageError("the disk is full")

    with structlog.testing.capture_logs() as lines:
        Nightly(settings, fail).check()
    assert [(line["log_level"], line["reason"]) for line in lines] == [("error", "the disk is full")]
    part = health._access_verified(cast(Any, SimpleNamespace(settings=settings)))
    assert part.state == "degraded", "one that never worked is seen in the health"
    assert "could not be made" in part.detail
    keep(settings.storage.path, LEAK.as_json())
    Nightly(settings, fail).check()
    found = last(settings.storage.path)
    assert found is not None
    assert found.leaks, "a leak that was found stays"


def test_without_a_result_health_says_so_and_an_old_one_is_no_proof(settings: Settings) -> None:
    assistant = cast(Any, SimpleNamespace(settings=settings))
    assert last(settings.storage.path) is None
    assert health._access_verified(assistant).detail == "not verified yet"
    keep(settings.storage.path, RIGHT.as_json())
    file = settings.storage.path / "run" / "access-verify.json"
    kept = json.loads(file.read_text())
    kept["at"] = (datetime.fromisoformat(kept["at"]) - timedelta(days=4)).isoformat()
    file.write_text(json.dumps(kept))
    assert health._access_verified(assistant).state == "degraded"
    for text in ("{", "{}", "[]"):
        file.write_text(text)
        with pytest.raises(StorageError, match="access verify"):
            last(settings.storage.path)


@pytest.mark.parametrize(("now", "hours"), [("02:00", 1.0), ("03:00", 24.0), ("15:30", 11.5)])
def test_the_clock(now: str, hours: float) -> None:
    moment = datetime.fromisoformat(f"2026-11-29T{now}:00+03:00")
    assert seconds_until("03:00", moment) == hours * 3600


def test_an_empty_time_starts_nothing(settings: Settings) -> None:
    never = settings.model_copy(update={"access": Access(verify_at="")})
    with Nightly(never, lambda *_: None) as nightly:
        assert not nightly._thread.is_alive()


@pytest.mark.parametrize("wrong", ["3:00", "24:00", "nightly"])
def test_a_time_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="verify_at"):
        Access(verify_at=wrong)
