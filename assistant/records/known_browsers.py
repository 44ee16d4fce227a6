"""Browsers that have signed in before, by a random cookie of which only a hash is kept, as of the name that was typed."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from assistant.errors import StorageError
from assistant.records.account_tables import KnownBrowserRow
from assistant.records.database import Database
from assistant.records.digests import digest_of

_KEPT = timedelta(days=180)  # since the last sign-in


class KnownBrowsers:
    """It opens nothing: a known browser may only try passwords while strangers' wrong ones make others wait.

    By the name, not the account: what it says must not depend on whether there is such an account.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def knows(self, browser: str, name: str) -> bool:
        if not browser:
            return False
        with self._database.transaction() as session:
            row = session.get(KnownBrowserRow, (digest_of(browser), digest_of(name.casefold())))
        return row is not None and datetime.now(UTC) - row.used_at < _KEPT

    def remember(self, browser: str, name: str) -> str:
        """Somebody has signed in with that name; the value of the cookie, which a browser keeps if it had one."""
        browser = browser if _is_ours(browser) else secrets.token_urlsafe(24)
        now = datetime.now(UTC)
        row = KnownBrowserRow(browser_hash=digest_of(browser), name_hash=digest_of(name.casefold()), used_at=now)
        try:
            with self._database.transaction() as session:
                session.execute(delete(KnownBrowserRow).where(KnownBrowserRow.used_at < now - _KEPT))
                session.merge(row)
        except StorageError as error:
            if not isinstance(error.__cause__, IntegrityError):  # the second of two clicks has noted it
                raise
        return browser


def _is_ours(browser: str) -> bool:
    return len(browser) == 32 and browser.isascii()
