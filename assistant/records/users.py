"""Local accounts and their sessions: argon2 hashes, random session ids stored hashed."""

from __future__ import annotations

import functools
import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select

from assistant.access.principal import Principal
from assistant.errors import AccessDenied, ConfigError, NotFound
from assistant.records.database import Database
from assistant.records.tables import SessionRow, UserRow

ROLES = ("user", "engineer", "admin")
MIN_PASSWORD_CHARS = 10


class Users:
    """Repository of accounts and sessions."""

    def __init__(self, database: Database, *, idle_hours: float, max_days: float) -> None:
        self._database = database
        self._idle = timedelta(hours=idle_hours)
        self._max = timedelta(days=max_days)

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
        return principal_of(row)

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
            return [principal_of(row) for row in session.scalars(select(UserRow).order_by(UserRow.name))]

    def find(self, name: str) -> Principal:
        with self._database.transaction() as session:
            row = session.scalar(select(UserRow).where(UserRow.name == name))
        if row is None:
            raise NotFound(f"there is no user '{name}': see `assistant users list`")
        return principal_of(row)

    def of_id(self, user: str | None) -> Principal:
        """By id, as it is now. Raises `AccessDenied` when the account is gone."""
        with self._database.transaction() as session:
            row = session.get(UserRow, user) if user else None
        if row is None:
            raise AccessDenied("sign in first")
        return principal_of(row)

    def sign_in(self, name: str, password: str) -> str | None:
        """A new session's id for the cookie, or None; unknown names cost the same time as wrong passwords."""
        with self._database.transaction() as session:
            row = session.scalar(select(UserRow).where(UserRow.name == name.strip()))
        if not _matches(row.password_hash if row else _decoy_hash(), password) or row is None:
            return None
        session_id = secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        with self._database.transaction() as session:
            session.execute(delete(SessionRow).where(SessionRow.created_at < now - self._max))
            session.add(SessionRow(id_hash=_digest(session_id), user_id=row.id, created_at=now, used_at=now))
        return session_id

    def of_session(self, session_id: str) -> Principal | None:
        """Whose session this is, or None when it is unknown or over."""
        now = datetime.now(UTC)
        with self._database.transaction() as session:
            found = session.get(SessionRow, _digest(session_id))
            if found is None or now - found.used_at > self._idle or now - found.created_at > self._max:
                return None
            if now - found.used_at > timedelta(minutes=1):  # not a write for every request
                found.used_at = now
            row = session.get(UserRow, found.user_id)
            return principal_of(row) if row else None

    def sign_out(self, session_id: str) -> None:
        with self._database.transaction() as session:
            session.execute(delete(SessionRow).where(SessionRow.id_hash == _digest(session_id)))


def generate_password() -> str:
    """Twenty characters that can be read aloud and typed: about 100 bits."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))


def principal_of(row: UserRow) -> Principal:
    return Principal(row.id, row.name, frozenset(row.roles), frozenset(row.departments), row.level)


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


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
