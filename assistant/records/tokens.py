"""Tokens with which programs ask in a person's name: random, kept as a hash, with an end; they give what the person may."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update

from assistant.access.principal import LOCAL_OPERATOR, Principal
from assistant.errors import ConfigError, NotFound
from assistant.records.account_tables import ApiTokenRow, UserRow
from assistant.records.audit import Audit
from assistant.records.database import Database
from assistant.records.digests import digest_of
from assistant.records.texts import storable
from assistant.records.users import row_named

PREFIX = "lca_"  # by which scanners of leaked secrets, and people, know what it is
# What a token may open; `admin` for people with that role only. Which address needs which: `web.session`.
SCOPES = ("ask", "conversations", "documents", "admin")
MAX_DAYS = 3650
_USE_NOTED_EVERY = timedelta(minutes=1)  # not a write for every request


@dataclass(frozen=True)
class ApiToken:
    """A token as lists show it; `id` names it for `revoke`."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None

    @property
    def is_over(self) -> bool:
        return datetime.now(UTC) >= self.expires_at


class Tokens:
    """Repository of the tokens. They end by themselves, when revoked, and with their person."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    def create(
        self, user: str, name: str, *, days: int, scopes: Iterable[str] = ("ask",), by: Principal = LOCAL_OPERATOR
    ) -> tuple[ApiToken, str]:
        """A new one for the person of that name, and its secret, which nobody can read again.

        Raises `NotFound`, and `ConfigError` for a name that is none or taken, scopes that are none, and a time too long.
        """
        _check(wanted := list(scopes), days)
        secret = PREFIX + secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        row = ApiTokenRow(
            id=secrets.token_hex(4),
            token_hash=digest_of(secret),
            name=storable(name).strip(),
            scopes=[scope for scope in SCOPES if scope in wanted],
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        if not 0 < len(row.name) <= 100:
            raise ConfigError("a token needs a name of up to 100 characters, which says what uses it")
        about = {"token": row.id, "name": row.name, "scopes": row.scopes, "until": row.expires_at.isoformat()}
        note = self._audit.noting("token.created", by, **about)
        with self._database.transaction() as session:
            row.user_id = row_named(session, user).id
            same = select(ApiTokenRow).where(ApiTokenRow.user_id == row.user_id, ApiTokenRow.name == row.name)
            if session.scalar(same):
                raise ConfigError(f"'{user}' has a token '{row.name}' already: choose another name, or revoke that one")
            note(session, account=row.user_id, user=user)
            session.add(row)
        return _shown(row), secret

    def list(self, user: str) -> list[ApiToken]:
        """The person's tokens, oldest first. Raises `NotFound`."""
        with self._database.transaction() as session:
            owner = row_named(session, user).id
            mine = select(ApiTokenRow).where(ApiTokenRow.user_id == owner).order_by(ApiTokenRow.created_at)
            return [_shown(row) for row in session.scalars(mine)]

    def revoke(self, user: str, token: str, *, by: Principal = LOCAL_OPERATOR) -> ApiToken:
        """End the person's token of that id or name. Raises `NotFound`."""
        found = next((one for one in self.list(user) if token in (one.id, one.name)), None)
        if found is None:
            raise NotFound(f"'{user}' has no token '{token}': see `assistant tokens list {user}`")
        note = self._audit.noting("token.revoked", by, token=found.id, name=found.name, user=user)
        with self._database.transaction() as session:
            note(session)
            session.execute(delete(ApiTokenRow).where(ApiTokenRow.id == found.id))
        return found

    def find(self, secret: str) -> tuple[ApiTokenRow, UserRow] | None:
        """The token and its person, as the account is now; None when it is unknown, over or revoked."""
        now = datetime.now(UTC)
        with self._database.transaction() as session:
            found = session.execute(
                select(ApiTokenRow, UserRow)
                .join(UserRow, UserRow.id == ApiTokenRow.user_id)
                .where(ApiTokenRow.token_hash == digest_of(secret))
            ).first()
            if found is None:
                return None
            token, user = found
            if now >= token.expires_at:
                return None
            if token.used_at is None or now - token.used_at > _USE_NOTED_EVERY:
                noting = update(ApiTokenRow).where(ApiTokenRow.id == token.id).values(used_at=now)
                if not session.scalars(noting.returning(ApiTokenRow.id)).all():
                    return None  # it was revoked at this moment
                session.execute(update(UserRow).where(UserRow.id == user.id).values(used_at=now))
            return token, user


def _check(scopes: list[str], days: int) -> None:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        wrong = f"there is no scope '{unknown[0]}'" if unknown else "a token needs a scope"
        raise ConfigError(f"{wrong}: choose from {', '.join(SCOPES)}")
    if not 1 <= days <= MAX_DAYS:
        raise ConfigError(f"a token lasts 1 to {MAX_DAYS} days")


def _shown(row: ApiTokenRow) -> ApiToken:
    return ApiToken(row.id, row.name, tuple(row.scopes), row.created_at, row.expires_at, row.used_at)
