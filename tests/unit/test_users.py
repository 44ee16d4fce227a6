"""Local accounts, in a real SQLite file."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from assistant.access.principal import AccessClass
from assistant.errors import AccessDenied, ConfigError, NotFound
from assistant.records.account_tables import UserRow
from assistant.records.database import Database
from assistant.records.passwords import generate_password
from assistant.records.users import ROLES, Users, is_on
from tests.unit.accounts import PASSWORD, RIGHTS, audit_of, prepared


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("users") / "assistant.db", "Иванова")


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path))


@pytest.fixture
def database(file: Path) -> Database:
    return Database(f"sqlite:///{file}")


@pytest.fixture
def users(database: Database) -> Users:
    return Users(database, audit_of(database))


def is_right(users: Users, name: str, password: str) -> bool:
    return users.check_password(users.local(name), password)


def test_an_account_has_its_rights(users: Users) -> None:
    found = users.find("Иванова")
    assert (found.name, found.level) == ("Иванова", 2)
    assert found.roles == {"user", "engineer"}
    assert found.departments == {"hr", "sales"}
    assert users.list() == [found]


def test_the_password_is_not_in_the_file(users: Users, database: Database, file: Path) -> None:
    users.set_password("Иванова", PASSWORD)
    database.close()
    raw = b"".join(part.read_bytes() for part in file.parent.iterdir() if part.name.startswith(file.name))
    assert "Иванова".encode() in raw
    assert PASSWORD.encode() not in raw


def test_equal_passwords_have_different_hashes(users: Users, database: Database) -> None:
    users.add("Петров", PASSWORD, roles=[], departments=[], level=1)
    users.set_password("Иванова", PASSWORD)
    with database.transaction() as session:
        hashes = set(session.scalars(select(UserRow.password_hash)))
    assert len(hashes) == 2
    assert all(stored.startswith("$argon2id$v=19$m=65536,") for stored in hashes)


def test_a_password_that_the_person_must_change(users: Users) -> None:
    users.add("Петров", PASSWORD, roles=[], departments=[], level=1, must_change=True)
    assert users.row("Петров").must_change
    users.set_password("Петров", "another-password")
    assert not users.row("Петров").must_change
    assert is_right(users, "Петров", "another-password")
    assert not is_right(users, "Петров", PASSWORD)


def test_the_length_that_the_settings_want(database: Database) -> None:
    users = Users(database, audit_of(database), min_password_chars=16)
    with pytest.raises(ConfigError, match="at least 16 characters"):
        users.set_password("Иванова", "fifteen-letters")
    with pytest.raises(ConfigError, match="at least 16 characters"):
        users.set_password("Иванова", "short" + " " * 20)
    users.set_password("Иванова", "sixteen--letters")


def test_an_account_is_off_while_disabled_and_when_its_time_is_over(users: Users) -> None:
    who = users.find("Иванова").id
    users.disable("Иванова")
    first = users.row("Иванова").disabled_at
    users.disable("Иванова")
    assert users.row("Иванова").disabled_at == first, "since when it is off stays"
    with pytest.raises(AccessDenied, match="sign in first"):
        users.of_id(who)
    users.enable("Иванова")
    assert users.of_id(who).name == "Иванова"
    users.expire("Иванова", datetime.now(UTC) + timedelta(minutes=1))
    assert is_on(users.row("Иванова"))
    users.expire("Иванова", datetime.now(UTC))
    assert not is_on(users.row("Иванова"))
    with pytest.raises(AccessDenied, match="sign in first"):
        users.of_id(who)
    users.expire("Иванова", None)
    assert users.of_id(who).name == "Иванова"


def test_rights_are_given_and_taken(users: Users) -> None:
    given = users.grant("Иванова", roles=["admin"], departments=["finance"], level=None)
    assert given.departments == {"hr", "sales", "finance"}
    assert (given.roles, given.level) == ({"user", "engineer", "admin"}, 2)
    assert users.grant("Иванова", roles=[], departments=[], level=3).level == 3
    taken = users.revoke("Иванова", roles=["admin", "user"], departments=["hr"])
    assert (taken.roles, taken.departments) == ({"user", "engineer"}, {"sales", "finance"})
    assert users.find("Иванова") == taken
    with pytest.raises(ConfigError, match="has no 'hr' of its own"):
        users.revoke("Иванова", roles=[], departments=["hr"])
    with pytest.raises(ConfigError, match="unknown role 'boss'"):
        users.grant("Иванова", roles=["boss"], departments=[], level=None)


def test_local_accounts_are_put_into_groups(database: Database) -> None:
    users = Users(database, audit_of(database), RIGHTS)
    given = users.grant("Иванова", roles=[], departments=[], level=None, groups=["Бухгалтерия"])
    assert (given.grants, given.departments) == ({AccessClass("finance", 2)}, {"hr", "sales"})
    assert given.all_departments == {"hr", "sales", "finance"}
    made = users.add("новая", PASSWORD, roles=[], departments=[], level=1, groups=["бухгалтерия"])
    assert (made.grants, made.roles) == (given.grants, {"user", "engineer"})
    with pytest.raises(ConfigError, match="no group 'бугалтерия' in the access file: did you mean бухгалтерия"):
        users.add("другая", PASSWORD, roles=[], departments=[], level=1, groups=["бугалтерия"])
    with pytest.raises(ConfigError, match="has no 'кадры' of its own"):
        users.revoke("Иванова", roles=[], departments=[], groups=["кадры"])
    assert users.revoke("Иванова", roles=[], departments=[], groups=["Бухгалтерия"]).grants == frozenset()
    with database.transaction() as session:
        session.execute(update(UserRow).where(UserRow.name == "Иванова").values(source="ldap", groups=["a"]))
    with pytest.raises(ConfigError, match="signs in through 'ldap', which names the groups"):
        users.grant("Иванова", roles=[], departments=[], level=None, groups=["бухгалтерия"])


def test_removal_frees_the_name_for_another_account(users: Users) -> None:
    before = users.find("Иванова")
    users.remove("Иванова")
    assert users.list() == []
    again = users.add("Иванова", PASSWORD, roles=[], departments=[], level=1)
    assert again.id != before.id


def test_unknown_people_can_not_be_changed(users: Users) -> None:
    for attempt in (
        users.find,
        users.remove,
        users.disable,
        users.enable,
        lambda name: users.expire(name, None),
        lambda name: users.set_password(name, PASSWORD),
        lambda name: users.grant(name, roles=[], departments=[], level=None),
    ):
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
    with pytest.raises(ConfigError, match="at least 10 characters"):
        users.set_password("Иванова", "short")
    assert is_right(users, "Иванова", PASSWORD)


def test_a_generated_password_is_good_enough_and_never_the_same() -> None:
    made = {generate_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(password) == 23 for password in made)
    assert set("".join(made)).isdisjoint(set("il1o0 "))
