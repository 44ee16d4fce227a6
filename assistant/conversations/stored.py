"""Sources as they are stored with a message, and as they are read again."""

from __future__ import annotations

from typing import Any

from assistant.access.principal import AccessClass
from assistant.ask.events import Scores, Source, Standing
from assistant.index.catalog import Passage

Stored = dict[str, Any]


def stored_source(source: Source, *, given: bool, cited: bool, nearest: bool = False) -> Stored:
    passage = source.passage
    return {
        "n": source.n,
        "document": passage.document,
        "chunk": passage.chunk,
        "version": passage.version,
        "title": passage.title,
        "path": passage.path,
        "section": passage.section,
        "page": passage.page,
        "page_kind": passage.page_kind,
        "position": passage.position,
        "department": passage.access_class.department,
        "level": passage.access_class.level,
        "date": source.standing.date,
        "text": passage.text,
        "score": source.score,
        "scores": dict(source.scores.__dict__),
        "given": given,
        "cited": cited,
        "nearest": nearest,
    }


def read_source(stored: Stored, access_class: AccessClass, standing: Standing) -> Source:
    """As it was found, with the access class and the standing that the document has today."""
    passage = Passage(
        chunk=stored["chunk"],
        document=stored["document"],
        path=stored["path"],
        title=stored["title"],
        section=stored["section"],
        page=stored["page"],
        position=stored["position"],
        text=stored["text"],
        class_id=0,  # of the index; a stored passage is in none
        access_class=access_class,
        page_kind=stored["page_kind"],
    )
    return Source(stored["n"], passage, stored["score"], Scores(**stored["scores"]), standing)


def class_then(stored: Stored) -> AccessClass:
    return AccessClass(stored["department"], stored["level"])
