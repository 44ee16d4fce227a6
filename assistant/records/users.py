"""Accounts: those kept here with argon2 hashes, and those of people whom a directory sent."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from assistant.access.principal import LOCAL_OPERATOR, Principal
from assistant.access.rights import Rights, group_key
from assistant.errors import AccessDenied, ConfigError, NotFound
from assistant.parts.sign_in import LOCAL
from assistant.records.account_tables import SessionRow, UserRow
from assistant.records.audit import Audit
from assistant.records.database import Database
from assistant.records.passwords import MIN_PASSWORD_CHARS, hash_password, is_password
from assistant.registry import nearest

ROLES = ("user", "engineer", "admin")


class Users:
    """Repository of accounts. A change is kept together with its record in the audit, or not at all.

    `by` is who makes it: the operator of the machine, or somebody on the page.
    """

    def __init__(
        self,
        database: Database,
        audit: Audit,
        rights: Rights | None = None,
        *,
        min_password_chars: int = MIN_PASSWORD_CHARS,
    ) -> None:
        self._database = database
        self._audit = audit
        self._rights = rights or Rights()
        self._min_chars = min_password_chars

    def add(
        self,
        name: str,
        password: str,
        *,
        roles: list[str],
        departments: list[str],
        level: int,
        groups: Iterable[str] = (),
        must_change: bool = False,
        by: Principal = LOCAL_OPERATOR,
    ) -> Principal:
        """Make a local account. Raises `ConfigError` when the name is taken or the password too short."""
        _check_roles(roles)
        self._check_groups(groups)
        row = UserRow(
            id=secrets.token_hex(10),
            name=name.strip(),
            source=LOCAL,
            groups=sorted(set(groups)),
            password_hash=hash_password(password, self._min_chars),
            roles=sorted({"user", *roles}),
            departments=sorted(set(departments)),
            level=level,
            must_change=must_change,
            created_at=datetime.now(UTC),
        )
        note = self._audit.noting("user.added", by, **_described(row))
        with self._database.transaction() as session:
            if not row.name or session.scalar(select(UserRow).where(UserRow.name == row.name)):
                raise ConfigError(f"there is already a user '{row.name}'" if row.name else "a user needs a name")
            note(session)
            session.add(row)
        return principal_of(row, self._rights)

    def set_password(
        self, name: str, password: str, *, must_change: bool = False, by: Principal = LOCAL_OPERATOR
    ) -> UserRow:
        """Replace the password of a local account and end the person's sessions. Raises `NotFound`, `ConfigError`."""

        def change(row: UserRow) -> None:
            if row.source != LOCAL:
                raise ConfigError(f"'{name}' signs in through '{row.source}': the password is changed there")
            row.password_hash = hash_password(password, self._min_chars)
            row.must_change = must_change

        return self._change(name, "user.password", by, change, ends_sessions=True)

    def disable(self, name: str, *, by: Principal = LOCAL_OPERATOR) -> None:
        """Nobody gets in with the account, and what it has open ends; it stays, with all that belongs to it."""

        def change(row: UserRow) -> None:
            row.disabled_at = row.disabled_at or datetime.now(UTC)

        self._change(name, "user.disabled", by, change, ends_sessions=True)

    def enable(self, name: str, *, by: Principal = LOCAL_OPERATOR) -> None:
        def change(row: UserRow) -> None:
            row.disabled_at = None

        self._change(name, "user.enabled", by, change)

    def expire(self, name: str, moment: datetime | None, *, by: Principal = LOCAL_OPERATOR) -> None:
        """The account is off from then on; None takes that back."""

        def change(row: UserRow) -> None:
            row.expires_at = moment

        self._change(name, "user.expires", by, change, at=moment.isoformat() if moment else None)

    def end_sessions(self, name: str, *, by: Principal = LOCAL_OPERATOR) -> None:
        """The person is signed out everywhere. Raises `NotFound`."""
        self._change(name, "user.signed_out", by, lambda _: None, ends_sessions=True)

    def grant(
        self,
        name: str,
        *,
        roles: Iterable[str],
        departments: Iterable[str],
        level: int | None,
        groups: Iterable[str] = (),
        by: Principal = LOCAL_OPERATOR,
    ) -> Principal:
        """Give more; a level is set. Raises `NotFound`, `ConfigError`."""
        _check_roles(roles)
        self._check_groups(groups)

        def change(row: UserRow) -> None:
            _check_own_groups(row, groups)
            row.groups = sorted({*row.groups, *groups})
            row.roles = sorted({*row.roles, *roles})
            row.departments = sorted({*row.departments, *departments})
            row.level = row.level if level is None else level

        return principal_of(self._change(name, "access.changed", by, change), self._rights)

    def revoke(
        self,
        name: str,
        *,
        roles: Iterable[str],
        departments: Iterable[str],
        groups: Iterable[str] = (),
        by: Principal = LOCAL_OPERATOR,
    ) -> Principal:
        """Take away what the account has of its own; what groups give is not its own. Raises `NotFound`, `ConfigError`."""
        _check_roles(roles)

        def change(row: UserRow) -> None:
            _check_own_groups(row, groups)
            lacking = (
                (set(roles) - {*row.roles}) | (set(departments) - {*row.departments}) | (set(groups) - {*row.groups})
            )
            if lacking:
                raise ConfigError(f"'{name}' has no '{min(lacking)}' of its own: see `assistant users list`")
            row.roles = sorted(({*row.roles} - {*roles}) | {"user"})
            row.departments = sorted({*row.departments} - {*departments})
            row.groups = sorted({*row.groups} - {*groups})

        return principal_of(self._change(name, "access.changed", by, change), self._rights)

    def remove(self, name: str, *, by: Principal = LOCAL_OPERATOR) -> None:
        note = self._audit.noting("user.removed", by)
        with self._database.transaction() as session:
            row = row_named(session, name)
            note(session, **_described(row))
            session.execute(delete(SessionRow).where(SessionRow.user_id == row.id))
            session.delete(row)

    def list(self) -> list[Principal]:
        return [principal_of(row, self._rights) for row in self.rows()]

    def rows(self) -> Sequence[UserRow]:
        """All accounts as they are kept, by name."""
        with self._database.transaction() as session:
            return [*session.scalars(select(UserRow).order_by(UserRow.name))]

    def find(self, name: str) -> Principal:
        return principal_of(self.row(name), self._rights)

    def row(self, name: str) -> UserRow:
        """As it is kept. Raises `NotFound`."""
        with self._database.transaction() as session:
            return row_named(session, name)

    def of_id(self, user: str | None) -> Principal:
        """By id, as it is now. Raises `AccessDenied` when the account is gone or off."""
        row = self.row_of_id(user)
        if row is None or not is_on(row):
            raise AccessDenied("sign in first")
        return principal_of(row, self._rights)

    def row_of_id(self, user: str | None) -> UserRow | None:
        with self._database.transaction() as session:
            return session.get(UserRow, user) if user else None

    def named(self, name: str) -> UserRow | None:
        with self._database.transaction() as session:
            return session.scalar(select(UserRow).where(UserRow.name == name))

    def local(self, name: str) -> UserRow | None:
        """The account of that name if it is kept here."""
        with self._database.transaction() as session:
            return session.scalar(select(UserRow).where(UserRow.name == name, UserRow.source == LOCAL))

    def check_password(self, row: UserRow | None, password: str) -> bool:
        """Whether it is the account's; no account costs the same time as a wrong password."""
        return is_password(row.password_hash if row else None, password)

    def _check_groups(self, groups: Iterable[str]) -> None:
        """A group that nothing names gives nothing: it was mistyped, or is to be named first."""
        known = self._rights.groups
        if unknown := [name for name in groups if group_key(name) not in known]:
            near = nearest(group_key(unknown[0]), sorted(known))
            raise ConfigError(f"no group '{unknown[0]}' in the access file{near}")

    def _change(
        self,
        name: str,
        kind: str,
        by: Principal,
        change: Callable[[UserRow], None],
        *,
        ends_sessions: bool = False,
        **details: Any,
    ) -> UserRow:
        note = self._audit.noting(kind, by, **details)
        with self._database.transaction() as session, session.no_autoflush:
            row = row_named(session, name)
            change(row)
            note(session, **_described(row))
            if ends_sessions:
                session.flush()  # first: from here on a sign-in with the old password waits, and finds the new one
                session.execute(delete(SessionRow).where(SessionRow.user_id == row.id))
            return row


def is_on(row: UserRow) -> bool:
    """Whether the account is neither disabled nor expired, and its directory has not let the person go."""
    return row.left_at is None and not is_off_here(row)


def is_off_here(row: UserRow) -> bool:
    """Whatever its directory says."""
    return row.disabled_at is not None or (row.expires_at is not None and datetime.now(UTC) >= row.expires_at)


def principal_of(row: UserRow, rights: Rights) -> Principal:
    """With what the account has of its own and what its groups give."""
    by_group = rights.of(row.groups)
    roles = frozenset(row.roles) | by_group.roles
    return Principal(row.id, row.name, roles, frozenset(row.departments), row.level, by_group.grants)


def _described(row: UserRow) -> dict[str, Any]:
    """For the audit: whom it is about, and what the account has of its own."""
    return {
        "account": row.id,
        "name": row.name,
        "source": row.source,
        "roles": row.roles,
        "departments": row.departments,
        "level": row.level,
        "groups": row.groups,
    }


def _check_roles(roles: Iterable[str]) -> None:
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise ConfigError(f"unknown role '{unknown[0]}'; known: {', '.join(ROLES)}")


def _check_own_groups(row: UserRow, groups: Iterable[str]) -> None:
    if row.source != LOCAL and set(groups):
        raise ConfigError(f"'{row.name}' signs in through '{row.source}', which names the groups: change them there")


def row_named(session: Session, name: str) -> UserRow:
    """Raises `NotFound`."""
    row = session.scalar(select(UserRow).where(UserRow.name == name))
    if row is None:
        raise NotFound(f"there is no user '{name}': see `assistant users list`")
    return row
