"""Tables of catalog and state (SQLAlchemy 2); their history is in `migrations/versions`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from assistant.records import account_tables as account_tables  # rows here belong to accounts
from assistant.records.base import Base


class AccessClassRow(Base):
    """An access class: who may read (department, level). Its id names the Chroma collection."""

    __tablename__ = "access_classes"
    __table_args__ = (UniqueConstraint("department", "level"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    department: Mapped[str] = mapped_column(String(200))
    level: Mapped[int]


class GenerationRow(Base):
    """One making of the index: all documents by one embedding model and one set of recipes. One of them serves."""

    __tablename__ = "generations"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(String(20))  # building, serving, kept, failed (to be removed), removed
    embedding: Mapped[dict[str, Any]] = mapped_column(default=dict)  # the settings that its model was made from
    identity: Mapped[str] = mapped_column(String(64), default="")  # of its model; "" until the first use
    recipes: Mapped[dict[str, Any]] = mapped_column(default=dict)  # pipeline file → its hash, of one that is built
    withdrawn: Mapped[list[Any]] = mapped_column(JSON, default=list)  # what was removed by hand while it is built
    changes: Mapped[int] = mapped_column(BigInteger, default=0)  # grows with every change of its chunks
    created_at: Mapped[datetime]
    switched_at: Mapped[datetime | None]  # when it began to serve


class DocumentRow(Base):
    """One file (or one item of another source) and what became of it; in each generation with the same id."""

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("generation", "pipeline", "source", "path"),
        Index("documents_by_sha256", "generation", "pipeline", "source", "sha256"),
    )

    generation: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    pipeline: Mapped[str] = mapped_column(String(200))
    source: Mapped[str] = mapped_column(String(1000), default="")
    path: Mapped[str] = mapped_column(String(2000))
    location: Mapped[str] = mapped_column(Text, default="")
    title: Mapped[str] = mapped_column(Text, default="")
    class_id: Mapped[int | None] = mapped_column(ForeignKey("access_classes.id"))
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    mtime_ns: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str] = mapped_column(String(64), default="")
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    version: Mapped[str] = mapped_column(String(40), default="")
    pages: Mapped[int | None]
    ocr_pages: Mapped[int] = mapped_column(default=0, server_default="0")
    chunks: Mapped[int] = mapped_column(default=0)
    series: Mapped[str] = mapped_column(String(64), default="", server_default="", index=True)
    superseded_by: Mapped[str | None] = mapped_column(String(40))
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    status: Mapped[str] = mapped_column(String(20), index=True)
    error: Mapped[str | None] = mapped_column(Text)
    indexed_at: Mapped[datetime | None]


class ChunkRow(Base):
    """The chunk table: the text that BM25 is built from and that answers are shown from."""

    __tablename__ = "chunks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["generation", "document_id"], ["documents.generation", "documents.id"], ondelete="CASCADE"
        ),
        Index("chunks_by_document", "generation", "document_id"),
    )

    generation: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    document_id: Mapped[str] = mapped_column(String(40))
    class_id: Mapped[int] = mapped_column(ForeignKey("access_classes.id"))
    position: Mapped[int]
    page: Mapped[str | None] = mapped_column(String(100))
    page_kind: Mapped[str] = mapped_column(String(10), default="page", server_default="page")
    section: Mapped[str] = mapped_column(Text, default="")
    text: Mapped[str] = mapped_column(Text)


class ChunkColumns(TypedDict):
    """A row of the chunk table to be inserted: many at once, without an object for each."""

    id: str
    document_id: str
    class_id: int
    position: int
    page: str | None
    page_kind: str
    section: str
    text: str


class VectorWriteRow(Base):
    """What may be in Chroma: written before vectors are added, removed after they are deleted.

    So a run that was killed in between leaves a trace, and the next one settles it.
    """

    __tablename__ = "vector_writes"

    generation: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    collection: Mapped[str] = mapped_column(String(80), primary_key=True)
    version: Mapped[str] = mapped_column(String(40), primary_key=True)
    chunks: Mapped[int]


class CounterRow(Base):
    """Named numbers of the whole database: `store` is random, and tells it from others."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class ConversationRow(Base):
    """A person's questions and answers on one matter. One that is deleted can be restored until it is purged."""

    __tablename__ = "conversations"
    __table_args__ = (Index("conversations_by_user", "user_id", "updated_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200), default="")
    folded_title: Mapped[str] = mapped_column(String(400), default="")  # for searching: SQLite folds ASCII only
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]  # of its last message
    deleted_at: Mapped[datetime | None]


class MessageRow(Base):
    """A question with its answer, as it was when it was given: who reads it later is asked by today's rights."""

    __tablename__ = "messages"
    __table_args__ = (UniqueConstraint("conversation_id", "position"), UniqueConstraint("conversation_id", "key"))

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    position: Mapped[int]  # from 1
    key: Mapped[str | None] = mapped_column(
        String(80)
    )  # made by the client: the same question sent twice is one message
    question: Mapped[str] = mapped_column(Text)  # as typed
    searched: Mapped[str] = mapped_column(Text, default="")
    language: Mapped[str] = mapped_column(String(8))
    answer: Mapped[str] = mapped_column(Text, default="")
    folded_question: Mapped[str] = mapped_column(Text)
    folded_answer: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[str] = mapped_column(String(12), index=True)  # answering, finished, stopped, failed
    error: Mapped[str] = mapped_column(String(60), default="")  # kind of the error that it failed with
    model: Mapped[str] = mapped_column(String(200), default="")
    is_grounded: Mapped[bool] = mapped_column(default=False)
    sources: Mapped[list[Any]] = mapped_column(JSON, default=list)
    notices: Mapped[list[Any]] = mapped_column(JSON, default=list)
    unsupported: Mapped[list[Any]] = mapped_column(
        JSON, default=list, server_default="[]"
    )  # [start, end] in the answer
    timings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    versions: Mapped[dict[str, Any]] = mapped_column(default=dict)  # of the assistant, the embedding model, the index
    departments: Mapped[list[str]]  # of the asker at that time
    asked_at: Mapped[datetime] = mapped_column(index=True)
    heard_at: Mapped[datetime]  # while it is answered, the last sign of life
    finished_at: Mapped[datetime | None]


class FeedbackRow(Base):
    """What the asker thinks of an answer; may be changed."""

    __tablename__ = "feedback"

    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    rating: Mapped[int]  # 1 or -1
    reason: Mapped[str] = mapped_column(String(40), default="")
    comment: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
