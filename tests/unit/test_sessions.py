"""Sessions of local accounts, in a real SQLite file: when they begin, how long they stand, what ends them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, update

from assistant.accounts.service import AccountService
from assistant.errors import AccessDenied, ConfigError, LimitReached, WrongPassword
from assistant.records.account_tables import SessionRow
from assistant.records.database import Database
from assistant.records.sessions import Sessions
from assistant.records.tokens import Tokens
from assistant.records.users import Users
from assistant.settings_security import Auth, LocalAccounts
from tests.unit.accounts import PASSWORD, audit_of, count_sessions, prepared, rows, service


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("sessions") / "assistant.db", "Иванова")


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path))


@pytest.fixture
def database(file: Path) -> Database:
    return Database(f"sqlite:///{file}")


@pytest.fixture
def users(database: Database) -> Users:
    return Users(database, audit_of(database))


@pytest.fixture
def accounts(database: Database) -> AccountService:
    return service(database)


def age(database: Database, *, used: timedelta, created: timedelta) -> None:
    """As if all sessions had been used and made that long ago."""
    with database.transaction() as session:
        row = session.scalars(select(SessionRow)).one()
        times = {"used_at": row.used_at - used, "created_at": row.created_at - created}
        session.execute(update(SessionRow).values(times))


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("Иванова", "лесной-еж-43"),
        ("Иванова", ""),
        ("Иванова", " \t"),
        ("иванова", PASSWORD),
        ("Никто", PASSWORD),
        ("", ""),
        ("%", PASSWORD),
        ("Ива\0нова\0", PASSWORD + "\0"),
        ("Иванова@corp", PASSWORD),
    ],
)
def test_a_wrong_name_or_password_opens_nothing(
    accounts: AccountService, database: Database, name: str, password: str
) -> None:
    with pytest.raises(WrongPassword, match="^the name or the password is wrong$"):
        accounts.sign_in(name, password)
    assert count_sessions(database) == 0


def test_a_session_is_its_persons_until_signed_out(accounts: AccountService, users: Users) -> None:
    one, other = accounts.sign_in("Иванова", PASSWORD), accounts.sign_in(" Иванова ", PASSWORD)
    assert one != other
    assert len(one) >= 40
    assert accounts.of_session(one) == users.find("Иванова")
    accounts.sign_out(one)
    assert accounts.of_session(one) is None
    assert accounts.of_session(other) is not None
    accounts.sign_out_everywhere(users.find("Иванова").id)
    assert accounts.of_session(other) is None


def test_a_session_survives_a_restart_and_its_id_is_not_in_the_file(file: Path) -> None:
    first = Database(f"sqlite:///{file}")
    session_id = service(first).sign_in("Иванова", PASSWORD)
    first.close()
    raw = b"".join(part.read_bytes() for part in file.parent.iterdir() if part.name.startswith(file.name))
    assert session_id.encode() not in raw
    second = Database(f"sqlite:///{file}")
    found = service(second).of_session(session_id)
    assert found is not None
    assert found.name == "Иванова"


@pytest.mark.parametrize("session_id", ["", "x", "' OR 1=1 --", "ё" * 5000])
def test_an_unknown_session_is_nobodys(accounts: AccountService, session_id: str) -> None:
    accounts.sign_in("Иванова", PASSWORD)
    assert accounts.of_session(session_id) is None
    accounts.sign_out(session_id)


@pytest.mark.parametrize(
    ("used", "created", "stands"),
    [
        (timedelta(hours=11), timedelta(hours=11), True),
        (timedelta(hours=13), timedelta(hours=13), False),
        (timedelta(minutes=1), timedelta(days=29), True),
        (timedelta(minutes=1), timedelta(days=31), False),
    ],
)
def test_a_session_ends_when_idle_or_old_and_its_row_is_swept(
    accounts: AccountService, database: Database, used: timedelta, created: timedelta, stands: bool
) -> None:
    session_id = accounts.sign_in("Иванова", PASSWORD)
    age(database, used=used, created=created)
    assert (accounts.of_session(session_id) is not None) == stands
    accounts.purge()
    assert count_sessions(database) == stands


def test_use_keeps_a_session_alive(accounts: AccountService, database: Database) -> None:
    session_id = accounts.sign_in("Иванова", PASSWORD)
    for _ in range(2):
        age(database, used=timedelta(hours=11), created=timedelta(0))
        assert accounts.of_session(session_id) is not None


def test_sessions_that_are_over_are_swept_at_the_next_sign_in(accounts: AccountService, database: Database) -> None:
    accounts.sign_in("Иванова", PASSWORD)
    age(database, used=timedelta(hours=13), created=timedelta(hours=13))
    accounts.sign_in("Иванова", PASSWORD)
    assert count_sessions(database) == 1


def test_a_new_password_ends_the_sessions_of_the_old_one(accounts: AccountService, users: Users) -> None:
    session_id = accounts.sign_in("Иванова", PASSWORD)
    with pytest.raises(ConfigError, match="at least 10 characters"):
        users.set_password("Иванова", "short")
    assert accounts.of_session(session_id) is not None
    users.set_password("Иванова", "another-password", must_change=True)
    assert accounts.of_session(session_id) is None
    with pytest.raises(WrongPassword):
        accounts.sign_in("Иванова", PASSWORD)
    found = accounts.visitor(accounts.sign_in("Иванова", "another-password"))
    assert found is not None
    assert found.must_change


def test_removal_ends_sessions_and_a_new_account_of_the_name_has_none(accounts: AccountService, users: Users) -> None:
    session_id = accounts.sign_in("Иванова", PASSWORD)
    users.remove("Иванова")
    assert accounts.of_session(session_id) is None
    users.add("Иванова", PASSWORD, roles=[], departments=[], level=1)
    assert accounts.of_session(session_id) is None


def test_an_account_that_is_off_has_neither_sessions_nor_tokens_and_opens_none(
    accounts: AccountService, users: Users, database: Database
) -> None:
    _, secret = Tokens(database, audit_of(database)).create("Иванова", "ci", days=1)
    session_id = accounts.sign_in("Иванова", PASSWORD)
    assert accounts.of_token(secret) is not None
    users.expire("Иванова", datetime.now(UTC))
    assert accounts.of_session(session_id) is None
    assert accounts.of_token(secret) is None
    users.expire("Иванова", None)
    assert accounts.of_session(session_id) is not None
    users.disable("Иванова")
    assert accounts.of_token(secret) is None
    assert count_sessions(database) == 0
    with pytest.raises(AccessDenied, match="switched off") as refused:
        accounts.sign_in("Иванова", PASSWORD)
    assert not isinstance(refused.value, WrongPassword)
    with pytest.raises(WrongPassword):
        accounts.sign_in("Иванова", "wrong")
    users.enable("Иванова")
    assert accounts.of_session(session_id) is None, "what was ended stays so"
    assert accounts.of_token(secret) is not None


def test_without_local_accounts_theirs_open_nothing(accounts: AccountService, database: Database) -> None:
    session_id = accounts.sign_in("Иванова", PASSWORD)
    closed = service(database, settings=Auth(local=LocalAccounts(enabled=False)))
    assert closed.of_session(session_id) is None
    assert not closed.has_passwords
    with pytest.raises(WrongPassword):
        closed.sign_in("Иванова", PASSWORD)


def test_the_last_request_is_noted(accounts: AccountService, database: Database) -> None:
    assert rows(database)["Иванова"].used_at is None
    session_id = accounts.sign_in("Иванова", PASSWORD)
    first = rows(database)["Иванова"].used_at
    assert first is not None
    age(database, used=timedelta(minutes=2), created=timedelta(0))
    accounts.of_session(session_id)
    second = rows(database)["Иванова"].used_at
    assert second is not None
    assert second > first


def test_a_stranger_does_not_keep_a_person_from_changing_the_password(accounts: AccountService, users: Users) -> None:
    """Both at one address, the office's."""
    session_id = accounts.sign_in("Иванова", PASSWORD, address="192.0.2.1")
    found = accounts.of_session(session_id)
    assert found
    for _ in range(6):
        with pytest.raises((WrongPassword, LimitReached)):
            accounts.sign_in("Иванова", "guess", address="192.0.2.1")
    assert accounts.change_password(found.id, PASSWORD, "another-password", address="192.0.2.1")
    for _ in range(5):
        with pytest.raises(WrongPassword):
            accounts.change_password(found.id, "guess", "third-password", address="192.0.2.1")
    with pytest.raises(LimitReached):  # whoever found the session open
        accounts.change_password(found.id, "another-password", "third-password", address="192.0.2.1")


@pytest.mark.parametrize("change", ["password", "disable", "remove"])
def test_a_sign_in_that_was_on_its_way_is_not_let_in_after_a_change(
    accounts: AccountService, users: Users, database: Database, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Who knows the old password tries it all the time: one of these is always on its way."""
    audit = accounts._audit
    record = audit.record

    def changed_meanwhile(kind: str, *args: Any, **details: Any) -> int:
        monkeypatch.setattr(audit, "record", record)
        {
            "password": lambda: users.set_password("Иванова", "another-password"),
            "disable": lambda: users.disable("Иванова"),
            "remove": lambda: users.remove("Иванова"),
        }[change]()
        return record(kind, *args, **details)

    monkeypatch.setattr(audit, "record", changed_meanwhile)
    with pytest.raises(AccessDenied):
        accounts.sign_in("Иванова", PASSWORD)
    assert count_sessions(database) == 0


def test_a_session_and_a_token_that_end_while_they_are_looked_up(accounts: AccountService, database: Database) -> None:
    """Their use is noted once a minute: there is nothing to be noted of any more."""
    other = Database(database.url)
    tokens = Tokens(other, audit_of(other))
    token, secret = tokens.create("Иванова", "ci", days=1)
    session_id = accounts.sign_in("Иванова", PASSWORD)
    age(database, used=timedelta(minutes=5), created=timedelta(minutes=5))

    @event.listens_for(database.engine, "before_cursor_execute")
    def ended(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE sessions"):
            Sessions(other, idle_hours=1, max_days=1).end(session_id)
        if statement.startswith("UPDATE api_tokens"):
            tokens.revoke("Иванова", token.id)

    assert accounts.visitor(session_id) is None
    assert accounts.of_token(secret) is None
