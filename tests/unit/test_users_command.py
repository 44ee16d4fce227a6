"""`assistant users …` as an administrator types it, over a real SQLite file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assistant.cli.main import app
from assistant.errors import AssistantError, ConfigError, NotFound
from assistant.records.account_tables import SessionRow, UserRow
from assistant.records.database import Database
from tests.unit.accounts import PASSWORD, Directory, count_sessions, prepared, rows, service

DEFAULTS = ("ivanova", "petrova")


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("ASSISTANT_STORAGE__PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # where no developer's .env lies
    return Database(f"sqlite:///{prepared(tmp_path / 'assistant.db', *DEFAULTS)}")


def run(*arguments: str, typed: str | None = None) -> str:
    done = CliRunner().invoke(app, ["users", *arguments], input=typed)
    if isinstance(done.exception, AssistantError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def listed(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(run("list", "--json"))["users"]
    return next(user for user in found if user["name"] == name)


def test_a_password_that_an_administrator_knows_has_to_be_changed(database: Database) -> None:
    made = re.search(r"password \(shown once\): (\S+)", run("add", "sidorov", "--department", "hr", "--generate"))
    assert made is not None
    run("add", "typed", typed=f"{PASSWORD}\n{PASSWORD}\n")
    run("passwd", "ivanova", typed=f"{PASSWORD}\n{PASSWORD}\n")
    for name, password in (("sidorov", made[1]), ("typed", PASSWORD), ("ivanova", PASSWORD)):
        accounts = service(database)
        visitor = accounts.visitor(accounts.sign_in(name, password))
        assert visitor is not None
        assert visitor.must_change, name
    assert not listed("petrova")["must_change"]


def test_a_password_is_never_an_argument_and_has_a_length(database: Database) -> None:
    with pytest.raises(ConfigError, match="at least 10 characters"):
        run("add", "sidorov", typed="short\nshort\n")
    assert set(rows(database)) == set(DEFAULTS)
    assert CliRunner().invoke(app, ["users", "add", "sidorov", PASSWORD]).exit_code == 2


def test_rights_are_given_and_taken(database: Database) -> None:
    said = run("grant", "ivanova", "--department", "finance", "--level", "3", "--role", "admin")
    assert "departments finance, hr, sales; level 3; roles admin, engineer, user" in said
    said = run("revoke", "ivanova", "--department", "hr", "--role", "engineer")
    assert "departments finance, sales; level 3; roles admin, user" in said
    assert CliRunner().invoke(app, ["users", "grant", "ivanova"]).exit_code == 2
    assert CliRunner().invoke(app, ["users", "revoke", "ivanova"]).exit_code == 2


def test_an_account_is_switched_off_and_on(database: Database) -> None:
    session_id = service(database).sign_in("ivanova", PASSWORD)
    run("disable", "ivanova")
    assert listed("ivanova")["state"] == "disabled"
    assert service(database).of_session(session_id) is None
    run("enable", "ivanova")
    assert listed("ivanova")["state"] == "on"


def test_an_account_ends_with_a_day(database: Database) -> None:
    run("expire", "ivanova", "2020-01-31")
    assert listed("ivanova")["state"] == "expired"
    assert "until the end of 2999-12-31" in run("expire", "ivanova", "2999-12-31")
    assert listed("ivanova")["state"] == "on"
    expires = rows(database)["ivanova"].expires_at
    assert expires is not None
    assert expires.astimezone().isoformat().startswith("3000-01-01T00:00:00")
    run("expire", "ivanova", "never")
    assert listed("ivanova")["expires_at"] is None
    for wrong in ("31.12.2026", "2026-02-30", "9999-12-31", "soon"):
        assert CliRunner().invoke(app, ["users", "expire", "ivanova", wrong]).exit_code == 2


def test_somebody_is_signed_out_everywhere(database: Database) -> None:
    accounts = service(database)
    accounts.sign_in("ivanova", PASSWORD)
    accounts.sign_in("ivanova", PASSWORD)
    other = accounts.sign_in("petrova", PASSWORD)
    run("sign-out", "ivanova")
    assert count_sessions(database) == 1
    assert accounts.of_session(other) is not None


def test_the_list_says_where_accounts_come_from(database: Database) -> None:
    corp = Directory()
    corp.person("petrov", "7", groups=("Бухгалтерия",), display="Пётр Петров")
    service(database, corp).sign_in("petrov", PASSWORD)
    found = listed("petrov")
    assert (found["source"], found["groups"], found["display_name"]) == ("corp", ["Бухгалтерия"], "Пётр Петров")
    assert found["used_at"] is not None
    lines = run("list").splitlines()
    assert any(line.startswith("petrov: corp, on; ") and "groups Бухгалтерия; last use 2" in line for line in lines)
    assert any(line.startswith("ivanova: local, on; ") and line.endswith("never used") for line in lines)
    with pytest.raises(ConfigError, match="signs in through 'corp': the password is changed there"):
        run("passwd", "petrov", "--generate")
    with database.transaction() as session:
        session.query(UserRow).filter_by(name="petrov").one().left_at = session.query(SessionRow).one().used_at
    assert listed("petrov")["state"] == "left"


@pytest.mark.parametrize("command", ["disable", "enable", "sign-out", "remove", "grant", "revoke", "expire"])
def test_a_name_that_nobody_has(database: Database, command: str) -> None:
    more = {"grant": ["--level", "2"], "revoke": ["--role", "admin"], "expire": ["never"]}
    with pytest.raises(NotFound, match="see `assistant users list`"):
        run(command, "nobody", *more.get(command, []))
