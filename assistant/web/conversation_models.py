"""What the routes of conversations take and give, for the generated OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ID = "6f1d2c3b4a5968778695"
MESSAGE: dict[str, Any] = {
    "id": "0a1b2c3d4e5f60718293",
    "position": 1,
    "key": None,
    "question": "Как настроить VPN?",
    "searched": "Как настроить VPN?",
    "language": "ru",
    "answer": "Установите клиент и войдите под корпоративной учётной записью [1].",
    "status": "finished",
    "error": "",
    "model": "qwen2.5:7b",
    "grounded": True,
    "withheld": False,
    "sources": [
        {"n": 1, "withheld": False, "given": True, "cited": True, "changed": False, "title": "Инструкция по VPN"},
    ],
    "notices": [],
    "unsupported": [],
    "nearest": [],
    "timings_ms": {"retrieval": 21.4, "total": 4180.9},
    "asked_at": "2026-03-02T09:20:26+00:00",
    "finished_at": "2026-03-02T09:20:30+00:00",
    "feedback": None,
}
CONVERSATION: dict[str, Any] = {
    "id": ID,
    "title": "Как настроить VPN?",
    "created_at": "2026-03-02T09:15:00+00:00",
    "updated_at": "2026-03-02T09:20:30+00:00",
}


class ConversationOut(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [CONVERSATION]})

    id: str
    title: str
    created_at: datetime
    updated_at: datetime = Field(description="Of its last question.")


class ConversationsOut(BaseModel):
    conversations: list[ConversationOut]
    more: bool = Field(description="Whether there are more behind these: ask again with a larger `offset`.")


class SuccessorOut(BaseModel):
    document: str
    title: str
    date: str | None


class ScoresOut(BaseModel):
    bm25: float | None
    vector: float | None
    rerank: float | None


class SourceOut(BaseModel):
    """A passage that was found for the question. Of one that may not be read any more all but the first five are null."""

    n: int = Field(description="Its number in the answer: [n].")
    withheld: bool = Field(description="You may not read its document any more, or it is gone.")
    given: bool = Field(description="The answer was made from it.")
    cited: bool = Field(description="The answer names it.")
    changed: bool = Field(description="The document was loaded with another content since.")
    document: str | None = None
    chunk: str | None = None
    source: str | None = Field(None, description="Path of the file.")
    title: str | None = None
    section: str | None = None
    page: str | None = None
    page_kind: str | None = Field(None, description="What `page` names: page, sheet, slide or attachment.")
    date: str | None = None
    expired: bool | None = None
    superseded_by: SuccessorOut | None = None
    department: str | None = None
    level: int | None = None
    text: str | None = None
    score: float | None = None
    scores: ScoresOut | None = None


class PlaceOut(BaseModel):
    """A passage's document, and where in it the passage is."""

    document: str = Field(description="The document's id: `/documents/{id}` shows it.")
    chunk: str = Field(description="The passage's id: `/documents/{id}?chunk={chunk}#found` shows it in its document.")
    source: str = Field(description="Path of the file.")
    title: str
    page: str | None
    page_kind: str = Field(description="What `page` names: page, sheet, slide or attachment.")
    date: str | None = Field(description="Of the document, ISO.")
    expired: bool
    superseded_by: SuccessorOut | None = Field(description="The edition in force, if it may be read.")


class SpanOut(BaseModel):
    """A part of the answer."""

    start: int = Field(description="Its first character, from 0.")
    end: int = Field(description="Behind its last one.")
    text: str


class NoticeOut(BaseModel):
    kind: str
    detail: str


class FeedbackOut(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rating": -1,
                    "reason": "outdated",
                    "comment": "Адрес сервера сменили в январе",
                    "updated_at": "2026-03-02T09:21:00+00:00",
                }
            ]
        }
    )

    rating: int
    reason: str
    comment: str
    updated_at: datetime


class MessageOut(BaseModel):
    """A question with its answer, as you may read it today."""

    id: str
    position: int = Field(description="In the conversation, from 1.")
    key: str | None = Field(description="What the client gave with the question.")
    question: str
    searched: str = Field(description="What was searched for; empty where it might tell what is withheld.")
    language: str
    answer: str = Field(description="Markdown; sentences from sources that you may not read any more are replaced.")
    status: Literal["answering", "finished", "stopped", "failed"]
    error: str = Field(description="Kind of the error that it failed with.")
    model: str
    grounded: bool
    withheld: bool = Field(description="Something of it is withheld.")
    sources: list[SourceOut]
    notices: list[NoticeOut]
    unsupported: list[SpanOut] = Field(description="Sentences that no source supports.")
    nearest: list[PlaceOut] = Field(description="Where the documents hold no answer: the nearest of them.")
    timings_ms: dict[str, float]
    asked_at: datetime
    finished_at: datetime | None
    feedback: FeedbackOut | None


class OpenConversationOut(ConversationOut):
    model_config = ConfigDict(json_schema_extra={"examples": [{**CONVERSATION, "messages": [MESSAGE]}]})

    messages: list[MessageOut] = Field(description="The oldest first.")


class NewConversation(BaseModel):
    title: str = Field("", max_length=1000, description="Without one it takes its first question's words.")


class Rename(BaseModel):
    title: str = Field(min_length=1, max_length=1000, examples=["VPN из дома"])


class FeedbackIn(BaseModel):
    message: str = Field(examples=[ID])
    rating: Literal[1, -1] = Field(description="1 is 👍, -1 is 👎.", examples=[-1])
    reason: Literal["", "wrong", "incomplete", "outdated", "wrong_source", "not_found", "unclear", "other"] = ""
    comment: str = Field("", max_length=2000, examples=["Адрес сервера сменили в январе"])
