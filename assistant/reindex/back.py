"""`assistant reindex --back`: the kept generation serves again, and nobody reads more by it than by the one it replaces."""

from __future__ import annotations

from dataclasses import dataclass, field

from assistant.errors import NotFound
from assistant.index.catalog import Catalog
from assistant.index.generations import KEPT, Generation
from assistant.index.succession import mark
from assistant.ingest.metadata import was_refusal
from assistant.records.tables import DocumentRow
from assistant.serving import Index, Serving


@dataclass
class Differences:
    """What changed since the kept generation served. Paths; the next ingest brings `changed` and `missing` up to date."""

    changed: list[str] = field(default_factory=list)  # their content
    missing: list[str] = field(default_factory=list)  # came later
    removed: list[str] = field(default_factory=list)  # are gone by now, or nobody may read them: taken out at once
    moved: list[str] = field(default_factory=list)  # to another access class: at once


def latest_kept(serving: Serving) -> Generation:
    """Raises `NotFound` when none is kept."""
    kept = [one for one in serving.generations.all() if one.state == KEPT]
    if not kept:
        raise NotFound("no earlier generation is kept (index.keep_generations): see `assistant reindex --list`")
    found = max(kept, key=lambda one: one.switched_at or one.created_at)
    return serving.generations.with_embedding(found, serving.configured)


def switch_back(serving: Serving, kept: Index, now: Index) -> Differences:
    """For who has the lock of ingests. Raises `ModelUnavailable` when the kept one's model is not on this machine."""
    kept.embed_model()
    found = Differences()
    rows = {row.id: row for row in now.catalog.documents()}
    gone, moves = [], []
    for row in kept.catalog.documents():
        new = rows.pop(row.id, None)
        if new is None or (not new.chunks and was_refusal(new.error)):
            gone.append(row)
        elif new.class_id is not None and row.class_id is not None and new.class_id != row.class_id:
            moves.append((row, new.class_id))
        if new is not None and new.sha256 != row.sha256:
            found.changed.append(new.path)
    found.missing = [row.path for row in rows.values()]
    found.removed, found.moved = [row.path for row in gone], [row.path for row, _ in moves]
    _restrict(kept, gone, moves)
    serving.generations.switch(kept.generation.number)
    return found


def _restrict(kept: Index, gone: list[DocumentRow], moves: list[tuple[DocumentRow, int]]) -> None:
    """Before it serves: what was taken away from somebody meanwhile stays away."""
    catalog: Catalog = kept.catalog
    catalog.change_class(moves)
    kept.writer.remove([row.id for row in gone])
    for row, _ in moves:
        kept.writer.settle(row)
    kept.keyword.refresh()
    mark(catalog)
