"""What search, answers and documents look like over HTTP, for the generated OpenAPI document; see `assistant.contracts`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from assistant.web.conversation_models import NoticeOut, PlaceOut, ScoresOut, SpanOut, SuccessorOut

_DOCUMENT, _CHUNK = "0f3a9c1d2e4b5a697887", "0f3a9c1d2e4b5a697887-3-1"
_PLACE: dict[str, Any] = {
    "document": _DOCUMENT,
    "chunk": _CHUNK,
    "source": "it/Инструкция по VPN.pdf",
    "title": "Инструкция по VPN",
    "page": "2",
    "page_kind": "page",
    "date": "2025-02-10",
    "expired": False,
    "superseded_by": None,
}
_TEXT = "Установите клиент и войдите под корпоративной учётной записью."
RESULT: dict[str, Any] = {
    "rank": 1,
    "score": 0.913402,
    **_PLACE,
    "section": "Подключение",
    "department": "company",
    "level": 1,
    "text": _TEXT,
    "scores": {"bm25": 7.41, "vector": 0.71, "rerank": None},
}
CITATION: dict[str, Any] = {"n": 1, **_PLACE, "quote": _TEXT}
ANSWER: dict[str, Any] = {
    "answer": "Установите клиент и войдите под корпоративной учётной записью [1].",
    "citations": [CITATION],
    "model": "qwen2.5:7b",
    "grounded": True,
    "conversation": None,
    "message": None,
    "notices": [],
    "timings_ms": {"retrieval": 21.4, "first_token": 350.2, "total": 4180.9},
    "unsupported": [],
    "nearest": [],
}


def _example(value: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [value]})


class ResultOut(PlaceOut):
    model_config = _example(RESULT)

    rank: int
    score: float
    section: str
    department: str
    level: int
    text: str
    scores: ScoresOut


class CitationOut(PlaceOut):
    model_config = _example(CITATION)

    n: int = Field(description="The answer names it as [n].")
    quote: str


class SearchOut(BaseModel):
    model_config = _example(
        {
            "query": "Как настроить VPN?",
            "principal": "5d0c1a2b3c4d5e6f7a8b",
            "answerable": True,
            "notices": [],
            "results": [RESULT],
            "timings_ms": {"sparse": 4.1, "embed": 0.4, "dense": 6.3, "fuse": 0.6, "check": 1.2},
        }
    )

    query: str
    principal: str = Field(description="Id of the account whose rights were used.")
    answerable: bool = Field(description="Whether the passages seem to answer it.")
    notices: list[NoticeOut]
    results: list[ResultOut] = Field(description="The best first.")
    timings_ms: dict[str, float]


class AnswerOut(BaseModel):
    """The event `finished` of `/api/ask`."""

    model_config = _example(ANSWER)

    answer: str = Field(description="Markdown with [n].")
    citations: list[CitationOut]
    model: str
    grounded: bool = Field(description="False when the documents do not answer it, or the answer names none.")
    conversation: str | None
    message: str | None = None
    notices: list[NoticeOut]
    timings_ms: dict[str, float]
    unsupported: list[SpanOut] = Field(description="Sentences that no source supports.")
    nearest: list[PlaceOut] = Field(description="Where the documents hold no answer: the nearest of them.")


class ProblemOut(BaseModel):
    """RFC 9457. `detail` is for people; `title` is the kind."""

    model_config = _example(
        {
            "type": "about:blank",
            "title": "InvalidQuestion",
            "status": 422,
            "detail": "the question is empty: write what you want to know",
            "retryable": False,
        }
    )

    type: str
    title: str
    status: int
    detail: str
    retryable: bool | None = Field(None, description="Whether the same request may succeed in a while.")


class DocumentOut(BaseModel):
    model_config = _example(
        {
            "id": _DOCUMENT,
            "path": "it/Инструкция по VPN.pdf",
            "title": "Инструкция по VPN",
            "department": "company",
            "level": 1,
            "date": "2025-02-10",
            "superseded_by": None,
            "pages": 4,
            "ocr_pages": 0,
            "chunks": 9,
            "status": "indexed",
            "error": None,
            "indexed_at": "2026-03-02T09:15:00+00:00",
            "pipeline": "company",
            "source": "",
            "metadata": {"author": "ИТ-отдел"},
        }
    )

    id: str
    path: str
    title: str
    department: str | None
    level: int | None
    date: str | None
    superseded_by: SuccessorOut | None
    pages: int | None
    ocr_pages: int | None
    chunks: int
    status: str
    error: str | None
    indexed_at: str | None
    pipeline: str
    source: str
    metadata: dict[str, Any]


class DocumentsOut(BaseModel):
    documents: list[DocumentOut]
    total: int = Field(description="Of those that you may read and that have the status asked for.")
    other_departments: int = Field(description="How many more there are that you may not read.")


class StoredOut(BaseModel):
    model_config = _example(
        {
            "source": "company",
            "stored": ["it/Новый порядок.pdf"],
            "refused": [{"name": "setup.exe", "reason": "no reader takes files of this kind"}],
        }
    )

    source: str
    stored: list[str]
    refused: list[dict[str, str]]


class HealthOut(BaseModel):
    model_config = _example(
        {
            "status": "healthy",
            "version": "0.1.0",
            "checks": {
                "database": {"state": "ok", "latency_ms": 0.8},
                "llm qwen2.5:7b": {"state": "ok", "latency_ms": 4.1},
            },
        }
    )

    status: str
    version: str
    checks: dict[str, dict[str, Any]]


class StateOut(BaseModel):
    model_config = _example({"status": "ready"})

    status: str
