"""Conversations and their messages, each of one owner: another's, a deleted and an unknown one are all `NotFound`."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict

from sqlalchemy import ColumnElement, CursorResult, and_, delete, func, or_, select, update

from assistant.errors import NotFound
from assistant.records.database import Database
from assistant.records.tables import ConversationRow, MessageRow
from assistant.records.texts import folded, storable, title_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Result
    from sqlalchemy.orm import Session

    from assistant.records.audit import Noting

ANSWERING, FINISHED, STOPPED, FAILED = "answering", "finished", "stopped", "failed"
MAX_KEY = 80


class AnswerColumns(TypedDict, total=False):
    """What becomes known of a message while it is answered, and at its end."""

    searched: str
    answer: str
    error: str
    model: str
    is_grounded: bool
    sources: list[Any]
    notices: list[Any]
    unsupported: list[Any]
    timings: dict[str, Any]
    versions: dict[str, Any]


class Conversations:
    """Repository of conversations. What is deleted is hidden at once, and can be restored until it is purged."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- conversations

    def create(self, owner: str, title: str = "") -> ConversationRow:
        """A new, empty one; without a title it takes one from its first question."""
        now = datetime.now(UTC)
        title = title_of(title)
        row = ConversationRow(
            id=secrets.token_hex(10),
            user_id=owner,
            title=title,
            folded_title=folded(title),
            created_at=now,
            updated_at=now,
        )
        with self._database.transaction() as session:
            session.add(row)
        return row

    def list(self, owner: str, *, limit: int = 50, offset: int = 0) -> Sequence[ConversationRow]:
        """The newest first."""
        query = select(ConversationRow).where(_owned(owner)).order_by(*_NEWEST).limit(limit).offset(offset)
        with self._database.transaction() as session:
            return session.scalars(query).all()

    def search(self, owner: str, text: str) -> Sequence[tuple[ConversationRow, bool]]:
        """Those with the text in title, question or answer, the newest first; whether the owner typed it himself.

        An answer may hold what the owner may no longer read: of one that matches by its answer alone that is to be checked.
        """
        wanted = folded(text)
        typed = or_(
            ConversationRow.folded_title.contains(wanted, autoescape=True),
            _with_message(MessageRow.folded_question.contains(wanted, autoescape=True)),
        )
        answered = _with_message(MessageRow.folded_answer.contains(wanted, autoescape=True))
        query = select(ConversationRow, typed).where(_owned(owner), or_(typed, answered)).order_by(*_NEWEST)
        with self._database.transaction() as session:
            return [(row, bool(by_owner)) for row, by_owner in session.execute(query)]

    def get(self, owner: str, conversation: str) -> ConversationRow:
        """Raises `NotFound`."""
        with self._database.transaction() as session:
            return _get(session, owner, conversation)

    def rename(self, owner: str, conversation: str, title: str) -> ConversationRow:
        """Raises `NotFound`."""
        with self._database.transaction() as session:
            row = _get(session, owner, conversation)
            row.title = title_of(title)
            row.folded_title = folded(row.title)
        return row

    def delete(self, owner: str, conversation: str, note: Noting) -> None:
        """Hide it. Raises `NotFound`."""
        with self._database.transaction() as session:
            row = _get(session, owner, conversation)
            note(session)
            row.deleted_at = datetime.now(UTC)

    def restore(self, owner: str, conversation: str, note: Noting) -> ConversationRow:
        """Undo a deletion; one that is there stays as it is. Raises `NotFound`, also when it was purged."""
        query = select(ConversationRow).where(ConversationRow.id == conversation, ConversationRow.user_id == owner)
        with self._database.transaction() as session:
            row = session.scalar(query)
            if row is None:
                raise _not_found()
            note(session)
            row.deleted_at = None
        return row

    def purge(self, *, unused_since: datetime | None, deleted_before: datetime) -> int:
        """Remove for good, of everybody: what nobody used since then, and what was deleted before; how many went."""
        gone = ConversationRow.deleted_at < deleted_before
        if unused_since is not None:
            gone = or_(gone, ConversationRow.updated_at < unused_since)
        with self._database.transaction() as session:
            return _count(session.execute(delete(ConversationRow).where(gone)))

    # --- messages

    def open(self, owner: str, conversation: str) -> tuple[ConversationRow, Sequence[MessageRow]]:
        """A conversation with its messages, the oldest first, in two queries whatever their number. Raises `NotFound`."""
        query = select(MessageRow).where(MessageRow.conversation_id == conversation).order_by(MessageRow.position)
        with self._database.transaction() as session:
            row = _get(session, owner, conversation)
            return row, session.scalars(query).all()

    def messages_of(self, owner: str, conversations: Collection[str]) -> Sequence[MessageRow]:
        """The messages of those conversations in their order, in one query; another's have none."""
        query = (
            select(MessageRow)
            .join(ConversationRow, _OF_CONVERSATION)
            .where(_owned(owner), MessageRow.conversation_id.in_(conversations))
            .order_by(MessageRow.conversation_id, MessageRow.position)
        )
        with self._database.transaction() as session:
            return session.scalars(query).all()

    def message(self, owner: str, message: str) -> MessageRow:
        """Raises `NotFound`."""
        with self._database.transaction() as session:
            return owned_message(session, owner, message)

    def begin(
        self,
        owner: str,
        conversation: str,
        question: str,
        *,
        language: str,
        departments: Collection[str],
        key: str | None = None,
    ) -> tuple[MessageRow, bool]:
        """A message that is going to be answered, or the one that has this key, and whether it is new. Raises `NotFound`."""
        now = datetime.now(UTC)
        row = MessageRow(
            id=secrets.token_hex(10),
            conversation_id=conversation,
            key=key,
            question=storable(question),
            folded_question=folded(question),
            language=language,
            status=ANSWERING,
            departments=sorted(departments),
            asked_at=now,
            heard_at=now,
        )
        mine = (_owned(owner), ConversationRow.id == conversation)
        with self._database.transaction() as session:
            # The write comes first: it holds the conversation, so two tabs get two positions, and one key one message.
            if not _count(session.execute(update(ConversationRow).where(*mine).values(updated_at=now))):
                raise _not_found()
            of_it = MessageRow.conversation_id == conversation
            known = session.scalar(select(MessageRow).where(of_it, MessageRow.key == key)) if key else None
            if known is not None:
                return known, False
            row.position = 1 + (session.scalar(select(func.max(MessageRow.position)).where(of_it)) or 0)
            session.add(row)
            title = title_of(question)
            untitled = update(ConversationRow).where(*mine, ConversationRow.title == "")
            session.execute(untitled.values(title=title, folded_title=folded(title)))
        return row, True

    def note(self, owner: str, message: str, answer: AnswerColumns) -> bool:
        """A sign of life with what there is so far; False when it is not being answered any more."""
        return self._write(owner, message, answer, MessageRow.status == ANSWERING)

    def discard(self, owner: str, message: str, *, with_conversation: bool) -> None:
        """Remove a message that was refused, and the conversation if it was made for it. Raises `NotFound`."""
        with self._database.transaction() as session:
            row = owned_message(session, owner, message)
            session.delete(_get(session, owner, row.conversation_id) if with_conversation else row)

    def end(self, owner: str, message: str, status: str, answer: AnswerColumns) -> bool:
        """Finished, stopped or failed; False when it was removed meanwhile, with its conversation or its owner."""
        now = datetime.now(UTC)
        return self._write(owner, message, answer, status=status, finished_at=now)

    def break_off(self, *, silent_since: datetime) -> int:
        """Of everybody: whatever is being answered without a sign of life since then failed, its process is gone."""
        silent = and_(MessageRow.status == ANSWERING, MessageRow.heard_at < silent_since)
        values = {"status": FAILED, "error": BROKEN_OFF, "finished_at": MessageRow.heard_at}
        with self._database.transaction() as session:
            return _count(session.execute(update(MessageRow).where(silent).values(values)))

    def _write(
        self, owner: str, message: str, answer: AnswerColumns, *conditions: ColumnElement[bool], **values: object
    ) -> bool:
        values |= {name: storable(value) if isinstance(value, str) else value for name, value in answer.items()}
        if "answer" in answer:
            values["folded_answer"] = folded(answer["answer"])
        mine = select(ConversationRow.id).where(ConversationRow.user_id == owner)
        statement = update(MessageRow).where(
            MessageRow.id == message, MessageRow.conversation_id.in_(mine), *conditions
        )
        with self._database.transaction() as session:
            return bool(_count(session.execute(statement.values(heard_at=datetime.now(UTC), **values))))


BROKEN_OFF = "BrokenOff"  # the error of a message whose process ended while it was answered
_NEWEST = (ConversationRow.updated_at.desc(), ConversationRow.id)
_OF_CONVERSATION = MessageRow.conversation_id == ConversationRow.id


def owned_message(session: Session, owner: str, message: str) -> MessageRow:
    """A message of one of the owner's conversations that is not deleted. Raises `NotFound`."""
    query = select(MessageRow).join(ConversationRow, _OF_CONVERSATION).where(_owned(owner), MessageRow.id == message)
    row = session.scalar(query)
    if row is None:
        raise NotFound("there is no such message")
    return row


def _get(session: Session, owner: str, conversation: str) -> ConversationRow:
    row = session.scalar(select(ConversationRow).where(_owned(owner), ConversationRow.id == conversation))
    if row is None:
        raise _not_found()
    return row


def _not_found() -> NotFound:
    return NotFound("there is no such conversation")


def _owned(owner: str) -> ColumnElement[bool]:
    """What the owner sees: his own, without what he deleted."""
    return and_(ConversationRow.user_id == owner, ConversationRow.deleted_at.is_(None))


def _with_message(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(MessageRow.id).where(_OF_CONVERSATION, condition).exists()


def _count(result: Result[Any]) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
