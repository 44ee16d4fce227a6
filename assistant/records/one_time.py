"""What may be used once and not for long: a sign-in on its way to a provider, the number of a provider's message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from assistant.errors import StorageError
from assistant.records.account_tables import OneTimeRow
from assistant.records.database import Database
from assistant.records.digests import digest_of


class OneTime:
    """Repository of such keys. In the database, so that any of several servers can take what another one kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, key: str, content: str, *, seconds: float) -> bool:
        """False when the key is there already."""
        now = datetime.now(UTC)
        row = OneTimeRow(key_hash=digest_of(key), content=content, expires_at=now + timedelta(seconds=seconds))
        try:
            with self._database.transaction() as session:
                session.execute(delete(OneTimeRow).where(OneTimeRow.expires_at < now))
                session.add(row)
        except StorageError as error:
            if isinstance(error.__cause__, IntegrityError):
                return False
            raise
        return True

    def take(self, key: str) -> str | None:
        """Its content, once: None when it is unknown, over, or was taken."""
        taking = delete(OneTimeRow).where(OneTimeRow.key_hash == digest_of(key))
        with self._database.transaction() as session:
            found = session.execute(taking.returning(OneTimeRow.content, OneTimeRow.expires_at)).one_or_none()
        return found.content if found is not None and found.expires_at > datetime.now(UTC) else None
