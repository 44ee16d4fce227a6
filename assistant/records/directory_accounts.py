"""Accounts of people whom a directory or a single sign-on sent: found by their subject there, never by their name."""

from __future__ import annotations

import itertools
import re
import secrets
import unicodedata
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from assistant.errors import AccessDenied, StorageError
from assistant.parts.sign_in import LOCAL, Identity
from assistant.records.account_tables import UserRow
from assistant.records.audit import Audit
from assistant.records.database import Database

_NAME_CHARS, _DISPLAY_CHARS, _SUBJECT_CHARS, _GROUP_CHARS = 180, 300, 300, 500


class DirectoryAccounts:
    """Repository of what directories say of people."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    def store(self, identity: Identity) -> UserRow:
        """The person's account with what was said of him now; made at his first entry. Raises `AccessDenied`."""
        if identity.source == LOCAL or not 0 < len(identity.subject) <= _SUBJECT_CHARS:
            raise AccessDenied(
                "the directory does not say who you are in a way that can be kept: tell an administrator"
            )
        try:
            return self._store(identity)
        except StorageError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
            return self._store(identity)  # the other of two first entries at the same moment made it

    def _store(self, identity: Identity) -> UserRow:
        of_person = select(UserRow).where(UserRow.source == identity.source, UserRow.subject == identity.subject)
        added, changed = self._audit.noting("user.added", None), self._audit.noting("access.changed", None)
        with self._database.transaction() as session, session.no_autoflush:
            row = session.scalar(of_person)
            before = row and row.groups
            if row is None:
                row = UserRow(
                    id=secrets.token_hex(10),
                    name=_free_name(session, identity, None),
                    source=identity.source,
                    subject=identity.subject,
                    password_hash="",
                    roles=["user"],
                    departments=[],
                    level=1,
                    must_change=False,
                    created_at=datetime.now(UTC),
                )
                session.add(row)
            else:
                row.name = _free_name(session, identity, row)
            row.display_name = _one_line(identity.display_name, _DISPLAY_CHARS)
            row.groups = sorted({group for group in identity.groups if 0 < len(group) <= _GROUP_CHARS})
            row.checked_at = datetime.now(UTC)
            row.left_at = None
            if row.groups != before:  # the directory's word; who told it knows nobody here
                note = added if before is None else changed
                note(session, account=row.id, name=row.name, source=row.source, groups=row.groups)
            return row

    def note_left(self, user: str) -> UserRow | None:
        """The directory has him no more, or has switched him off; the account stays, and opens nothing."""
        note = self._audit.noting("user.left", None)
        with self._database.transaction() as session, session.no_autoflush:
            row = session.get(UserRow, user)
            if row is not None:
                if row.left_at is None:
                    note(session, account=row.id, name=row.name, source=row.source)
                row.checked_at = datetime.now(UTC)
                row.left_at = row.left_at or row.checked_at
            return row


def _free_name(session: Session, identity: Identity, row: UserRow | None) -> str:
    """The name in the directory if nobody else here has it; else with the directory's name behind it, and a number.

    An account keeps the name that it got so, until the directory gives the person another one.
    """
    name = _one_line(identity.name, _NAME_CHARS - len(identity.source)) or "?"
    with_source = f"{name}@{identity.source}"
    if row is not None and (row.name == name or re.fullmatch(rf"{re.escape(with_source)}(-\d+)?", row.name)):
        return row.name
    numbered = (f"{with_source}-{number}" for number in itertools.count(2))
    for free in itertools.chain((name, with_source), numbered):
        if session.scalar(select(UserRow.id).where(UserRow.name == free)) is None:
            return free
    raise AssertionError("numbers do not end")


def _one_line(text: str, limit: int) -> str:
    """Without what could pretend to be another name in a list: control and direction characters, runs of spaces."""
    composed = unicodedata.normalize("NFC", text)
    shown = "".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char for char in composed)
    return " ".join(shown.split())[:limit].strip()
