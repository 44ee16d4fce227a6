"""`assistant reindex --back`: the kept generation serves again, and nobody reads more by it than by the one it replaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from assistant.access.principal import AccessClass
from assistant.errors import NotFound
from assistant.index.catalog import Catalog
from assistant.index.generations import Generation
from assistant.index.succession import mark
from assistant.ingest.metadata import was_refusal, within
from assistant.records.tables import DocumentRow
from assistant.serving import Index, Serving

Unread = list[tuple[DocumentRow, DocumentRow]]  # documents as the kept generation and as the newer one have them
ClassNow = Callable[[Unread], dict[DocumentRow, AccessClass | None]]


@dataclass
class Differences:
    """What changed since the kept generation served. Paths; the next ingest brings `changed` and `missing` up to date."""

    changed: list[str] = field(default_factory=list)  # their content
    missing: list[str] = field(default_factory=list)  # came later
    removed: list[str] = field(default_factory=list)  # are gone, or nobody may read them as far as is known: at once
    moved: list[str] = field(default_factory=list)  # to another access class: at once


def latest_kept(serving: Serving) -> Generation:
    """Raises `NotFound` when none is kept."""
    kept = serving.generations.kept()
    if not kept:
        raise NotFound("no earlier generation is kept (index.keep_generations): see `assistant reindex --list`")
    return serving.generations.with_embedding(kept[0], serving.configured)


def switch_back(serving: Serving, kept: Index, now: Index, class_now: ClassNow) -> Differences:
    """For who has the lock of ingests. Raises `ModelUnavailable` when the kept one's model is not on this machine.

    `class_now` tells the class of what the newer generation could not read, by today's rules.
    """
    kept.embed_model()
    found = Differences()
    rows, classes = {row.id: row for row in now.catalog.documents()}, now.catalog.classes()
    gone, moves, unread = [], [], []
    for row in kept.catalog.documents():
        new = rows.pop(row.id, None)
        if new is None or (not new.chunks and was_refusal(new.error)):
            gone.append(row)
        elif new.class_id is not None and row.class_id is not None and new.class_id != row.class_id:
            moves.append((row, new.class_id))
        elif new.class_id is None and row.class_id is not None:
            unread.append((row, new))
        if new is not None and new.sha256 != row.sha256:
            found.changed.append(new.path)
    for row, access_class in class_now(unread).items() if unread else ():
        held = classes[row.class_id or 0]
        if access_class is None or not (_is_within(held, access_class) or _is_within(access_class, held)):
            gone.append(row)
        elif not _is_within(held, access_class):
            moves.append((row, kept.catalog.class_id(access_class)))
    found.missing = [row.path for row in rows.values()]
    found.removed, found.moved = [row.path for row in gone], [row.path for row, _ in moves]
    _restrict(kept, gone, moves)
    serving.generations.switch(kept.generation.number)
    return found


def _is_within(held: AccessClass, other: AccessClass) -> bool:
    return within(held, other, trusted=False)


def _restrict(kept: Index, gone: list[DocumentRow], moves: list[tuple[DocumentRow, int]]) -> None:
    """Before it serves: what was taken away from somebody meanwhile stays away."""
    catalog: Catalog = kept.catalog
    catalog.change_class(moves)
    kept.writer.remove([row.id for row in gone])
    for row, _ in moves:
        kept.writer.settle(row)
    kept.keyword.refresh()
    mark(catalog)
