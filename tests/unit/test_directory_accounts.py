"""Accounts of people from a directory, in a real SQLite file: whose they are, how they are called, how long they last."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.access.principal import AccessClass
from assistant.accounts.service import AccountService
from assistant.errors import AccessDenied, ConfigError, SignInUnavailable, WrongPassword
from assistant.parts.sign_in import Identity
from assistant.records.account_tables import SessionRow
from assistant.records.database import Database
from assistant.records.tokens import Tokens
from assistant.records.users import Users
from assistant.settings_security import Auth, LocalAccounts
from tests.unit.accounts import PASSWORD, Directory, audit_of, checked_ago, count_sessions, prepared, rows, service

DUE, LATE = timedelta(minutes=16), timedelta(minutes=61)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("directory") / "assistant.db", "ivanova")


@pytest.fixture
def database(made: Path, tmp_path: Path) -> Database:
    return Database(f"sqlite:///{shutil.copy(made, tmp_path)}")


@pytest.fixture
def corp() -> Directory:
    found = Directory()
    found.person("petrov", "id-7", groups=("Бухгалтерия", "all"), display="Пётр Петров")
    return found


@pytest.fixture
def accounts(database: Database, corp: Directory) -> AccountService:
    return service(database, corp)


def identity(name: str, subject: str, source: str = "sso", **more: object) -> Identity:
    return Identity(source, subject, name, **more)  # type: ignore[arg-type]


def test_an_entry_makes_an_account_with_what_the_directory_says(accounts: AccountService, database: Database) -> None:
    who = accounts.of_session(accounts.sign_in("petrov", PASSWORD))
    assert who is not None
    assert (who.name, who.roles, who.departments, who.level) == ("petrov", {"user", "engineer"}, frozenset(), 1)
    assert who.grants == {AccessClass("finance", 2)}
    row = rows(database)["petrov"]
    assert (row.source, row.subject, row.display_name) == ("corp", "id-7", "Пётр Петров")
    assert (row.groups, row.password_hash) == (["all", "Бухгалтерия"], "")
    assert row.checked_at is not None


def test_the_next_entry_brings_it_up_to_date(accounts: AccountService, database: Database, corp: Directory) -> None:
    first = accounts.of_session(accounts.sign_in("petrov", PASSWORD))
    Users(database, audit_of(database)).grant("petrov", roles=["admin"], departments=["hr"], level=3)
    corp.people.clear()
    corp.person("petrov-sidorov", "id-7", groups=("all",), display="Пётр Сидоров")
    again = accounts.of_session(accounts.sign_in("petrov-sidorov", PASSWORD))
    assert first is not None
    assert again is not None
    assert (again.id, again.name, again.grants) == (first.id, "petrov-sidorov", frozenset())
    assert (again.roles, again.departments, again.level) == ({"user", "admin"}, {"hr"}, 3), "what was given here stays"
    assert "petrov" not in rows(database)


def test_nobody_gets_the_account_of_another_by_its_name(accounts: AccountService, database: Database) -> None:
    service(database, session_hours={"sso": 8, "two": 8})
    local = rows(database)["ivanova"].id
    for subject in ("a", "b", "c"):
        accounts.enter(identity("ivanova", subject))
    accounts.enter(identity("ivanova", "a", source="two"))
    found = rows(database)
    assert set(found) == {"ivanova", "ivanova@sso", "ivanova@sso-2", "ivanova@sso-3", "ivanova@two"}
    assert found["ivanova"].id == local
    assert found["ivanova"].source == "local"
    accounts.enter(identity("ivanova", "b"))
    assert {name: row.id for name, row in rows(database).items()} == {name: row.id for name, row in found.items()}
    Users(database, audit_of(database)).remove("ivanova")
    accounts.enter(identity("ivanova", "b"))
    assert rows(database)["ivanova@sso-2"].id == found["ivanova@sso-2"].id, "an account keeps the name that it has"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("ivanova\u202e", "ivanova@sso"),  # would look the same
        ("ivanova\0", "ivanova@sso"),
        (" ivanova\n", "ivanova@sso"),
        ("", "?"),
        ("x" * 1000, "x" * 177),
        ("анна", "анна"),
        ("<b>anna</b>", "<b>anna</b>"),
    ],
)
def test_names_that_pretend(accounts: AccountService, database: Database, name: str, kept: str) -> None:
    accounts.enter(identity(name, "1"))
    assert set(rows(database)) == {"ivanova", kept}


@pytest.mark.parametrize(("source", "subject"), [("local", "1"), ("sso", ""), ("sso", "x" * 301)])
def test_an_identity_that_can_not_be_kept_is_refused(
    accounts: AccountService, database: Database, source: str, subject: str
) -> None:
    with pytest.raises(AccessDenied):
        accounts.enter(identity("anna", subject, source=source))
    assert set(rows(database)) == {"ivanova"}


def test_two_first_entries_at_once_make_one_account(database: Database) -> None:
    accounts = service(database, session_hours={"sso": 8})
    together = threading.Barrier(6)

    def enter(_: int) -> str:
        together.wait()
        return accounts.enter(identity("anna", "1"))

    with ThreadPoolExecutor(6) as pool:
        sessions = list(pool.map(enter, range(6)))
    assert set(rows(database)) == {"ivanova", "anna"}
    assert len({accounts.of_session(one) for one in sessions}) == 1


def test_an_account_that_is_off_here_stays_out(accounts: AccountService, database: Database) -> None:
    session_id = accounts.sign_in("petrov", PASSWORD)
    Users(database, audit_of(database)).disable("petrov")
    assert accounts.of_session(session_id) is None
    with pytest.raises(AccessDenied, match="switched off"):
        accounts.sign_in("petrov", PASSWORD)
    Users(database, audit_of(database)).enable("petrov")
    Users(database, audit_of(database)).expire("petrov", datetime.now(UTC))
    with pytest.raises(AccessDenied, match="switched off"):
        accounts.sign_in("petrov", PASSWORD)
    assert count_sessions(database) == 0


# --- which way is asked


def test_a_local_name_is_asked_here_alone(accounts: AccountService, corp: Directory) -> None:
    corp.person("ivanova", "id-1", password="the directory's")
    with pytest.raises(WrongPassword):
        accounts.sign_in("ivanova", "the directory's")
    assert accounts.sign_in("ivanova", PASSWORD)
    assert corp.asked == []
    who = accounts.of_session(accounts.sign_in("ivanova@corp", "the directory's"))
    assert who is not None
    assert (who.name, corp.asked) == ("ivanova@corp", ["check ivanova"])


@pytest.mark.parametrize("password", ["", " ", "\t\n"])
def test_no_password_is_refused_before_anybody_is_asked(
    accounts: AccountService, corp: Directory, password: str
) -> None:
    corp.person("sidorov", "id-8", password=password)  # as a server that takes it for an anonymous bind
    with pytest.raises(WrongPassword):
        accounts.sign_in("sidorov", password)
    assert corp.asked == []


def test_ways_are_asked_in_order_and_one_that_is_down_does_not_keep_the_next_from_vouching(database: Database) -> None:
    first, second = Directory("first", down=True), Directory("second")
    second.person("petrov", "2")
    accounts = service(database, first, second)
    who = accounts.of_session(accounts.sign_in("petrov", PASSWORD))
    assert who is not None
    assert (first.asked, second.asked) == (["check petrov"], ["check petrov"])
    with pytest.raises(SignInUnavailable):
        accounts.sign_in("petrov", "wrong")  # the first might have said yes
    first.down = False
    with pytest.raises(WrongPassword):
        accounts.sign_in("petrov", "wrong")
    assert accounts.sign_in("ivanova", PASSWORD), "local accounts need no directory"


def test_directories_have_names_of_their_own(database: Database) -> None:
    for ways in ([Directory("local")], [Directory("corp"), Directory("corp")]):
        with pytest.raises(ConfigError, match="a name of its own"):
            service(database, *ways)


def test_the_form_is_there_for_a_directory_alone(database: Database, corp: Directory) -> None:
    alone = Auth(local=LocalAccounts(enabled=False))
    assert service(database, corp, settings=alone).has_passwords
    assert not service(database, settings=alone, session_hours={"sso": 8}).has_passwords
    corp.person("ivanova", "id-1")
    accounts = service(database, corp, settings=alone)
    who = accounts.of_session(accounts.sign_in("ivanova", PASSWORD))
    assert who is not None
    assert who.name == "ivanova@corp", "the local account of that name is not his, though nobody signs in with it"


# --- asked again


def test_a_session_asks_again_when_it_is_time(accounts: AccountService, database: Database, corp: Directory) -> None:
    session_id = accounts.sign_in("petrov", PASSWORD)
    corp.asked.clear()
    corp.person("petrov", "id-7", groups=("all",))
    before = accounts.of_session(session_id)
    checked_ago(database, timedelta(minutes=14))
    assert accounts.of_session(session_id) == before
    assert corp.asked == []
    checked_ago(database, timedelta(minutes=2))
    after = accounts.of_session(session_id)
    assert after is not None
    assert (after.roles, after.grants) == ({"user"}, frozenset())
    assert accounts.of_session(session_id) == after
    assert corp.asked == ["look up id-7"]


def test_who_left_loses_all_sessions_and_tokens_until_he_is_back(
    accounts: AccountService, database: Database, corp: Directory
) -> None:
    sessions = [accounts.sign_in("petrov", PASSWORD) for _ in range(2)]
    _, secret = Tokens(database, audit_of(database)).create("petrov", "ci", days=30)
    who = accounts.of_session(sessions[0])
    assert who is not None
    corp.people.clear()
    checked_ago(database, DUE)
    assert accounts.of_session(sessions[0]) is None
    assert count_sessions(database) == 0
    assert accounts.of_token(secret) is None
    with pytest.raises(AccessDenied, match="sign in first"):
        Users(database, audit_of(database)).of_id(who.id)
    assert corp.asked.count("look up id-7") == 1
    corp.person("petrov", "id-7")
    assert accounts.of_token(secret) is None
    checked_ago(database, DUE)
    assert accounts.of_token(secret) is not None
    assert accounts.of_session(sessions[1]) is None
    assert accounts.of_session(accounts.sign_in("petrov", PASSWORD)) is not None


def test_a_program_alone_makes_the_directory_be_asked(
    accounts: AccountService, database: Database, corp: Directory
) -> None:
    accounts.sign_in("petrov", PASSWORD)
    _, secret = Tokens(database, audit_of(database)).create("petrov", "ci", days=30)
    assert accounts.named("petrov").name == "petrov"
    corp.people.clear()
    checked_ago(database, DUE)
    assert accounts.of_token(secret) is None
    with pytest.raises(AccessDenied):
        accounts.named("petrov")


def test_a_directory_that_does_not_answer_keeps_nobody_out_for_a_while(
    accounts: AccountService, database: Database, corp: Directory
) -> None:
    session_id = accounts.sign_in("petrov", PASSWORD)
    corp.asked.clear()
    corp.down = True
    checked_ago(database, timedelta(minutes=59))
    for _ in range(3):
        assert accounts.of_session(session_id) is not None
    assert corp.asked == ["look up id-7"], "then it rests: not every request waits for its timeout"
    checked_ago(database, timedelta(minutes=2))
    with pytest.raises(SignInUnavailable, match="'corp' does not answer.*try again in a few minutes"):
        accounts.of_session(session_id)
    assert count_sessions(database) == 1, "it is the directory that is away, not the person"
    corp.down = False
    again = service(database, corp)  # as half a minute later
    assert again.of_session(session_id) is not None


@pytest.mark.parametrize("ago", [DUE, LATE])
def test_many_requests_at_once_make_one_look_up(
    accounts: AccountService, database: Database, corp: Directory, ago: timedelta
) -> None:
    session_id = accounts.sign_in("petrov", PASSWORD)
    corp.asked.clear()
    corp.hold = threading.Event()
    checked_ago(database, ago)
    threading.Timer(0.3, corp.hold.set).start()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: accounts.of_session(session_id), range(8)))
    assert all(found)
    assert corp.asked == ["look up id-7"]


def test_a_way_that_the_settings_have_no_more_opens_nothing(accounts: AccountService, database: Database) -> None:
    session_id = accounts.sign_in("petrov", PASSWORD)
    _, secret = Tokens(database, audit_of(database)).create("petrov", "ci", days=30)
    without = service(database)
    assert without.of_session(session_id) is None
    assert without.of_token(secret) is None


def test_a_session_of_a_single_sign_on_ends_by_its_age(database: Database) -> None:
    accounts = service(database, session_hours={"sso": 8})
    session_id = accounts.enter(identity("anna", "1"), sid="s", id_token="t")
    _, secret = Tokens(database, audit_of(database)).create("anna", "ci", days=300)
    with database.transaction() as session:
        row = session.query(SessionRow).one()
        assert (row.sid, row.id_token) == ("s", "t")
        row.created_at -= timedelta(hours=7, minutes=59)
    assert accounts.of_session(session_id) is not None
    with database.transaction() as session:
        session.query(SessionRow).one().created_at -= timedelta(minutes=2)
    assert accounts.of_session(session_id) is None
    checked_ago(database, timedelta(days=29))
    assert accounts.of_token(secret) is not None
    checked_ago(database, timedelta(days=2))
    assert accounts.of_token(secret) is None, "nobody has vouched for the person for a month"
