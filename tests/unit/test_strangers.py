"""What somebody without an account can make the server write: bounded by his address, and nobody else's."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import select

from assistant.accounts.service import AccountService
from assistant.accounts.single_sign_on import SingleSignOnService
from assistant.errors import LimitReached, SignInRefused, SignInUnavailable
from assistant.parts.sign_in import Arrived, Begun, Identity, LoggedOut
from assistant.records.account_tables import AuditEventRow, OneTimeRow
from assistant.records.database import Database
from assistant.records.one_time import OneTime
from assistant.records.sessions import Sessions
from tests.unit.accounts import PASSWORD, Directory, prepared, service

HERE, THERE = "192.0.2.1", "192.0.2.2"


class Provider:
    """Whoever comes back from it is Ivanova."""

    name, label, issuer, session_hours = "sso", "Company", "https://id.example", 10.0

    def begin(self, back_to: str) -> Begun:
        self.begun = getattr(self, "begun", 0) + 1
        return Begun(f"{self.issuer}/?back={back_to}", f"state-{self.begun}", "nonce", "verifier")

    def finish(self, answer: Mapping[str, str], begun: Begun, back_to: str) -> Arrived:
        return Arrived(Identity(self.name, "id-1", "ivanova"), "sid-1", "id-token")

    def goodbye(self, id_token: str, back_to: str) -> str | None:
        return None

    def logged_out(self, token: str) -> LoggedOut:
        raise SignInRefused("no", "invalid")


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database(
        f"sqlite:///{shutil.copy(prepared(tmp_path_factory.mktemp('made') / 'made.db', 'ivanova'), tmp_path)}"
    )


@pytest.fixture
def corp() -> Directory:
    return Directory()


@pytest.fixture
def accounts(database: Database, corp: Directory) -> AccountService:
    return service(database, corp, session_hours={"sso": 10})


@pytest.fixture
def sign_on(database: Database, accounts: AccountService) -> SingleSignOnService:
    sessions = Sessions(database, idle_hours=12, max_days=30)
    return SingleSignOnService([Provider()], accounts, sessions, OneTime(database), public_url="https://a.example")


def written(database: Database, kind: str) -> list[AuditEventRow]:
    with database.transaction() as session:
        return [*session.scalars(select(AuditEventRow).where(AuditEventRow.kind == kind))]


def test_sign_ins_that_are_begun(database: Database, sign_on: SingleSignOnService) -> None:
    for _ in range(120):
        sign_on.begin("sso", "key", address=HERE)
    with pytest.raises(LimitReached):
        sign_on.begin("sso", "key", address=HERE)
    with database.transaction() as session:
        assert len(session.scalars(select(OneTimeRow)).all()) == 120
    assert sign_on.begin("sso", "key", address=THERE)


def test_answers_of_no_provider(database: Database, sign_on: SingleSignOnService) -> None:
    sign_on.begin("sso", "key", address=HERE)
    for number in range(100):
        with pytest.raises(SignInRefused):
            sign_on.finish("sso", {"state": f"made-up-{number}", "code": "x"}, "key", address=HERE)
    assert len(written(database, "sign_in.failed")) == 15
    assert sign_on.finish("sso", {"state": "state-1", "code": "x"}, "key", address=HERE), "a right one gets in"
    for number in range(100):
        with pytest.raises((SignInRefused, LimitReached)):
            sign_on.finish("sso", {"state": f"made-up-{number}", "code": "x"}, "key", address=HERE)
    with pytest.raises(SignInRefused):
        sign_on.finish("sso", {"state": "made-up", "code": "x"}, "key", address=THERE)
    assert len(written(database, "sign_in.failed")) == 16


def test_a_sign_out_of_nobody(database: Database, sign_on: SingleSignOnService) -> None:
    sign_on.begin("sso", "key", address=HERE)
    sign_on.finish("sso", {"state": "state-1", "code": "x"}, "key", address=HERE)
    for _ in range(120):
        assert sign_on.end_by_sid("sso", "https://id.example", "made-up", address=HERE) == 0
    assert written(database, "sign_out") == []
    with pytest.raises(LimitReached):
        sign_on.end_by_sid("sso", "https://id.example", "sid-1", address=HERE)
    assert sign_on.end_by_sid("sso", "https://id.example", "sid-1", address=THERE) == 1
    assert len(written(database, "sign_out")) == 1


def test_names_while_the_directory_is_away(database: Database, accounts: AccountService, corp: Directory) -> None:
    corp.down = True
    for number in range(60):
        with pytest.raises(SignInUnavailable):
            accounts.sign_in(f"name-{number}", PASSWORD, address=HERE)
    assert len(written(database, "sign_in.failed")) == 15
    assert accounts.sign_in("ivanova", PASSWORD, address=HERE), "a local account gets in"


def test_a_refused_person_is_not_taken_for_the_one_whose_name_he_has(
    database: Database, accounts: AccountService
) -> None:
    """Of a single sign-on somebody is `ivanova@sso` here: Ivanova's own account has failed at nothing."""
    stranger = Identity("sso", "id-2", "ivanova")
    accounts.enter(stranger, address=HERE)
    accounts._users.disable("ivanova@sso")
    with pytest.raises(Exception, match="switched off"):
        accounts.enter(stranger, address=HERE)
    (record,) = written(database, "sign_in.failed")
    assert record.actor == "ivanova@sso"


def test_wrong_tokens(database: Database, accounts: AccountService) -> None:
    for _ in range(15):
        accounts.wrong_token(HERE)
    for _ in range(100):
        with pytest.raises(LimitReached):
            accounts.wrong_token(HERE)
    assert [one.details for one in written(database, "sign_in.failed") if "WrongToken" not in one.details] == [
        '{"reason":"LimitReached","way":"token"}'
    ]
    assert len(written(database, "sign_in.failed")) == 16
