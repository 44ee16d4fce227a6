"""Generations of the index: which one serves, which is built, which are kept. Their table is the one place that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update

from assistant.errors import NotFound, StorageError
from assistant.index.catalog import INDEXED, now
from assistant.index.scope import FIRST
from assistant.records.database import Database
from assistant.records.tables import ChunkRow, DocumentRow, GenerationRow, VectorWriteRow

BUILDING, SERVING, KEPT, FAILED, REMOVED = "building", "serving", "kept", "failed", "removed"
_BATCH = 500  # documents whose rows are deleted at once: other writers wait as long


@dataclass(frozen=True)
class EmbeddingChoice:
    """An embedding model: the settings that it is made from, and the hash of what decides its vectors."""

    settings: Mapping[str, Any]
    identity: str

    @property
    def name(self) -> str:
        """As people know it; for one that was never noted, the beginning of its hash."""
        if not self.settings:
            return f"{self.identity} (its name was not kept)"
        provider, model = self.settings["provider"], self.settings["model"]
        return str(model) if provider == "huggingface" else f"{provider} {model}"


@dataclass(frozen=True)
class Generation:
    """`recipes`: pipeline file → hash of what it said when the building began."""

    number: int
    state: str
    embedding: EmbeddingChoice
    recipes: Mapping[str, str]
    created_at: datetime
    switched_at: datetime | None

    def is_same_index(self, other: Generation) -> bool:
        """Whether what was made for one serves the other too."""
        return (self.number, self.embedding.identity) == (other.number, other.embedding.identity)

    def collection_names(self, store: Callable[[], str]) -> Callable[[int], str]:
        """Access class → Chroma collection. The first one's are those of stores that knew no generations.

        `store` tells the database from others, which may share the server.
        """
        prefix = f"g{self.embedding.identity[:10]}" if self.number == FIRST else f"g{self.number}-{store()}"
        return lambda class_id: f"{prefix}-c{class_id}"

    @property
    def keyword_folder(self) -> str:
        return "bm25" if self.number == FIRST else f"bm25-g{self.number}"


@dataclass(frozen=True)
class Size:
    documents: int
    failed: int
    chunks: int


class Generations:
    """Repository of generations. Each change of state is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Generation]:
        """Those whose documents are there, at least in part."""
        query = select(GenerationRow).where(GenerationRow.state != REMOVED).order_by(GenerationRow.number)
        with self._database.transaction() as session:
            return [_generation(row) for row in session.scalars(query)]

    def of(self, number: int) -> Generation:
        """Raises `NotFound`."""
        found = next((one for one in self.all() if one.number == number), None)
        if found is None:
            raise NotFound(f"there is no generation {number}: see `assistant reindex --list`")
        return found

    def serving(self) -> Generation:
        with self._database.transaction() as session:
            row = session.scalar(select(GenerationRow).where(GenerationRow.state == SERVING))
        if row is None:
            raise StorageError("the database has no generation that serves: restore a backup")
        return _generation(row)

    def building(self) -> Generation | None:
        return next((one for one in self.all() if one.state == BUILDING), None)

    def kept(self) -> list[Generation]:
        """Those that can serve again, the one that served last first."""
        found = [one for one in self.all() if one.state == KEPT]
        return sorted(found, key=lambda one: one.switched_at or one.created_at, reverse=True)

    def sizes(self) -> dict[int, Size]:
        """By number; of those that hold something."""
        documents = select(DocumentRow.generation, DocumentRow.status, func.count())
        chunks = select(ChunkRow.generation, func.count()).group_by(ChunkRow.generation)
        counts: dict[int, dict[str, int]] = {}
        with self._database.transaction() as session:
            for number, status, count in session.execute(
                documents.group_by(DocumentRow.generation, DocumentRow.status)
            ):
                counts.setdefault(number, {})[status] = count
            passages = {number: count for number, count in session.execute(chunks)}
        return {
            number: Size(found.get(INDEXED, 0), sum(found.values()) - found.get(INDEXED, 0), passages.get(number, 0))
            for number, found in counts.items()
        }

    # --- which embedding model

    def with_embedding(self, generation: Generation, configured: EmbeddingChoice) -> Generation:
        """The generation with the model to use for it: the recorded one, or the configured one for what has no vectors yet.

        A store from before there were generations has its model's hash in the names of its collections only.
        """
        if generation.embedding.identity == configured.identity:
            return replace(generation, embedding=configured)
        if not self._has_vectors(generation.number):
            return replace(generation, embedding=configured)
        if generation.embedding.identity:
            return generation
        hashes = sorted(_hashes(self._collections(generation.number)))
        if configured.identity[:10] in hashes:
            return replace(generation, embedding=configured)
        return replace(generation, embedding=EmbeddingChoice({}, hashes[0]))

    def adopt(self, configured: EmbeddingChoice) -> None:
        """Note the model of a store from before there were generations, at its first use with the right settings."""
        found = self.serving()
        known = _hashes(self._collections(found.number)) if not found.embedding.identity else ()
        if configured.identity[:10] in known:
            self.note_embedding(found.number, configured)

    def note_embedding(self, number: int, embedding: EmbeddingChoice) -> None:
        """For good: what made its vectors."""
        values = {"embedding": dict(embedding.settings), "identity": embedding.identity}
        with self._database.transaction() as session:
            session.execute(update(GenerationRow).where(GenerationRow.number == number).values(values))

    def _has_vectors(self, number: int) -> bool:
        query = select(VectorWriteRow.generation).where(VectorWriteRow.generation == number).limit(1)
        with self._database.transaction() as session:
            return session.scalar(query) is not None

    def _collections(self, number: int) -> set[str]:
        query = select(VectorWriteRow.collection).where(VectorWriteRow.generation == number).distinct()
        with self._database.transaction() as session:
            return set(session.scalars(query))

    # --- changes of state

    def begin(self, embedding: EmbeddingChoice, recipes: Mapping[str, str]) -> Generation:
        """A new one to be built; numbers are never used again."""
        with self._database.transaction() as session:
            number = (session.scalar(select(func.max(GenerationRow.number))) or 0) + 1
            row = GenerationRow(
                number=number,
                state=BUILDING,
                embedding=dict(embedding.settings),
                identity=embedding.identity,
                recipes=dict(recipes),
                withdrawn=[],
                changes=0,
                created_at=now(),
            )
            session.add(row)
        return _generation(row)

    def switch(self, number: int) -> None:
        """From this commit on that one serves, and the one that did is kept. Raises `StorageError` if it can't serve."""
        ready = update(GenerationRow).where(GenerationRow.number == number, GenerationRow.state.in_((BUILDING, KEPT)))
        replaced = update(GenerationRow).where(GenerationRow.state == SERVING, GenerationRow.number != number)
        with self._database.transaction() as session:
            changed = session.execute(ready.values(state=SERVING, switched_at=now()))
            if changed.rowcount != 1:  # type: ignore[attr-defined]  # a CursorResult for an UPDATE
                raise StorageError(f"generation {number} is not there to serve: see `assistant reindex --list`")
            session.execute(replaced.values(state=KEPT))

    def give_up(self, number: int) -> None:
        """It is about to be removed, and can't serve any more. Raises `StorageError` for the one that serves."""
        with self._database.transaction() as session:
            chosen = update(GenerationRow).where(GenerationRow.number == number, GenerationRow.state != SERVING)
            changed = session.execute(chosen.values(state=FAILED))
            if changed.rowcount != 1:  # type: ignore[attr-defined]  # a CursorResult for an UPDATE
                raise StorageError(f"generation {number} serves, or is not there: it can't be removed")

    def remove_rows(self, number: int) -> None:
        """All rows of one that was given up; a few at a time, because ingests go on meanwhile."""
        mine = DocumentRow.generation == number
        while True:
            with self._database.transaction() as session:
                part = list(session.scalars(select(DocumentRow.id).where(mine).limit(_BATCH)))
                if not part:
                    break
                session.execute(delete(ChunkRow).where(ChunkRow.generation == number, ChunkRow.document_id.in_(part)))
                session.execute(delete(DocumentRow).where(mine, DocumentRow.id.in_(part)))
        with self._database.transaction() as session:
            session.execute(delete(VectorWriteRow).where(VectorWriteRow.generation == number))
            gone = {"state": REMOVED, "withdrawn": [], "recipes": {}}
            session.execute(update(GenerationRow).where(GenerationRow.number == number).values(gone))

    # --- documents that were removed by hand while their generation is built

    def withdraw(self, rows: Iterable[DocumentRow]) -> None:
        """Their files are still there, and the building one would bring them back."""
        items = [[row.pipeline, row.source, row.path] for row in rows]
        with self._database.transaction() as session:
            building = session.scalar(select(GenerationRow).where(GenerationRow.state == BUILDING))
            if building is not None:
                building.withdrawn = [*building.withdrawn, *items]

    def withdrawn(self, number: int) -> set[tuple[str, str, str]]:
        """(pipeline, source, path) of each."""
        with self._database.transaction() as session:
            found = session.scalar(select(GenerationRow.withdrawn).where(GenerationRow.number == number))
        return {(pipeline, source, path) for pipeline, source, path in found or ()}


def _hashes(collections: Iterable[str]) -> set[str]:
    """Of their models, as far as the names of the first generation's collections tell them."""
    return {name.removeprefix("g").partition("-")[0] for name in collections}


def _generation(row: GenerationRow) -> Generation:
    embedding = EmbeddingChoice(row.embedding, row.identity)
    return Generation(row.number, row.state, embedding, row.recipes, row.created_at, row.switched_at)
