"""What people think of answers: one row a message, changeable; the operator reads all, everybody else his own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from assistant.errors import InvalidRequest, NotFound
from assistant.records.account_tables import UserRow
from assistant.records.conversations import owned_message
from assistant.records.database import Database
from assistant.records.tables import ConversationRow, FeedbackRow, MessageRow
from assistant.records.texts import storable

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from assistant.records.audit import Noting

RATINGS = (1, -1)
REASONS = ("wrong", "incomplete", "outdated", "wrong_source", "not_found", "unclear", "other")
MAX_COMMENT = 2000


@dataclass(frozen=True)
class Rated:
    """Feedback with the message it is about and who gave it."""

    feedback: FeedbackRow
    message: MessageRow
    user: str


class Feedback:
    """Repository of feedback."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give(
        self, owner: str, message: str, rating: int, note: Noting, *, reason: str = "", comment: str = ""
    ) -> FeedbackRow:
        """Rate one's own message, or change what was said of it. Raises `NotFound`, `InvalidRequest`."""
        _check(rating, reason, comment)
        now = datetime.now(UTC)
        with self._database.transaction() as session:
            # A write comes first: it holds the message, so two clicks at once are one row.
            session.execute(update(MessageRow).where(MessageRow.id == message).values(heard_at=MessageRow.heard_at))
            owned_message(session, owner, message)
            note(session)
            row = session.get(FeedbackRow, message)
            if row is None:
                row = FeedbackRow(message_id=message, user_id=owner, created_at=now)
                session.add(row)
            row.rating, row.reason, row.comment, row.updated_at = rating, reason, storable(comment).strip(), now
        return row

    def get(self, owner: str, message: str) -> FeedbackRow:
        """Raises `NotFound`, also when nothing was said yet."""
        with self._database.transaction() as session:
            return _given(session, owner, message)

    def remove(self, owner: str, message: str, note: Noting) -> None:
        """Raises `NotFound`."""
        with self._database.transaction() as session:
            row = _given(session, owner, message)
            note(session)
            session.delete(row)

    def of_conversation(self, owner: str, conversation: str) -> dict[str, FeedbackRow]:
        """By message, of one of the owner's conversations; another's has none."""
        query = (
            select(FeedbackRow)
            .join(MessageRow, FeedbackRow.message_id == MessageRow.id)
            .join(ConversationRow, MessageRow.conversation_id == ConversationRow.id)
            .where(MessageRow.conversation_id == conversation, ConversationRow.user_id == owner)
        )
        with self._database.transaction() as session:
            return {row.message_id: row for row in session.scalars(query)}

    def rated(self, *, rating: int | None = None, message: str | None = None) -> Sequence[Rated]:
        """Of everybody, for the operator and the engineers, the newest first; not of conversations that were deleted."""
        query = (
            select(FeedbackRow, MessageRow, UserRow.name)
            .join(MessageRow, FeedbackRow.message_id == MessageRow.id)
            .join(ConversationRow, MessageRow.conversation_id == ConversationRow.id)
            .join(UserRow, FeedbackRow.user_id == UserRow.id)
            .where(ConversationRow.deleted_at.is_(None))
            .order_by(FeedbackRow.updated_at.desc(), FeedbackRow.message_id)
        )
        if rating is not None:
            query = query.where(FeedbackRow.rating == rating)
        if message is not None:
            query = query.where(FeedbackRow.message_id == message)
        with self._database.transaction() as session:
            return [Rated(feedback, row, user) for feedback, row, user in session.execute(query)]


def _given(session: Session, owner: str, message: str) -> FeedbackRow:
    owned_message(session, owner, message)
    row = session.get(FeedbackRow, message)
    if row is None:
        raise NotFound("there is no feedback on this message")
    return row


def _check(rating: int, reason: str, comment: str) -> None:
    if rating not in RATINGS:
        raise InvalidRequest("a rating is 1 or -1")
    if reason and reason not in REASONS:
        raise InvalidRequest(f"unknown reason; known: {', '.join(REASONS)}")
    if len(comment) > MAX_COMMENT:
        raise InvalidRequest(f"a comment has at most {MAX_COMMENT} characters")
