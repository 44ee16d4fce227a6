"""What people say that the assistant saved them: one row a person and week, also when the question was waved away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from assistant.errors import InvalidRequest
from assistant.records.account_tables import SurveyRow
from assistant.records.conversations import FINISHED
from assistant.records.database import Database
from assistant.records.tables import ConversationRow, MessageRow

ANSWERS_BEFORE = 10  # who had fewer has nothing to compare with
WEEK = timedelta(days=7)
MAX_MINUTES = 7 * 24 * 60


class Surveys:
    """Repository of the survey; every method takes whose it is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_due(self, owner: str) -> bool:
        """After ten answers, and a week after it was asked last."""
        recent = select(SurveyRow.week).where(
            SurveyRow.user_id == owner, SurveyRow.answered_at > datetime.now(UTC) - WEEK
        )
        answers = (
            select(MessageRow.id)
            .join(ConversationRow, MessageRow.conversation_id == ConversationRow.id)
            .where(ConversationRow.user_id == owner, MessageRow.status == FINISHED)
            .limit(ANSWERS_BEFORE)
        )
        with self._database.transaction() as session:
            if session.scalar(recent.limit(1)) is not None:
                return False
            return session.scalar(select(func.count()).select_from(answers.subquery())) == ANSWERS_BEFORE

    def answer(self, owner: str, minutes: int | None) -> None:
        """Minutes saved in the last week, None for no answer. A second answer in a week replaces the first.

        Raises `InvalidRequest`.
        """
        if minutes is not None and not 0 <= minutes <= MAX_MINUTES:
            raise InvalidRequest(f"minutes are a number from 0 to {MAX_MINUTES}")
        now = datetime.now(UTC)
        values = {"user_id": owner, "week": _week(now), "minutes": minutes, "answered_at": now}
        with self._database.transaction() as session:
            if session.get_bind().dialect.name == "sqlite":
                from sqlalchemy.dialects.sqlite import insert
            else:
                from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]  # the same to use
            statement = insert(SurveyRow).values(values)
            changed = {"minutes": minutes, "answered_at": now}
            session.execute(statement.on_conflict_do_update(index_elements=["user_id", "week"], set_=changed))


def _week(moment: datetime) -> str:
    year, week, _ = moment.isocalendar()
    return f"{year}-W{week:02}"
