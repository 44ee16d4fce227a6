"""Whether a directory still has the people who signed in through it: asked again every `auth.recheck_minutes`."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

from assistant.accounts.directories import Directories
from assistant.errors import SignInUnavailable
from assistant.records.account_tables import UserRow
from assistant.records.directory_accounts import DirectoryAccounts
from assistant.records.sessions import Sessions
from assistant.records.users import Users

GRACE = 4  # a directory that does not answer keeps nobody out for so many times `auth.recheck_minutes`
_AT_ONCE = 8  # look-ups: a directory that hangs must not take all threads of the server

_log = logging.getLogger(__name__)


class Recheck:
    """At most one look-up at a time for each account, however many requests its page makes."""

    def __init__(
        self, users: Users, accounts: DirectoryAccounts, sessions: Sessions, directories: Directories, *, minutes: float
    ) -> None:
        self._users = users
        self._accounts = accounts
        self._sessions = sessions
        self._directories = directories
        self._every = timedelta(minutes=minutes)
        self._locks: dict[str, threading.Lock] = {}
        self._at_once = threading.BoundedSemaphore(_AT_ONCE)

    def current(self, row: UserRow) -> UserRow | None:
        """The account by the word of its directory, no older than `auth.recheck_minutes` if that answers.

        None when the account went meanwhile. Raises `SignInUnavailable` when the word is older than can be taken.
        """
        age = self._age(row)
        if age < self._every:
            return row
        must_wait = age >= GRACE * self._every
        lock = self._locks.setdefault(row.id, threading.Lock())
        if not lock.acquire(blocking=must_wait):
            return row  # another request is asking
        try:
            if not self._at_once.acquire(blocking=must_wait):
                return row
            try:
                return self._asked(row.id, must_wait=must_wait)
            finally:
                self._at_once.release()
        finally:
            lock.release()

    def _asked(self, user: str, *, must_wait: bool) -> UserRow | None:
        row = self._users.row_of_id(user)
        if row is None or self._age(row) < self._every:  # the request that was before us asked
            return row
        assert row.subject is not None
        try:
            identity = self._directories.look_up(row.source, row.subject)
        except SignInUnavailable as error:
            if must_wait:
                raise SignInUnavailable(
                    f"the directory '{row.source}' does not answer, and has not said for too long that you may be here: "
                    "try again in a few minutes, or tell an administrator"
                ) from error
            return row
        if identity is not None:
            assert (identity.source, identity.subject) == (row.source, row.subject), "a directory answered of another"
            return self._accounts.store(identity)
        _log.info("%s is gone from the directory %s, or off there: sessions and tokens end", row.name, row.source)
        self._sessions.end_all(row.id)
        return self._accounts.note_left(row.id)

    def _age(self, row: UserRow) -> timedelta:
        return datetime.now(UTC) - row.checked_at if row.checked_at else timedelta.max
