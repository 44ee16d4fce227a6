"""Sums over everybody's messages, made by the database: no text is read, and no row is fetched."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    and_,
    case,
    cast,
    func,
    insert,
    select,
)

from assistant.access.rights import Rights
from assistant.records.account_tables import SurveyRow, UserRow
from assistant.records.base import UtcDateTime
from assistant.records.conversations import ANSWERING, FAILED, FINISHED
from assistant.records.database import Database
from assistant.records.tables import ConversationRow, FeedbackRow, MessageRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Span:
    """Questions from `since` until before `until`, of those who were in the department then (None: of all)."""

    since: datetime
    until: datetime
    department: str | None = None


@dataclass(frozen=True)
class Figures:
    """Of one span. Times are in milliseconds, without the waiting in line; None where nothing was measured."""

    people: int  # who asked something
    questions: int
    ended: int  # finished or failed: not stopped by the asker, not still being answered
    answered: int  # from the documents, with a source
    failed: int
    liked: int
    disliked: int
    first_token_p50: float | None
    first_token_p95: float | None
    total_p50: float | None
    total_p95: float | None

    @property
    def answered_share(self) -> float | None:
        return self.answered / self.ended if self.ended else None

    @property
    def liked_share(self) -> float | None:
        rated = self.liked + self.disliked
        return self.liked / rated if rated else None


@dataclass(frozen=True)
class Saved:
    """What people said the assistant had saved them in a week."""

    answers: int
    median_minutes: float | None


class Statistics:
    """Repository of figures. Conversations that were deleted count until they are purged."""

    def __init__(self, database: Database, rights: Rights) -> None:
        self._database = database
        self._rights = rights

    @contextmanager
    def over(self, since: datetime, until: datetime) -> Iterator[Asked]:
        """What was asked from `since` until before `until`, to be counted span by span.

        Its few numbers are put aside by one query first: a row of messages is large, and would be read for every span.
        """
        with self._database.transaction() as session:
            connection = session.connection()
            _ASKED.create(connection)
            try:
                session.execute(
                    insert(_ASKED).from_select([column.name for column in _ASKED.columns], _few(since, until))
                )
                yield Asked(session)
            finally:
                _ASKED.drop(connection)

    def accounts(self, department: str | None = None) -> int:
        if department is not None:
            return len(self._members(department))
        with self._database.transaction() as session:
            return session.scalar(select(func.count()).select_from(UserRow)) or 0

    def saved(self, span: Span) -> Saved:
        """By the surveys of the span, of people who are in the department now."""
        query = select(SurveyRow.user_id, SurveyRow.minutes).where(
            SurveyRow.minutes.is_not(None), SurveyRow.answered_at >= span.since, SurveyRow.answered_at < span.until
        )
        with self._database.transaction() as session:
            given = session.execute(query).all()
        members = None if span.department is None else self._members(span.department)
        minutes = [float(one) for user, one in given if one is not None and (members is None or user in members)]
        return Saved(len(minutes), median(minutes) if minutes else None)

    def _members(self, department: str) -> set[str]:
        """The ids of those who have the department of their own or by a group; no query knows what groups give."""
        query = select(UserRow.id, UserRow.departments, UserRow.groups)
        with self._database.transaction() as session:
            people = session.execute(query).all()
        return {
            user
            for user, own, groups in people
            if department in own or any(grant.department == department for grant in self._rights.of(groups).grants)
        }


class Asked:
    """The messages of a period."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def departments(self) -> list[str]:
        """Those of whose people somebody asked something, by name."""
        found = self._session.scalars(select(_COLUMN.departments).distinct())
        return sorted({name for names in found for name in json.loads(names)})

    def figures(self, span: Span) -> Figures:
        def counted(condition: ColumnElement[bool]) -> ColumnElement[int]:
            return func.count(case((condition, 1)))

        query = select(
            func.count(_COLUMN.user_id.distinct()),
            func.count(),
            counted(_COLUMN.status.in_((FINISHED, FAILED))),
            counted(and_(_COLUMN.status == FINISHED, _COLUMN.is_grounded)),
            counted(_COLUMN.status == FAILED),
            counted(_COLUMN.rating > 0),
            counted(_COLUMN.rating < 0),
            func.count(_COLUMN.total),
        ).where(*_within(span))
        people, questions, ended, answered, failed, liked, disliked, timed = self._session.execute(query).one()
        first = self._percentiles(span, _COLUMN.first, timed)
        total = self._percentiles(span, _COLUMN.total, timed)
        return Figures(people, questions, ended, answered, failed, liked, disliked, *first, *total)

    def _percentiles(self, span: Span, value: ColumnElement[Any], count: int) -> tuple[float | None, float | None]:
        """The median and the 95th percentile (nearest rank) of `count` values."""
        if not count:
            return None, None
        ranks = [math.ceil(share * count) for share in (0.5, 0.95)]
        ordered = (
            select(value.label("value"), func.row_number().over(order_by=value).label("rank"))
            .where(*_within(span), _COLUMN.total.is_not(None))
            .subquery()
        )
        found = select(ordered.c.rank, ordered.c.value).where(ordered.c.rank.in_(ranks))
        by_rank = {rank: float(ms) for rank, ms in self._session.execute(found)}
        return by_rank[ranks[0]], by_rank[ranks[1]]


_ASKED = Table(
    "asked",
    MetaData(),
    Column("asked_at", UtcDateTime, index=True),
    Column("user_id", String(40)),
    Column("departments", Text),  # a JSON list
    Column("status", String(12)),
    Column("is_grounded", Boolean),
    Column("rating", Integer),
    Column("first", Float),
    Column("total", Float),
    prefixes=["TEMPORARY"],
)
_COLUMN = _ASKED.c


def _few(since: datetime, until: datetime) -> Select[Any]:
    """Of each message what is counted. What is quoted, or says that there is no answer, comes as a whole."""
    timings = MessageRow.timings
    total = timings["total"].as_float()
    until_chosen = func.coalesce(timings["rewrite"].as_float(), 0.0) + timings["retrieval"].as_float()
    return (
        select(
            MessageRow.asked_at,
            ConversationRow.user_id,
            cast(MessageRow.departments, Text),
            MessageRow.status,
            MessageRow.is_grounded,
            FeedbackRow.rating,
            func.coalesce(until_chosen + timings["first_token"].as_float(), total),
            total,
        )
        .select_from(MessageRow)
        .join(ConversationRow, MessageRow.conversation_id == ConversationRow.id)
        .outerjoin(FeedbackRow, FeedbackRow.message_id == MessageRow.id)
        .where(MessageRow.asked_at >= since, MessageRow.asked_at < until, MessageRow.status != ANSWERING)
    )


def _within(span: Span) -> list[ColumnElement[bool]]:
    conditions = [_COLUMN.asked_at >= span.since, _COLUMN.asked_at < span.until]
    if span.department is not None:
        conditions.append(_has(_COLUMN.departments, span.department))
    return conditions


def _has(names: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Whether a list has the name, in the form that both databases keep: a quote inside of one has a backslash before it."""
    return cast(names, Text).contains(json.dumps(name), autoescape=True)
