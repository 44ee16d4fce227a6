"""What is to be reviewed of everybody's messages: here in SQLite, in `test_postgres_statistics` in PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from assistant.errors import NotFound
from assistant.records.conversations import FAILED, Conversations
from assistant.records.database import Database
from assistant.records.reviewed import Reviewed
from tests.unit.talks import ANNA, BORIS, unnoted
from tests.unit.test_statistics import add, database  # noqa: F401 - the fixture

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def test_answers_with_a_thumb_down_come_in_parts(database: Database) -> None:  # noqa: F811
    reviewed = Reviewed(database)
    for days_ago in range(5):
        add(database, [ANNA, BORIS][days_ago % 2], days_ago=days_ago, rating=-1)
    add(database, rating=1)
    add(database)
    first, total = reviewed.disliked(limit=3)
    rest, _ = reviewed.disliked(limit=3, offset=3)
    assert (len(first), len(rest), total) == (3, 2, 5)
    times = [feedback.updated_at for _, feedback in [*first, *rest] if feedback]
    assert times == sorted(times, reverse=True)
    assert len({message.id for message, _ in [*first, *rest]}) == 5


def test_unanswered_are_finished_and_without_a_source(database: Database) -> None:  # noqa: F811
    reviewed = Reviewed(database)
    add(database, grounded=False)
    add(database, grounded=False, days_ago=40)
    add(database, grounded=False, status=FAILED)
    add(database)
    found, total = reviewed.unanswered(since=datetime.now(UTC) - timedelta(days=30), limit=10)
    assert (len(found), total) == (1, 1)
    found, total = reviewed.unanswered(since=LONG_AGO, limit=1)
    assert (len(found), total) == (1, 2)


def test_what_was_deleted_or_is_well_is_not_shown(database: Database) -> None:  # noqa: F811
    reviewed = Reviewed(database)
    add(database, rating=-1, grounded=False)
    add(database, rating=1)
    ((message, feedback),), _ = reviewed.disliked(limit=9)
    assert feedback is not None
    assert reviewed.find(message.id)[0].id == message.id
    assert [row.id for row in reviewed.conversations({message.conversation_id})] == [message.id]
    Conversations(database).delete(ANNA, message.conversation_id, unnoted)
    assert reviewed.disliked(limit=9) == ([], 0)
    assert reviewed.unanswered(since=LONG_AGO, limit=9) == ([], 0)
    for gone in (message.id, "none", ""):
        with pytest.raises(NotFound):
            reviewed.find(gone)
