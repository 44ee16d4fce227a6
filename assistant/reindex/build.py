"""`assistant reindex`: the next generation is built beside the one that serves, caught up, compared, and switched to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from assistant.access.principal import AccessClass
from assistant.assistant import Assistant
from assistant.errors import PipelineError, StorageError
from assistant.index.generations import FAILED, Generation
from assistant.index.removal import remove_generation
from assistant.ingest.lock import one_at_a_time
from assistant.ingest.progress import Progress
from assistant.ingest.report import Failure
from assistant.ingest.sources import SourceItem
from assistant.records.tables import DocumentRow
from assistant.reindex.back import Differences, Unread, latest_kept, switch_back
from assistant.reindex.estimate import Estimate, estimate
from assistant.reindex.sources import Source, recipes_of, sources_of
from assistant.serving import Index

_PASSES = 10  # over everything before the last one, in which no ingest may run
_FINISH_SECONDS = 5.0  # that a question has which is just being searched for in a generation to be removed at once

Say = Callable[[str], None]


@dataclass
class Built:
    """What a run did. `lost`: documents that the old generation has passages of and the new one has not."""

    generation: int
    replaced: int
    documents: int = 0
    chunks: int = 0
    lost: list[Failure] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "lost": [vars(failure) for failure in self.lost]}


class Reindex:
    """One run of it; another one is refused meanwhile. Killed at any moment, the next run goes on."""

    def __init__(
        self,
        assistant: Assistant,
        files: Sequence[str],
        *,
        say: Say,
        waiting: Callable[[], None] | None = None,
        force: bool = False,
    ) -> None:
        self._assistant = assistant
        self._serving = assistant.serving
        self._generations = assistant.serving.generations
        self._storage = assistant.settings.storage.path.expanduser().resolve()
        self._files = files
        self._say = say
        self._waiting = waiting
        self._force = force

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Raises `StorageError` when another run of any of these commands is under way."""
        with one_at_a_time(self._storage / "run" / "reindex.lock", _refuse):
            yield

    # --- building

    def begin(self) -> Index:
        """The generation to be built: one that a killed run left half done, or a new one. Raises `PipelineError`."""
        for one in self._generations.all():
            if one.state == FAILED:
                self.remove(one)
        configured = self._serving.configured
        left = self._generations.building()
        serving = self._serving()
        planned = self._serving.make(replace(serving.generation, embedding=configured))  # for its recipes alone
        recipes = recipes_of(self._sources(planned, serving))
        changed = left and any(left.recipes.get(name, recipe) != recipe for name, recipe in recipes.items())
        if left is not None and (changed or left.embedding.identity != configured.identity):
            self._say(
                f"generation {left.number} was begun with another configuration: it is removed, and the next one begun"
            )
            self.remove(left)
            left = None
        if left is not None:
            self._say(f"going on with generation {left.number}")
        else:
            left = self._generations.begin(configured, recipes)
        return self._serving.make(self._generations.with_embedding(left, configured))

    def estimate(self, index: Index) -> Estimate:
        """What is left to be done, from a sample. Raises `StorageError` when the disk has too little room for it."""
        withdrawn = self._generations.withdrawn(index.generation.number)
        wanted = [(source.pipeline, self._items(source, withdrawn)) for source in self._sources(index, self._serving())]
        found = estimate(index, wanted, settings=self._assistant.settings.ingest, cache=self._storage / "cache")
        if found.free_bytes < found.bytes and not self._force:
            raise StorageError(
                f"the new generation needs about {found.bytes / (1 << 30):.1f} GiB, and {self._storage} has "
                f"{found.free_bytes / (1 << 30):.1f} GiB left: make room, or use --force"
            )
        return found

    def abandon(self, index: Index) -> None:
        """Remove a generation that holds nothing yet: else removals would be noted for it, and a later run go on with it."""
        if not index.catalog.documents():
            self.remove(index.generation)

    def build(self, index: Index, progress: Progress | None = None) -> None:
        """Pass after pass, until one finds nothing new; ingests into the serving generation go on meanwhile."""
        for _ in range(_PASSES):
            if not self._pass(index, progress):
                return

    def switch(self, index: Index) -> Built:
        """Catch up once more while no ingest runs, and let the new generation serve. Raises `PipelineError`."""
        with one_at_a_time(self._storage / "run" / "ingest.lock", self._waiting):
            self._pass(index)
            before = self._serving.generation()
            lost = self._lost(index, self._serving.make(before))
            self._generations.switch(index.generation.number)
        size = self._generations.sizes().get(index.generation.number)
        built = Built(index.generation.number, before.number, lost=lost)
        if size is not None:
            built.documents, built.chunks = size.documents, size.chunks
        return built

    def back(self) -> tuple[int, Differences]:
        """The number of the kept generation, which serves again, and what changed. Raises `NotFound`, `ModelUnavailable`."""
        with one_at_a_time(self._storage / "run" / "ingest.lock", self._waiting):
            kept = self._serving.make(latest_kept(self._serving))
            now = self._serving()
            return kept.generation.number, switch_back(
                self._serving, kept, now, lambda unread: self._classes_now(now, unread)
            )

    def prune(self) -> list[int]:
        """Remove what is older than `index.keep_generations`; returns the numbers."""
        keep = self._assistant.settings.index.keep_generations
        kept = self._generations.kept()
        if kept and not keep:
            time.sleep(_FINISH_SECONDS)
        for one in kept[keep:]:
            self.remove(one)
        return [one.number for one in kept[keep:]]

    def remove(self, generation: Generation) -> None:
        """Raises `StorageError` for the one that serves."""
        index = self._serving.make(self._generations.with_embedding(generation, self._serving.configured))
        remove_generation(
            generation=index.generation,
            generations=self._generations,
            catalog=index.catalog,
            chroma=self._assistant.chroma,
            storage=self._storage,
        )

    # --- one pass

    def _pass(self, index: Index, progress: Progress | None = None) -> bool:
        """Bring the new generation in step with all sources; whether there was anything to do."""
        withdrawn = self._generations.withdrawn(index.generation.number)
        sources = self._sources(index, self._serving())
        here = {(source.pipeline.name, source.place) for source in sources}
        others = [row.id for row in index.catalog.documents() if (row.pipeline, row.source) not in here]
        changed = bool(others)
        if others:
            index.ingest_service.remove(others)
        for source in sources:
            items = self._items(source, withdrawn)
            self._guard(source, {item.path for item in items})
            report = index.ingest_service.run(
                source.pipeline,
                source=source.place,
                items=items,
                ids={row.path: row.id for row in source.rows},
                accept_deletions=True,
                progress=progress,
            )
            counts = (report.added, report.updated, report.deleted, report.moved, report.renamed)
            changed |= any(counts)
        return changed

    def _guard(self, source: Source, present: set[str]) -> None:
        """A share that is not mounted must not make an empty generation."""
        had = [row for row in source.rows if row.chunks]
        gone = [row for row in had if row.path not in present]
        share = self._assistant.settings.ingest.max_delete_share
        if gone and len(gone) > share * len(had) and not self._force:
            raise PipelineError(
                f"{len(gone)} of {len(had)} documents of {source.place or source.pipeline.name} are not in the source: is "
                "it mounted? If they were moved or deleted on purpose, run `assistant ingest` first, or use --force"
            )

    def _lost(self, index: Index, before: Index) -> list[Failure]:
        """Documents with passages that the new generation could not make; too many of them are no improvement."""
        new = {row.id: row for row in index.catalog.documents()}
        had = [row for row in before.catalog.documents() if row.chunks]
        failed = [Failure(row.path, new[row.id].error or "") for row in had if row.id in new and not new[row.id].chunks]
        if len(failed) > self._assistant.settings.ingest.max_delete_share * len(had) and not self._force:
            raise PipelineError(
                f"{len(failed)} of {len(had)} documents can't be read for the new generation (for example "
                f"{failed[0].path}: {failed[0].error}): nothing was switched. Put that right, or use --force"
            )
        return failed

    def _classes_now(self, index: Index, unread: Unread) -> dict[DocumentRow, AccessClass | None]:
        """By today's rules; None for what can't be told, as when its source can't be looked at."""
        found: dict[DocumentRow, AccessClass | None] = {row: None for row, _ in unread}
        with suppress(PipelineError):
            for source in self._sources(index, index):
                place = (source.pipeline.name, source.place)
                mine = [(row, new) for row, new in unread if (new.pipeline, new.source) == place]
                with suppress(PipelineError):
                    found |= source.classes_now(mine, self._items(source, set())) if mine else {}
        return found

    def _sources(self, index: Index, serving: Index) -> list[Source]:
        return sources_of(index, serving.catalog, self._assistant.settings.ingest.pipelines, self._files)

    def _items(self, source: Source, withdrawn: set[tuple[str, str, str]]) -> list[SourceItem]:
        limit = self._assistant.settings.ingest.limits.file_mb
        return source.items(withdrawn, cache=self._storage / "cache" / "sources", file_mb=limit)


def _refuse() -> None:
    raise StorageError("another `assistant reindex` is running: wait for it, or stop it and run this again")
