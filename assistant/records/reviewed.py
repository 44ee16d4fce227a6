"""Everybody's answers that need somebody's eye, for engineers and administrators: not of conversations that were deleted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select

from assistant.errors import NotFound
from assistant.records.conversations import FINISHED
from assistant.records.database import Database
from assistant.records.tables import ConversationRow, FeedbackRow, MessageRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

Remarked = tuple[MessageRow, FeedbackRow | None]


class Reviewed:
    """Repository of messages with 👎 and of questions without an answer. What a reader may not read is still in them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def disliked(self, *, limit: int, offset: int = 0) -> tuple[Sequence[Remarked], int]:
        """A part of them, the latest 👎 first, and how many there are."""
        return self._part(_DISLIKED, (FeedbackRow.updated_at.desc(), MessageRow.id), limit, offset)

    def unanswered(self, *, since: datetime, limit: int) -> tuple[Sequence[Remarked], int]:
        """The latest of those asked since then, and how many there are."""
        return self._part(
            and_(_UNANSWERED, MessageRow.asked_at >= since), (MessageRow.asked_at.desc(), MessageRow.id), limit, 0
        )

    def find(self, message: str) -> Remarked:
        """One of either kind. Raises `NotFound`, also for a message that is neither."""
        query = _kept(select(MessageRow, FeedbackRow)).where(MessageRow.id == message, or_(_DISLIKED, _UNANSWERED))
        with self._database.transaction() as session:
            found = session.execute(query).first()
        if found is None:
            raise NotFound("there is no such answer")
        return found[0], found[1]

    def conversations(self, conversations: Collection[str]) -> Sequence[MessageRow]:
        """All messages of those conversations, one conversation after the other, each in its order."""
        query = (
            select(MessageRow)
            .where(MessageRow.conversation_id.in_(conversations))
            .order_by(MessageRow.conversation_id, MessageRow.position)
        )
        with self._database.transaction() as session:
            return session.scalars(query).all()

    def _part(
        self, condition: ColumnElement[bool], order: Sequence[Any], limit: int, offset: int
    ) -> tuple[Sequence[Remarked], int]:
        query = _kept(select(MessageRow, FeedbackRow)).where(condition).order_by(*order).limit(limit).offset(offset)
        with self._database.transaction() as session:
            total = session.scalar(_kept(select(func.count(MessageRow.id))).where(condition)) or 0
            return [(message, feedback) for message, feedback in session.execute(query)], total


_DISLIKED = FeedbackRow.rating < 0
_UNANSWERED = and_(MessageRow.status == FINISHED, MessageRow.is_grounded.is_(False))


def _kept(query: Any) -> Any:  # noqa: ANN401 - a Select of whatever columns
    return (
        query.select_from(MessageRow)
        .join(ConversationRow, MessageRow.conversation_id == ConversationRow.id)
        .outerjoin(FeedbackRow, FeedbackRow.message_id == MessageRow.id)
        .where(ConversationRow.deleted_at.is_(None))
    )
