"""Sessions of signed-in people: random ids of which only a hash is kept, with an idle and an absolute end."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update

from assistant.errors import AccessDenied
from assistant.records.account_tables import SessionRow, UserRow
from assistant.records.database import Database
from assistant.records.digests import digest_of

_USE_NOTED_EVERY = timedelta(minutes=1)  # not a write for every request


class Sessions:
    """Repository of the sessions."""

    def __init__(self, database: Database, *, idle_hours: float, max_days: float) -> None:
        self._database = database
        self._idle = timedelta(hours=idle_hours)
        self._max = timedelta(days=max_days)

    def open(
        self,
        user: str,
        *,
        password_hash: str | None = None,
        address: str = "",
        browser: str = "",
        sid: str | None = None,
        id_token: str | None = None,
    ) -> str:
        """A new session's id, for the cookie alone. `password_hash` is the one that let the person in.

        Raises `AccessDenied` when the account was disabled or removed meanwhile, or has another password.
        """
        session_id = secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        row = SessionRow(
            id_hash=digest_of(session_id),
            user_id=user,
            created_at=now,
            used_at=now,
            sid=sid,
            id_token=id_token,
            address=address[:60],
            browser=browser[:300],
        )
        standing = update(UserRow).where(UserRow.id == user, UserRow.disabled_at.is_(None))
        if password_hash is not None:
            standing = standing.where(UserRow.password_hash == password_hash)
        with self._database.transaction() as session:
            if not session.scalars(standing.values(used_at=now).returning(UserRow.id)).all():
                raise AccessDenied("the account was changed at this moment: sign in again")
            session.execute(delete(SessionRow).where(self._over(now)))
            session.add(row)
        return session_id

    def find(self, session_id: str) -> tuple[SessionRow, UserRow] | None:
        """The session and its person, as the account is now; None when it is unknown or over."""
        now = datetime.now(UTC)
        with self._database.transaction() as session:
            found = session.get(SessionRow, digest_of(session_id))
            if found is None or now - found.used_at > self._idle or now - found.created_at > self._max:
                return None
            user = session.get(UserRow, found.user_id)
            if user is None:
                return None
            if now - found.used_at > _USE_NOTED_EVERY:
                noting = update(SessionRow).where(SessionRow.id_hash == found.id_hash).values(used_at=now)
                if not session.scalars(noting.returning(SessionRow.id_hash)).all():
                    return None  # it was ended at this moment
                session.execute(update(UserRow).where(UserRow.id == user.id).values(used_at=now))
            return found, user

    def of_user(self, user: str) -> list[SessionRow]:
        """Those that are not over, the latest used first."""
        now = datetime.now(UTC)
        with self._database.transaction() as session:
            mine = select(SessionRow).where(SessionRow.user_id == user, ~self._over(now))
            return [*session.scalars(mine.order_by(SessionRow.used_at.desc()))]

    def end(self, session_id: str) -> SessionRow | None:
        """What it was; None if it was over already."""
        with self._database.transaction() as session:
            found = session.get(SessionRow, digest_of(session_id))
            if found is not None:
                session.delete(found)
            return found

    def end_all(self, user: str) -> None:
        with self._database.transaction() as session:
            session.execute(delete(SessionRow).where(SessionRow.user_id == user))

    def purge(self) -> int:
        """Rows of sessions that are over go; how many."""
        with self._database.transaction() as session:
            over = delete(SessionRow).where(self._over(datetime.now(UTC))).returning(SessionRow.id_hash)
            return len(session.scalars(over).all())

    def is_same(self, row: SessionRow, session_id: str) -> bool:
        """Whether the row is of the session with that id."""
        return row.id_hash == digest_of(session_id)

    def end_from(self, source: str, *, sid: str | None, subject: str | None) -> int:
        """How many of a single sign-on's sessions ended: those with its name for one, of one person, or both."""
        people = select(UserRow.id).where(UserRow.source == source)
        if subject is not None:
            people = people.where(UserRow.subject == subject)
        ending = delete(SessionRow).where(SessionRow.user_id.in_(people))
        if sid is not None:
            ending = ending.where(SessionRow.sid == sid)
        if sid is None and subject is None:
            return 0
        with self._database.transaction() as session:
            return len(session.scalars(ending.returning(SessionRow.id_hash)).all())

    def _over(self, now: datetime) -> ColumnElement[bool]:
        return or_(SessionRow.used_at < now - self._idle, SessionRow.created_at < now - self._max)
