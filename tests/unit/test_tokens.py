"""Tokens of programs, in a real SQLite file: what is kept of them, when they end, and whose rights they give."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from assistant.access.principal import Principal
from assistant.access.rights import Rights
from assistant.errors import ConfigError, NotFound
from assistant.records.account_tables import ApiTokenRow, UserRow
from assistant.records.database import Database
from assistant.records.tokens import Tokens
from assistant.records.users import Users, principal_of
from tests.unit.accounts import audit_of


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tokens") / "assistant.db"
    database = Database(f"sqlite:///{file}")
    database.migrate(file.with_name("lock"))
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("лесной-еж-42")
    users = Users(database, audit_of(database))
    for name in ("Иванова", "Петров"):
        users.add(name, "лесной-еж-42", roles=["engineer"], departments=["hr"], level=2)
    with database.transaction() as session:
        session.execute(update(UserRow).values(password_hash=cheap))
    database.close()
    return file


@pytest.fixture
def database(prepared: Path, tmp_path: Path) -> Database:
    return Database(f"sqlite:///{shutil.copy(prepared, tmp_path)}")


@pytest.fixture
def users(database: Database) -> Users:
    return Users(database, audit_of(database))


@pytest.fixture
def tokens(database: Database) -> Tokens:
    return Tokens(database, audit_of(database))


def who(tokens: Tokens, secret: str) -> Principal | None:
    found = tokens.find(secret)
    return principal_of(found[1], Rights()) if found else None


def age(database: Database, by: timedelta) -> None:
    """As if everything about the tokens had been that much earlier."""
    with database.transaction() as session:
        for row in session.scalars(select(ApiTokenRow)):
            row.created_at -= by
            row.expires_at -= by
            row.used_at = row.used_at - by if row.used_at else None


def test_a_token_gives_its_persons_rights_of_this_moment(tokens: Tokens, users: Users, database: Database) -> None:
    _, secret = tokens.create("Иванова", "Open WebUI", days=30)
    assert who(tokens, secret) == users.find("Иванова")
    with database.transaction() as session:
        session.execute(
            update(UserRow).where(UserRow.name == "Иванова").values(roles=["user"], departments=[], level=1)
        )
    found = who(tokens, secret)
    assert found is not None
    assert (found.roles, found.departments, found.level) == (frozenset({"user"}), frozenset(), 1)


def test_the_secret_is_nowhere_in_the_file(tokens: Tokens, database: Database, tmp_path: Path) -> None:
    token, secret = tokens.create("Иванова", "ci", days=30)
    who(tokens, secret)
    database.close()
    assert secret.startswith("lca_")
    assert len(secret) > 40
    for file in filter(Path.is_file, tmp_path.rglob("*")):  # the audit's among them
        assert secret.encode() not in file.read_bytes()
        assert secret.removeprefix("lca_").encode() not in file.read_bytes()
    assert who(tokens, token.id) is None, "what lists show opens nothing"


@pytest.mark.parametrize("wrong", ["", "lca_", "lca_" + "x" * 43, "' or 1=1 --", "x" * 100_000, "\0"])
def test_another_token_is_nobodys(tokens: Tokens, wrong: str) -> None:
    _, secret = tokens.create("Иванова", "ci", days=30)
    assert who(tokens, wrong) is None
    assert who(tokens, secret[:-1]) is None
    assert who(tokens, secret + "x") is None


def test_it_ends_by_itself(tokens: Tokens, database: Database) -> None:
    _, secret = tokens.create("Иванова", "ci", days=30)
    age(database, timedelta(days=29, hours=23))
    assert who(tokens, secret) is not None
    age(database, timedelta(hours=1))
    assert who(tokens, secret) is None
    assert [one.is_over for one in tokens.list("Иванова")] == [True]


def test_it_ends_with_its_person_and_when_revoked(tokens: Tokens, users: Users) -> None:
    first, secret = tokens.create("Иванова", "first", days=1)
    _, second = tokens.create("Иванова", "second", days=1)
    _, other = tokens.create("Петров", "first", days=1)
    with pytest.raises(NotFound, match="has no token"):
        tokens.revoke("Петров", first.id)
    assert tokens.revoke("Иванова", first.id).name == "first"
    assert who(tokens, secret) is None
    assert tokens.revoke("Иванова", "second").name == "second"
    assert who(tokens, second) is None
    assert who(tokens, other) is not None
    users.remove("Петров")
    assert who(tokens, other) is None
    users.add("Петров", "лесной-еж-42", roles=[], departments=["*"], level=9)
    assert who(tokens, other) is None, "nor does a new account of the same name have it"
    assert tokens.list("Петров") == []


def test_the_last_use_is_noted_once_a_minute(tokens: Tokens, database: Database) -> None:
    _, secret = tokens.create("Иванова", "ci", days=30)
    assert tokens.list("Иванова")[0].used_at is None
    who(tokens, secret)
    first = tokens.list("Иванова")[0].used_at
    who(tokens, secret)
    assert tokens.list("Иванова")[0].used_at == first
    age(database, timedelta(minutes=2))
    who(tokens, secret)
    second = tokens.list("Иванова")[0].used_at
    assert first is not None
    assert second is not None
    assert second >= first


@pytest.mark.parametrize(("name", "said"), [("", "needs a name"), ("x" * 101, "needs a name"), ("ci", "already")])
def test_a_name_that_is_refused(tokens: Tokens, name: str, said: str) -> None:
    tokens.create("Иванова", "ci", days=30)
    with pytest.raises(ConfigError, match=said):
        tokens.create("Иванова", name, days=30)
    assert len(tokens.list("Иванова")) == 1
    with pytest.raises(NotFound, match="there is no user"):
        tokens.create("Никто", "ci", days=30)
    with pytest.raises(NotFound, match="there is no user"):
        tokens.list("Никто")


def test_what_it_opens_is_kept_and_is_little_by_default(tokens: Tokens) -> None:
    assert tokens.create("Иванова", "a", days=1)[0].scopes == ("ask",)
    token, secret = tokens.create("Иванова", "b", days=1, scopes=["documents", "ask", "ask"])
    assert token.scopes == ("ask", "documents")
    found = tokens.find(secret)
    assert found is not None
    assert found[0].scopes == ["ask", "documents"]
    assert [one.scopes for one in tokens.list("Иванова")] == [("ask",), ("ask", "documents")]


@pytest.mark.parametrize(
    ("scopes", "days", "said"),
    [
        (["ask", "everything"], 1, "no scope 'everything': choose from ask, conversations, documents, admin"),
        ([], 1, "needs a scope"),
        (["ask"], 0, "1 to 3650 days"),
        (["ask"], 3651, "1 to 3650 days"),
    ],
)
def test_scopes_and_times_that_are_none(tokens: Tokens, scopes: list[str], days: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        tokens.create("Иванова", "ci", days=days, scopes=scopes)
    assert tokens.list("Иванова") == []
