"""Two people and their conversations in a real database, for the tests of conversations and feedback."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import delete

from assistant.records.account_tables import UserRow
from assistant.records.database import Database

ANNA, BORIS = "anna-id", "boris-id"


def add_people(database: Database) -> None:
    """Without the cost of a password hash."""
    with database.transaction() as session:
        for key in (ANNA, BORIS):
            name = key.removesuffix("-id")
            given = {"password_hash": "", "roles": ["user"], "departments": [], "created_at": datetime.now(UTC)}
            session.add(UserRow(id=key, name=name, level=1, **given))


def unnoted(_: object, **_more: object) -> None:
    """In place of a record of the audit."""


def emptied(database: Database) -> Database:
    """With those people, and of nobody anything else: accounts take what is theirs with them."""
    with database.transaction() as session:
        session.execute(delete(UserRow))
    add_people(database)
    return database
