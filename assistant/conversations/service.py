"""Conversations for whoever shows them: each of its owner alone, and today only what he may read today."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from assistant.access.policy import Policy
from assistant.access.principal import LOCAL_OPERATOR, Principal
from assistant.ask.events import Event, Turn, documents_of
from assistant.ask.language import language_of
from assistant.conversations.golden import add_to_golden
from assistant.conversations.reading import SILENT, Today, read_messages
from assistant.conversations.recording import Recording, Stream
from assistant.conversations.views import (
    NEW,
    ConversationPage,
    ConversationView,
    FeedbackView,
    MessageView,
    OpenConversation,
    conversation_view,
    feedback_view,
)
from assistant.errors import AlreadyAsked, ConfigError, InvalidRequest
from assistant.index.catalog import Catalog
from assistant.records.audit import Audit
from assistant.records.conversations import MAX_KEY, Conversations
from assistant.records.feedback import Feedback, Rated
from assistant.records.tables import ConversationRow, MessageRow
from assistant.records.texts import folded
from assistant.settings import State

MAX_TURNS = 6  # of a conversation that a follow-up is told
_PART = 20  # conversations that are read at once to find what a search may show


class ConversationService:
    """Every method takes who asks; what is another's is `NotFound`, whatever roles he has."""

    def __init__(
        self,
        talks: Conversations,
        feedback: Feedback,
        *,
        settings: State,
        policy: Policy,
        catalog: Callable[[], Catalog],
        audit: Audit,
    ) -> None:
        self._talks = talks
        self._feedback = feedback
        self._settings = settings
        self._policy = policy
        self._catalog = catalog
        self._audit = audit

    # --- conversations

    def list(self, principal: Principal, *, search: str = "", limit: int = 50, offset: int = 0) -> ConversationPage:
        """The newest first; with `search` those that have it in title, question or the readable part of an answer."""
        owner = _owner(principal)
        if folded(search):
            rows = self._found(principal, search, offset + limit + 1)[offset:]
        else:
            rows = self._talks.list(owner, limit=limit + 1, offset=offset)
        return ConversationPage(tuple(conversation_view(row) for row in rows[:limit]), len(rows) > limit)

    def create(self, principal: Principal, title: str = "") -> ConversationView:
        return conversation_view(self._talks.create(_owner(principal), title))

    def open(self, principal: Principal, conversation: str, *, was_shown: bool = False) -> OpenConversation:
        """With all messages and sources, masked by today's rights. Raises `NotFound`.

        `was_shown`: the person has just seen it grow; nothing of it is new to him, and no record of it to the audit.
        """
        opened = self._opened(principal, conversation)
        if not was_shown:
            self._record("conversation.opened", principal, opened)
        return opened

    def export(self, principal: Principal, conversation: str, form: str) -> OpenConversation:
        """The same to be written into a file of that format, which leaves the house. Raises `NotFound`."""
        opened = self._opened(principal, conversation)
        self._record("export", principal, opened, what="conversation", format=form)
        return opened

    def _opened(self, principal: Principal, conversation: str) -> OpenConversation:
        owner = _owner(principal)
        row, messages = self._talks.open(owner, conversation)
        feedback = self._feedback.of_conversation(owner, conversation)
        read = read_messages(messages, self._today(principal, messages), feedback)
        return OpenConversation(conversation_view(row), tuple(read))

    def _record(self, kind: str, principal: Principal, opened: OpenConversation, **details: str) -> None:
        """With the documents of which it shows something."""
        sources = (one.source for message in opened.messages for one in message.sources)
        documents = documents_of(source for source in sources if source)
        self._audit.record(kind, principal, **details, conversation=opened.conversation.id, documents=documents)

    def rename(self, principal: Principal, conversation: str, title: str) -> ConversationView:
        """Raises `NotFound`, and `InvalidRequest` for an empty title."""
        if not title.strip():
            raise InvalidRequest("a title is needed")
        return conversation_view(self._talks.rename(_owner(principal), conversation, title))

    def delete(self, principal: Principal, conversation: str) -> None:
        """Hidden at once; `restore` brings it back until it is purged. Raises `NotFound`."""
        note = self._audit.noting("conversation.deleted", principal, conversation=conversation)
        self._talks.delete(_owner(principal), conversation, note)

    def restore(self, principal: Principal, conversation: str) -> ConversationView:
        """Raises `NotFound`."""
        note = self._audit.noting("conversation.restored", principal, conversation=conversation)
        return conversation_view(self._talks.restore(_owner(principal), conversation, note))

    # --- asking in a conversation

    async def answer(
        self,
        stream: Stream,
        question: str,
        principal: Principal,
        conversation: str,
        *,
        key: str | None,
        versions: Mapping[str, Any],
    ) -> AsyncGenerator[Event, None]:
        """The stream's events, kept as a message of the conversation (or of a new one: `NEW`), with its history.

        `key` is made by the client. Raises `NotFound`, and `AlreadyAsked` when the conversation has a message of that key.
        """
        begin = self._begin
        row, history = await asyncio.to_thread(begin, question, principal, conversation, key)
        recording = Recording(self._talks, principal.id, row, dict(versions), is_first=conversation == NEW)
        async with aclosing(recording.run(stream, history)) as events:
            async for event in events:
                yield event

    def _begin(
        self, question: str, principal: Principal, conversation: str, key: str | None
    ) -> tuple[MessageRow, Sequence[Turn]]:
        owner = _owner(principal)
        if key is not None and not 0 < len(key) <= MAX_KEY:
            raise InvalidRequest(f"a key has 1 to {MAX_KEY} characters")
        history = [] if conversation == NEW else self.history(principal, conversation)
        if conversation == NEW:
            conversation = self._talks.create(owner).id
        row, is_new = self._talks.begin(
            owner,
            conversation,
            question,
            language=language_of(question),
            departments=principal.all_departments,
            key=key,
        )
        if not is_new:
            raise AlreadyAsked("this question was sent already: open the conversation to see its answer")
        return row, history

    def history(self, principal: Principal, conversation: str) -> Sequence[Turn]:
        """The last questions with the readable part of their answers, the oldest first. Raises `NotFound`."""
        _, rows = self._talks.open(_owner(principal), conversation)
        answered = [row for row in rows if row.answer]
        today = self._today(principal, answered)
        read = read_messages(answered, today, has_placeholders=False, last=MAX_TURNS)
        return [_turn(one) for one in read if one.answer]

    # --- feedback

    def rate(
        self, principal: Principal, message: str, rating: int, *, reason: str = "", comment: str = ""
    ) -> FeedbackView:
        """👍 is 1, 👎 is -1; a second time changes it. Raises `NotFound`, `InvalidRequest`."""
        owner = _owner(principal)
        note = self._audit.noting("feedback", principal, message=message, rating=rating, reason=reason)
        return feedback_view(self._feedback.give(owner, message, rating, note, reason=reason, comment=comment))

    def rating(self, principal: Principal, message: str) -> FeedbackView:
        """Raises `NotFound`."""
        return feedback_view(self._feedback.get(_owner(principal), message))

    def take_back(self, principal: Principal, message: str) -> None:
        """Raises `NotFound`."""
        note = self._audit.noting("feedback.removed", principal, message=message)
        self._feedback.remove(_owner(principal), message, note)

    def rated(self, *, rating: int | None = None, message: str | None = None) -> Sequence[Rated]:
        """Of everybody and unmasked: for the operator of the machine, who can read the database anyway."""
        self._audit.record("export", LOCAL_OPERATOR, what="feedback", **({"message": message} if message else {}))
        return self._feedback.rated(rating=rating, message=message)

    def to_golden(self, rated: Rated, file: Path, gold: Sequence[str] | None = None) -> bool:
        """A question whose answer was rated becomes a line of that file; False when it is there already.

        `gold` are the paths of the documents that answer it, none of them if no document does; None: to be labelled.
        """

        def note() -> None:
            self._audit.record("golden.added", LOCAL_OPERATOR, message=rated.message.id, documents=gold, file=str(file))

        return add_to_golden(file, rated.message, gold, rated.feedback, note=note)

    # --- keeping

    def purge(self) -> int:
        """Remove what is past its time (`state.retention_days`, `state.undo_days`), and note what was broken off."""
        now = datetime.now(UTC)
        self._talks.break_off(silent_since=now - SILENT)
        days = self._settings.retention_days
        gone = self._talks.purge(
            unused_since=now - timedelta(days=days) if days else None,
            deleted_before=now - timedelta(days=self._settings.undo_days),
        )
        if gone:
            self._audit.record("conversation.purged", None, count=gone)
        return gone

    # --- what may be read

    def _today(self, principal: Principal, messages: Sequence[MessageRow]) -> Today:
        return Today(self._catalog(), self._policy, principal, messages)

    def _found(self, principal: Principal, search: str, enough: int) -> Sequence[ConversationRow]:
        """The first conversations that match. One that matches by an answer alone must do so by its readable part."""
        matches = self._talks.search(principal.id, search)
        found: list[ConversationRow] = []
        for start in range(0, len(matches), _PART):
            part = matches[start : start + _PART]
            shown = self._with_readable(principal, search, [row.id for row, is_typed in part if not is_typed])
            found += [row for row, is_typed in part if is_typed or row.id in shown]
            if len(found) >= enough:
                break
        return found[:enough]

    def _with_readable(self, principal: Principal, search: str, conversations: Sequence[str]) -> set[str]:
        rows = self._talks.messages_of(principal.id, conversations) if conversations else []
        today = self._today(principal, rows)
        found = set()
        for conversation, messages in groupby(rows, key=lambda row: row.conversation_id):
            read: Sequence[MessageView] = read_messages(list(messages), today, has_placeholders=False)
            if any(folded(search) in folded(one.answer) for one in read):
                found.add(conversation)
        return found


def _turn(message: MessageView) -> Turn:
    whole = message.searched if message.searched != message.question else ""
    return Turn(message.question, message.answer, whole)


def _owner(principal: Principal) -> str:
    """Raises `ConfigError` for who has no account."""
    if principal.id == LOCAL_OPERATOR.id:
        raise ConfigError("conversations belong to an account: name it with --as USER")
    return principal.id
