"""Local accounts and sessions, in a real SQLite file."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from assistant.errors import ConfigError, NotFound
from assistant.records.account_tables import SessionRow, UserRow
from assistant.records.database import Database
from assistant.records.users import ROLES, Users, generate_password

PASSWORD = "лесной-еж-42"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one account; its hash is a cheap one, which keeps the tests quick."""
    file = tmp_path_factory.mktemp("users") / "assistant.db"
    database = Database(f"sqlite:///{file}")
    database.migrate(file.with_name("lock"))
    users = Users(database)
    users.add("Иванова", PASSWORD, roles=["engineer"], departments=["hr", "sales", "hr"], level=2)
    with database.transaction() as session:
        session.execute(update(UserRow).values(password_hash=CHEAP.hash(PASSWORD)))
    database.close()
    return file


@pytest.fixture
def file(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(prepared, tmp_path))


@pytest.fixture
def database(file: Path) -> Database:
    return Database(f"sqlite:///{file}")


@pytest.fixture
def users(database: Database) -> Users:
    return Users(database)


def signed_in(users: Users, name: str = "Иванова", password: str = PASSWORD) -> str:
    session_id = users.sign_in(name, password)
    assert session_id is not None
    return session_id


def age(database: Database, *, used: timedelta, created: timedelta) -> None:
    """As if all sessions had been used and made that long ago."""
    with database.transaction() as session:
        row = session.scalars(select(SessionRow)).one()
        times = {"used_at": row.used_at - used, "created_at": row.created_at - created}
        session.execute(update(SessionRow).values(times))


def test_an_account_has_its_rights(users: Users) -> None:
    found = users.find("Иванова")
    assert (found.name, found.level) == ("Иванова", 2)
    assert found.roles == {"user", "engineer"}
    assert found.departments == {"hr", "sales"}
    assert users.list() == [found]


def test_neither_the_password_nor_the_session_is_in_the_file(users: Users, database: Database, file: Path) -> None:
    session_id = signed_in(users)
    users.set_password("Иванова", PASSWORD)
    database.close()
    raw = b"".join(part.read_bytes() for part in file.parent.iterdir() if part.name.startswith(file.name))
    assert "Иванова".encode() in raw
    assert PASSWORD.encode() not in raw
    assert session_id.encode() not in raw


def test_equal_passwords_have_different_hashes(users: Users, database: Database) -> None:
    users.add("Петров", PASSWORD, roles=[], departments=[], level=1)
    users.set_password("Иванова", PASSWORD)
    with database.transaction() as session:
        hashes = set(session.scalars(select(UserRow.password_hash)))
    assert len(hashes) == 2
    assert all(stored.startswith("$argon2id$v=19$m=65536,") for stored in hashes)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("Иванова", "лесной-еж-43"),
        ("Иванова", ""),
        ("иванова", PASSWORD),
        ("Никто", PASSWORD),
        ("", ""),
        ("%", PASSWORD),
    ],
)
def test_a_wrong_name_or_password_opens_nothing(users: Users, database: Database, name: str, password: str) -> None:
    assert users.sign_in(name, password) is None
    with database.transaction() as session:
        assert session.scalars(select(SessionRow)).all() == []


def test_a_session_is_its_persons_until_signed_out(users: Users) -> None:
    one, other = signed_in(users), signed_in(users, " Иванова ")
    assert one != other
    assert len(one) >= 40
    assert users.of_session(one) == users.find("Иванова")
    users.sign_out(one)
    assert users.of_session(one) is None
    assert users.of_session(other) is not None


@pytest.mark.parametrize("session_id", ["", "x", "' OR 1=1 --", "ё" * 5000])
def test_an_unknown_session_is_nobodys(users: Users, session_id: str) -> None:
    signed_in(users)
    assert users.of_session(session_id) is None
    users.sign_out(session_id)


@pytest.mark.parametrize(
    ("used", "created", "stands"),
    [
        (timedelta(hours=11), timedelta(hours=11), True),
        (timedelta(hours=13), timedelta(hours=13), False),
        (timedelta(minutes=1), timedelta(days=29), True),
        (timedelta(minutes=1), timedelta(days=31), False),
    ],
)
def test_a_session_ends_when_idle_or_old(
    users: Users, database: Database, used: timedelta, created: timedelta, stands: bool
) -> None:
    session_id = signed_in(users)
    age(database, used=used, created=created)
    assert (users.of_session(session_id) is not None) == stands


def test_use_keeps_a_session_alive(users: Users, database: Database) -> None:
    session_id = signed_in(users)
    for _ in range(2):
        age(database, used=timedelta(hours=11), created=timedelta(0))
        assert users.of_session(session_id) is not None


def test_sessions_that_are_over_are_swept_at_the_next_sign_in(users: Users, database: Database) -> None:
    signed_in(users)
    age(database, used=timedelta(days=31), created=timedelta(days=31))
    signed_in(users)
    with database.transaction() as session:
        assert len(session.scalars(select(SessionRow)).all()) == 1


def test_a_new_password_ends_the_sessions_of_the_old_one(users: Users) -> None:
    session_id = signed_in(users)
    users.set_password("Иванова", "another-password")
    assert users.of_session(session_id) is None
    assert users.sign_in("Иванова", PASSWORD) is None
    signed_in(users, password="another-password")


def test_removal_ends_the_sessions_and_frees_the_name(users: Users) -> None:
    session_id = signed_in(users)
    before = users.find("Иванова")
    users.remove("Иванова")
    assert users.of_session(session_id) is None
    assert users.list() == []
    again = users.add("Иванова", PASSWORD, roles=[], departments=[], level=1)
    assert again.id != before.id
    assert users.of_session(session_id) is None


def test_unknown_people_can_not_be_changed(users: Users) -> None:
    for attempt in (users.find, users.remove, lambda name: users.set_password(name, PASSWORD)):
        with pytest.raises(NotFound, match="there is no user 'Никто': see `assistant users list`"):
            attempt("Никто")


@pytest.mark.parametrize(
    ("name", "password", "roles", "said"),
    [
        ("Иванова", PASSWORD, [], "there is already a user 'Иванова'"),
        ("  Иванова ", PASSWORD, [], "there is already a user 'Иванова'"),
        ("  ", PASSWORD, [], "a user needs a name"),
        ("Петров", "123456789", [], "at least 10 characters"),
        ("Петров", PASSWORD, ["boss"], f"unknown role 'boss'; known: {', '.join(ROLES)}"),
    ],
)
def test_an_account_that_is_refused(users: Users, name: str, password: str, roles: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        users.add(name, password, roles=roles, departments=[], level=1)
    assert said in str(refused.value)
    assert PASSWORD not in str(refused.value)
    assert len(users.list()) == 1


def test_a_short_new_password_leaves_the_old_one(users: Users) -> None:
    session_id = signed_in(users)
    with pytest.raises(ConfigError, match="at least 10 characters"):
        users.set_password("Иванова", "short")
    assert users.of_session(session_id) is not None
    signed_in(users)


def test_a_generated_password_is_good_enough_and_never_the_same() -> None:
    made = {generate_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(password) == 23 for password in made)
    assert set("".join(made)).isdisjoint(set("il1o0 "))
