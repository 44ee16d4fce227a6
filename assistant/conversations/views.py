"""What a conversation looks like to its owner today: values, with what may no longer be read already taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from assistant.ask.events import Notice, Source, Span
from assistant.records.feedback import Rated as Rated
from assistant.records.tables import ConversationRow, FeedbackRow

NEW = "new"  # in place of a conversation's id: one that is made with its first question
Status = Literal["answering", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class ConversationView:
    id: str
    title: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class ConversationPage:
    """A part of a list, and whether there is more of it."""

    conversations: tuple[ConversationView, ...]
    has_more: bool


@dataclass(frozen=True)
class FeedbackView:
    rating: int
    reason: str
    comment: str
    updated_at: datetime


@dataclass(frozen=True)
class SourceView:
    """A passage that was found for a question; of one that is withheld only its number is told."""

    n: int
    source: Source | None  # None: the asker may not read it any more
    is_given: bool  # the answer was made from it
    is_cited: bool
    is_nearest: bool = False  # shown where the answer is that there is none
    is_changed: bool = False  # the document was loaded with another content since

    @property
    def is_withheld(self) -> bool:
        return self.source is None


@dataclass(frozen=True, kw_only=True)
class MessageView:
    """A question with its answer. `searched` is what was looked for; empty where it might tell what is withheld."""

    id: str
    position: int
    key: str | None
    question: str
    searched: str
    language: str
    answer: str
    status: Status
    error: str
    model: str
    is_grounded: bool
    sources: tuple[SourceView, ...]
    notices: tuple[Notice, ...]
    is_withheld: bool  # something of it
    asked_at: datetime
    finished_at: datetime | None
    timings: Mapping[str, Any] = field(default_factory=dict)
    unsupported: tuple[Span, ...] = ()  # sentences of the answer
    feedback: FeedbackView | None = None

    @property
    def cited(self) -> tuple[Source, ...]:
        return tuple(one.source for one in self.sources if one.is_cited and one.source is not None)

    @property
    def nearest(self) -> tuple[Source, ...]:
        return tuple(one.source for one in self.sources if one.is_nearest and one.source is not None)


@dataclass(frozen=True)
class OpenConversation:
    conversation: ConversationView
    messages: tuple[MessageView, ...]


def conversation_view(row: ConversationRow) -> ConversationView:
    return ConversationView(row.id, row.title, row.created_at, row.updated_at)


def feedback_view(row: FeedbackRow) -> FeedbackView:
    return FeedbackView(row.rating, row.reason, row.comment, row.updated_at)
