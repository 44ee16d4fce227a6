"""Accounts in a real SQLite file for the tests, with cheap hashes, and a directory that says what the test wants."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from argon2 import PasswordHasher
from sqlalchemy import select, update

from assistant.access.counts import Counts
from assistant.access.principal import AccessClass
from assistant.access.rights import GroupRights, Rights
from assistant.access.throttle import Throttle
from assistant.accounts.service import AccountService
from assistant.errors import SignInUnavailable
from assistant.parts.sign_in import Identity, PasswordSignIn
from assistant.records.account_tables import SessionRow, UserRow
from assistant.records.audit import Audit
from assistant.records.database import Database
from assistant.records.directory_accounts import DirectoryAccounts
from assistant.records.known_browsers import KnownBrowsers
from assistant.records.sessions import Sessions
from assistant.records.tokens import Tokens
from assistant.records.users import Users
from assistant.settings_security import Auth, Limits

PASSWORD = "лесной-еж-42"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
RIGHTS = Rights({"бухгалтерия": GroupRights(frozenset({AccessClass("finance", 2)}), frozenset({"engineer"}))})


def prepared(file: Path, *names: str) -> Path:
    """A database with these accounts; their hashes are cheap ones, which keeps the tests quick."""
    database = Database(f"sqlite:///{file}")
    database.migrate(file.with_name("lock"))
    users = Users(database, audit_of(database))
    for name in names:
        users.add(name, PASSWORD, roles=["engineer"], departments=["hr", "sales", "hr"], level=2)
    with database.transaction() as session:
        session.execute(update(UserRow).values(password_hash=CHEAP.hash(PASSWORD)))
    database.close()
    return file


def audit_of(database: Database) -> Audit:
    """Its files lie beside the database's."""
    return Audit(database, Path(database.url.removeprefix("sqlite:///")).with_suffix(".audit"))


def service(
    database: Database,
    *ways: PasswordSignIn,
    settings: Auth | None = None,
    rights: Rights = RIGHTS,
    session_hours: dict[str, float] | None = None,
    limits: Limits | None = None,
) -> AccountService:
    audit = audit_of(database)
    return AccountService(
        Users(database, audit, rights),
        Sessions(database, idle_hours=12, max_days=30),
        Tokens(database, audit),
        DirectoryAccounts(database, audit),
        KnownBrowsers(database),
        audit=audit,
        throttle=Throttle(limits or Limits(), Counts()),
        rights=rights,
        ways=ways,
        settings=settings or Auth(),
        session_hours=session_hours,
    )


def rows(database: Database) -> dict[str, UserRow]:
    with database.transaction() as session:
        return {row.name: row for row in session.scalars(select(UserRow))}


def count_sessions(database: Database) -> int:
    with database.transaction() as session:
        return len(session.scalars(select(SessionRow)).all())


def checked_ago(database: Database, by: timedelta) -> None:
    """As if directories had last been asked about everybody that much earlier."""
    with database.transaction() as session:
        for row in session.scalars(select(UserRow).where(UserRow.checked_at.is_not(None))):
            assert isinstance(row.checked_at, datetime)
            row.checked_at -= by


@dataclass
class Directory:
    """A way with a password over people in memory: down, slow or changed when the test says so."""

    name: str = "corp"
    label: str = "Staff"
    people: dict[str, tuple[str, Identity]] = field(default_factory=dict)  # by name: password, who
    down: bool = False
    asked: list[str] = field(default_factory=list)
    hold: threading.Event | None = None  # answers only when it is set

    def person(
        self, name: str, subject: str, *, groups: tuple[str, ...] = (), display: str = "", password: str = PASSWORD
    ) -> None:
        self.people[name] = (password, Identity(self.name, subject, name, display, "", groups))

    def check(self, name: str, password: str) -> Identity | None:
        self.asked.append(f"check {name}")
        self._answer()
        found = self.people.get(name)
        return found[1] if found and found[0] == password else None

    def look_up(self, subject: str) -> Identity | None:
        self.asked.append(f"look up {subject}")
        if self.hold is not None:
            assert self.hold.wait(20)
        self._answer()
        return next((who for _, who in self.people.values() if who.subject == subject), None)

    def _answer(self) -> None:
        if self.down:
            raise SignInUnavailable(f"the directory '{self.name}' does not answer")
