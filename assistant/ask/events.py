"""What happens while an answer is made: frozen values in the order (Queued), Step, (Notice), Sources, Token …, Finished."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from assistant.index.catalog import Passage

MARKER = re.compile(r"\[(\d{1,6})\]")  # how an answer names a source
_WITH_SPACE = re.compile(r"\s*\[\d+\]")

NoticeKind = Literal[
    "extractive",  # no language model runs: sentences are quoted
    "fallback",  # a model other than the first one answers
    "passages_dropped",  # not every passage found fits into the model's context
    "prompt_cut",  # the server cut the prompt
    "answer_cut",  # the answer reached its length limit
    "unchecked",  # whether the sources support the answer could not be found out
    "uncited",  # the model's answer names no passage
    "broken_off",  # the model stopped in the middle
    "rerank_failed",  # the fused order stands
    "rewritten_by_rule",  # the language model did not make a whole question of a follow-up: a rule did
    "read_as",  # a word that no document has was taken for another spelling
    "rerank_late",  # so it does: the reranker took longer than its budget
    "keyword_only",  # the vector store is down: found by words alone
]


@dataclass(frozen=True)
class Scores:
    """Why a passage was chosen; None where a method did not find it or was not used."""

    bm25: float | None = None
    vector: float | None = None
    rerank: float | None = None


@dataclass(frozen=True)
class Successor:
    """The edition in force of a document that was replaced; `date` is ISO."""

    document: str
    title: str
    date: str | None


@dataclass(frozen=True)
class Standing:
    """Of which date a document is and whether it is still in force, as far as its reader may know."""

    date: str | None = None  # ISO
    is_expired: bool = False
    superseded_by: Successor | None = None


@dataclass(frozen=True)
class Source:
    """A passage with its number in the answer, counted from 1."""

    n: int
    passage: Passage
    score: float
    scores: Scores
    standing: Standing = Standing()


@dataclass(frozen=True)
class Turn:
    """An earlier question of the same conversation with its answer, as far as the asker may read it today."""

    question: str
    answer: str
    searched: str = ""  # the question as it was made whole; empty where it was searched as typed


@dataclass(frozen=True)
class Recorded:
    """The question is kept as this message of this conversation; comes first, and only in a conversation."""

    conversation: str
    message: str


@dataclass(frozen=True)
class Queued:
    """It is not this question's turn: its place in the line, counted from 1, and about how long that takes, if known."""

    place: int
    seconds: int | None


@dataclass(frozen=True)
class Step:
    """The search: the question as searched, as typed (`asked`), and what was found."""

    question: str
    found: tuple[Source, ...]
    documents: int
    seconds: float
    asked: str = ""


@dataclass(frozen=True)
class Notice:
    """Something the reader of the answer should know; `detail` is the operator's: servers, settings and paths."""

    kind: NoticeKind
    detail: str = ""


@dataclass(frozen=True)
class Sources:
    """The passages the answer is made from: those in the prompt, or those quoted from."""

    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Token:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True)
class Span:
    """Characters of an answer; `end` is the first one behind it."""

    start: int
    end: int


@dataclass(frozen=True)
class Finished:
    """The whole answer. `grounded` is False when nothing in the documents answers the question, or the answer cites none.

    `conversation` and `message` are where it is kept, if it is. `unsupported` are its sentences that no source supports.
    `nearest` are passages of the documents nearest to a question that has no answer, one a document.
    """

    answer: str
    cited: tuple[Source, ...]
    model: str
    grounded: bool
    notices: tuple[Notice, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    prompt_tokens: int | None = None  # as the model's server counted; None where it does not say, or none was asked
    answer_tokens: int | None = None
    conversation: str | None = None
    message: str | None = None
    unsupported: tuple[Span, ...] = ()
    nearest: tuple[Source, ...] = ()


Event = Recorded | Queued | Step | Notice | Sources | Token | Finished


def without_markers(answer: str) -> str:
    """As it is read aloud or quoted."""
    return _WITH_SPACE.sub("", answer)


def documents_of(sources: Iterable[Source]) -> list[dict[str, str]]:
    """Each document once, with its version, in the order of the passages: as the audit names them."""
    passages = [source.passage for source in sources]
    found = {(passage.document, passage.version): passage.path for passage in passages}
    return [{"document": document, "version": version, "path": path} for (document, version), path in found.items()]
