"""The stable JSON of command line and HTTP: fields may be added, never renamed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from assistant.access.principal import Principal
from assistant.ask.events import Finished, Notice, Queued, Source, Span, Standing, Step
from assistant.ask.retrieval import Retrieved
from assistant.ask.standing import document_day
from assistant.assistant import DocumentView
from assistant.conversations.views import (
    ConversationView,
    FeedbackView,
    MessageView,
    OpenConversation,
    Rated,
    SourceView,
)

# Their detail is a count that people may see; that of the others is a reason with servers and paths.
_SHOWN_TO_ALL = frozenset({"passages_dropped", "prompt_cut", "read_as"})  # numbers, and words of the question
Say = Callable[[Notice], str]


def source_json(source: Source) -> dict[str, Any]:
    passage = source.passage
    return {
        "rank": source.n,
        "score": round(source.score, 6),
        "document": passage.document,
        "chunk": passage.chunk,
        "source": passage.path,
        "title": passage.title,
        "section": passage.section,
        "page": passage.page,
        "page_kind": passage.page_kind,
        **standing_json(source.standing),
        "department": passage.access_class.department,
        "level": passage.access_class.level,
        "text": passage.text,
        "scores": dict(source.scores.__dict__),
    }


def standing_json(standing: Standing) -> dict[str, Any]:
    by = standing.superseded_by
    return {
        "date": standing.date,
        "expired": standing.is_expired,
        "superseded_by": {"document": by.document, "title": by.title, "date": by.date} if by else None,
    }


def search_json(question: str, principal: Principal, found: Retrieved, *, say: Say | None = None) -> dict[str, Any]:
    return {
        "query": question,
        "principal": principal.id,
        "answerable": found.answerable,
        "notices": [notice_json(notice, say) for notice in found.notices],
        "results": [source_json(source) for source in found.sources],
        "timings_ms": found.timings_ms,
    }


def notice_json(notice: Notice, say: Say | None = None) -> dict[str, str]:
    """For people `say` puts a sentence in place of the reason; without it, the operator's raw reason."""
    detail = notice.detail if say is None or notice.kind in _SHOWN_TO_ALL else say(notice)
    return {"kind": notice.kind, "detail": detail}


def citation_json(source: Source) -> dict[str, Any]:
    passage = source.passage
    return {
        "n": source.n,
        "document": passage.document,
        "chunk": passage.chunk,
        "source": passage.path,
        "title": passage.title,
        "page": passage.page,
        "page_kind": passage.page_kind,
        **standing_json(source.standing),
        "quote": passage.text,
    }


def nearest_json(source: Source) -> dict[str, Any]:
    """A document to look into; it is no source of the answer and has no number."""
    return {key: value for key, value in citation_json(source).items() if key not in ("n", "quote")}


def spans_json(text: str, spans: Iterable[Span]) -> list[dict[str, Any]]:
    """Parts of a text: where they start and end in it (characters), and what they say."""
    return [{"start": span.start, "end": span.end, "text": text[span.start : span.end]} for span in spans]


def ask_json(finished: Finished, *, say: Say | None = None) -> dict[str, Any]:
    return {
        "answer": finished.answer,
        "citations": [citation_json(source) for source in finished.cited],
        "model": finished.model,
        "grounded": finished.grounded,
        "conversation": finished.conversation,
        "message": finished.message,
        "notices": [notice_json(notice, say) for notice in finished.notices],
        "timings_ms": finished.timings_ms,
        "unsupported": spans_json(finished.answer, finished.unsupported),
        "nearest": [nearest_json(source) for source in finished.nearest],
    }


def queued_json(queued: Queued) -> dict[str, Any]:
    return {"place": queued.place, "seconds": queued.seconds}


def step_json(step: Step) -> dict[str, Any]:
    return {
        "question": step.question,
        "asked": step.asked,
        "documents": step.documents,
        "seconds": step.seconds,
        "results": [source_json(source) for source in step.found],
    }


def document_json(view: DocumentView, others: Mapping[str, DocumentView] | None = None) -> dict[str, Any]:
    """`others` are the documents that may be named, by id: what replaces this one is told only if it is among them."""
    row = view.row
    return {
        "id": row.id,
        "path": row.path,
        "title": row.title,
        "department": view.access_class.department if view.access_class else None,
        "level": view.access_class.level if view.access_class else None,
        "date": document_day(row.title, row.path, row.details),
        "superseded_by": _superseded_by(row.superseded_by, others or {}),
        "pages": row.pages,
        "ocr_pages": row.ocr_pages,
        "chunks": row.chunks,
        "status": row.status,
        "error": row.error,
        "indexed_at": row.indexed_at.isoformat() if row.indexed_at else None,
        "pipeline": row.pipeline,
        "source": row.source,
        "metadata": {key: value for key, value in row.details.items() if not key.startswith("_")},
    }


def _superseded_by(document: str | None, others: Mapping[str, DocumentView]) -> dict[str, Any] | None:
    if document is None or document not in others:
        return None
    row = others[document].row
    return {"document": document, "title": row.title, "date": document_day(row.title, row.path, row.details)}


def conversation_json(view: ConversationView) -> dict[str, Any]:
    return {
        "id": view.id,
        "title": view.title,
        "created_at": view.created_at.isoformat(),
        "updated_at": view.updated_at.isoformat(),
    }


def open_conversation_json(opened: OpenConversation, *, say: Say | None = None) -> dict[str, Any]:
    messages = [message_json(message, say=say) for message in opened.messages]
    return {**conversation_json(opened.conversation), "messages": messages}


def message_json(view: MessageView, *, say: Say | None = None) -> dict[str, Any]:
    return {
        "id": view.id,
        "position": view.position,
        "key": view.key,
        "question": view.question,
        "searched": view.searched,
        "language": view.language,
        "answer": view.answer,
        "status": view.status,
        "error": view.error,
        "model": view.model,
        "grounded": view.is_grounded,
        "withheld": view.is_withheld,
        "sources": [kept_source_json(source) for source in view.sources],
        "notices": [notice_json(notice, say) for notice in view.notices],
        "unsupported": spans_json(view.answer, view.unsupported),
        "nearest": [nearest_json(source) for source in view.nearest],
        "timings_ms": dict(view.timings),
        "asked_at": view.asked_at.isoformat(),
        "finished_at": view.finished_at.isoformat() if view.finished_at else None,
        "feedback": feedback_json(view.feedback) if view.feedback else None,
    }


def kept_source_json(view: SourceView) -> dict[str, Any]:
    """Of one that is withheld only that it was there."""
    told = {
        "n": view.n,
        "withheld": view.is_withheld,
        "given": view.is_given,
        "cited": view.is_cited,
        "changed": view.is_changed,
    }
    return {**told, **source_json(view.source)} if view.source else told


def feedback_json(view: FeedbackView) -> dict[str, Any]:
    return {
        "rating": view.rating,
        "reason": view.reason,
        "comment": view.comment,
        "updated_at": view.updated_at.isoformat(),
    }


def rated_json(rated: Rated) -> dict[str, Any]:
    """With all that was kept, unmasked: for the operator."""
    given, message = rated.feedback, rated.message
    return {
        "message": message.id,
        "conversation": message.conversation_id,
        "user": rated.user,
        "rating": given.rating,
        "reason": given.reason,
        "comment": given.comment,
        "updated_at": given.updated_at.isoformat(),
        "question": message.question,
        "searched": message.searched,
        "answer": message.answer,
        "status": message.status,
        "grounded": message.is_grounded,
        "model": message.model,
        "versions": message.versions,
        "departments": message.departments,
        "sources": message.sources,
        "asked_at": message.asked_at.isoformat(),
    }
