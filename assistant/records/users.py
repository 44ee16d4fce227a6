"""Accounts: those kept here with argon2 hashes, and those of people whom a directory sent."""

from __future__ import annotations

import functools
import secrets
from datetime import UTC, datetime

from sqlalchemy import delete, select

from assistant.access.principal import Principal
from assistant.access.rights import Rights
from assistant.errors import AccessDenied, ConfigError, NotFound
from assistant.parts.sign_in import LOCAL
from assistant.records.account_tables import SessionRow, UserRow
from assistant.records.database import Database

ROLES = ("user", "engineer", "admin")
MIN_PASSWORD_CHARS = 10


class Users:
    """Repository of accounts."""

    def __init__(self, database: Database, rights: Rights | None = None) -> None:
        self._database = database
        self._rights = rights or Rights()

    def add(self, name: str, password: str, *, roles: list[str], departments: list[str], level: int) -> Principal:
        """Make an account. Raises `ConfigError` when the name is taken or the password too short."""
        unknown = sorted(set(roles) - set(ROLES))
        if unknown:
            raise ConfigError(f"unknown role '{unknown[0]}'; known: {', '.join(ROLES)}")
        row = UserRow(
            id=secrets.token_hex(10),
            name=name.strip(),
            password_hash=_hash(password),
            roles=sorted({"user", *roles}),
            departments=sorted(set(departments)),
            level=level,
            created_at=datetime.now(UTC),
        )
        with self._database.transaction() as session:
            if not row.name or session.scalar(select(UserRow).where(UserRow.name == row.name)):
                raise ConfigError(f"there is already a user '{row.name}'" if row.name else "a user needs a name")
            session.add(row)
        return principal_of(row, self._rights)

    def set_password(self, name: str, password: str) -> None:
        """Replace a password and end the person's sessions. Raises `NotFound`."""
        with self._database.transaction() as session:
            row = session.scalar(select(UserRow).where(UserRow.name == name))
            if row is None:
                raise NotFound(f"there is no user '{name}': see `assistant users list`")
            row.password_hash = _hash(password)
            session.execute(delete(SessionRow).where(SessionRow.user_id == row.id))

    def remove(self, name: str) -> None:
        with self._database.transaction() as session:
            row = session.scalar(select(UserRow).where(UserRow.name == name))
            if row is None:
                raise NotFound(f"there is no user '{name}': see `assistant users list`")
            session.execute(delete(SessionRow).where(SessionRow.user_id == row.id))
            session.delete(row)

    def list(self) -> list[Principal]:
        with self._database.transaction() as session:
            return [principal_of(row, self._rights) for row in session.scalars(select(UserRow).order_by(UserRow.name))]

    def find(self, name: str) -> Principal:
        with self._database.transaction() as session:
            row = session.scalar(select(UserRow).where(UserRow.name == name))
        if row is None:
            raise NotFound(f"there is no user '{name}': see `assistant users list`")
        return principal_of(row, self._rights)

    def of_id(self, user: str | None) -> Principal:
        """By id, as it is now. Raises `AccessDenied` when the account is gone."""
        with self._database.transaction() as session:
            row = session.get(UserRow, user) if user else None
        if row is None:
            raise AccessDenied("sign in first")
        return principal_of(row, self._rights)

    def check_password(self, name: str, password: str) -> Principal | None:
        """Whose password this is; unknown names cost the same time as wrong passwords."""
        with self._database.transaction() as session:
            row = session.scalar(select(UserRow).where(UserRow.name == name.strip(), UserRow.source == LOCAL))
        has_hash = row is not None and bool(row.password_hash)
        if not _matches(row.password_hash if row and has_hash else _decoy_hash(), password) or not has_hash:
            return None
        return principal_of(row, self._rights) if row else None


def generate_password() -> str:
    """Twenty characters that can be read aloud and typed: about 100 bits."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))


def principal_of(row: UserRow, rights: Rights) -> Principal:
    """With what the account has of its own and what its groups give."""
    by_group = rights.of(row.groups)
    roles = frozenset(row.roles) | by_group.roles
    return Principal(row.id, row.name, roles, frozenset(row.departments), row.level, by_group.grants)


def _hash(password: str) -> str:
    from argon2 import PasswordHasher

    if len(password) < MIN_PASSWORD_CHARS:
        raise ConfigError(f"a password needs at least {MIN_PASSWORD_CHARS} characters")
    return PasswordHasher().hash(password)


def _matches(password_hash: str, password: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import VerifyMismatchError

    try:
        return PasswordHasher().verify(password_hash, password)
    except VerifyMismatchError:
        return False


@functools.cache
def _decoy_hash() -> str:
    """A hash of nothing anyone knows, at today's cost."""
    return _hash(secrets.token_hex(16))
