"""JOURNEY 1, a document in: scan → plan → read → split → embed → replace → BM25 → report. Top to bottom in `run`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

from assistant.errors import PipelineError
from assistant.index.catalog import FAILED, Catalog
from assistant.index.keyword import KeywordIndex
from assistant.index.succession import mark
from assistant.index.vector_cache import VectorCache
from assistant.index.writer import Writer
from assistant.ingest.loading import Loader
from assistant.ingest.lock import Lock
from assistant.ingest.pipeline import Pipeline
from assistant.ingest.plan import NO_RULE, Plan, Work, make_plan
from assistant.ingest.progress import Progress
from assistant.ingest.report import Failure, IngestReport
from assistant.ingest.rows import NewRows
from assistant.ingest.sources import SourceItem, scan
from assistant.parts import ocr_cache
from assistant.parts.embeddings import Window
from assistant.records.tables import DocumentRow
from assistant.settings import Ingest

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding


class IngestService:
    """Keeps the index in step with a pipeline's source."""

    def __init__(
        self,
        *,
        settings: Ingest,
        catalog: Catalog,
        writer: Writer,
        keyword: KeywordIndex,
        vectors: VectorCache,
        embed_model: Callable[[], BaseEmbedding],
        storage: Path,
        lock: Lock,
        may_write: Callable[[], None],
        removed: Callable[[list[DocumentRow]], None],
    ) -> None:
        """`may_write` is asked under the lock and may refuse; `removed` is told what is taken out by hand."""
        self._settings = settings
        self._catalog = catalog
        self._writer = writer
        self._keyword = keyword
        self._embed_model = embed_model
        self._vectors = vectors
        self._lock, self._may_write, self._removed = lock, may_write, removed
        self._cache = storage / "cache"
        self._limits = _reading_conditions(settings)

    def run(
        self,
        pipeline: Pipeline,
        *,
        source: str = "",
        items: list[SourceItem] | None = None,
        dry_run: bool = False,
        accept_deletions: bool = False,
        progress: Progress | None = None,
        waiting: Callable[[], None] | None = None,
        ids: Mapping[str, str] | None = None,
    ) -> IngestReport:
        """Load what is new or changed, remove what is gone.

        `source` tells documents of an ad hoc folder from those of the pipeline's own; `items` stands in for the scan of
        it (documents made in code); `ids` are those that paths have in another generation. Raises `PipelineError` when the
        source is missing or lost too much, `ChromaUnavailable` and `StorageError`; what was done until then stays.
        """
        report = IngestReport(pipeline.name, dry_run=dry_run)
        start = perf_counter()
        with self._lock(waiting):
            self._may_write()
            with report.stage("scan"):
                rows = self._catalog.documents(pipeline=pipeline.name, source=source)
                if not dry_run:
                    self._settle(rows)
                if items is None:
                    limit = self._settings.limits.file_mb
                    items = scan(pipeline, cache=self._cache / "sources", file_mb=limit)
                plan = make_plan(pipeline, items, rows, self._catalog.classes(), limits=self._limits)
                _count(report, plan, items)
                self._guard(pipeline, source, plan, rows, accept_deletions)
            self._note_twins(pipeline, source, plan, report)
            if plan.work or not rows or dry_run:  # else the recipe stood when it was last run
                pipeline.compile()
            if not dry_run:
                new_row = NewRows(self._catalog, pipeline.name, source, ids or {})
                try:
                    with report.stage("store"):
                        self._relabel(plan)
                        self._withdraw(plan, new_row, report)
                        for row, _ in plan.moved:
                            self._writer.settle(row)
                finally:  # the words of what somebody may not read any more are none to him from now on
                    if plan.moved or plan.deleted or plan.refused:
                        with report.stage("keyword"):
                            self._keyword.refresh()
                try:
                    self._load(pipeline, plan.work, new_row, report, progress)
                finally:  # what was done until something failed is found by its words too
                    with report.stage("keyword"):
                        self._keyword.refresh()
                    with report.stage("editions"):
                        mark(self._catalog)
        report.seconds = perf_counter() - start
        return report

    def remove(self, documents: list[str]) -> int:
        """Take documents out of the index; returns their chunks. They come back while their files are in a source."""
        with self._lock(None):
            rows = [self._catalog.document(document) for document in documents]
            self._removed(rows)
            try:
                chunks = self._writer.remove([row.id for row in rows])
            finally:  # also when the vector store is away: the passages are gone
                self._keyword.refresh()
            mark(self._catalog)
            return chunks

    # --- stages

    def _settle(self, rows: list[DocumentRow]) -> None:
        """Finish what a killed run left half done; what can't be finished is read anew."""
        self._writer.sweep()
        for row in self._writer.unsettled(rows):
            if not self._writer.settle(row):
                row.fingerprint = ""

    def _withdraw(self, plan: Plan, new_row: NewRows, report: IngestReport) -> None:
        """Deleted and refused documents go before any is read: nothing that must not be found waits for that."""
        withdrawn = [r.row for r in plan.refused if r.row is not None and r.row.chunks and r.withdraw]
        report.chunks_deleted += self._writer.remove([row.id for row in (*plan.deleted, *withdrawn)])
        rows = []
        for refusal in plan.refused:
            kept = refusal.row if refusal.row not in withdrawn else None
            row = kept or new_row(refusal.item)
            row.status, row.error, row.fingerprint = FAILED, refusal.error, ""  # read again once it can be
            rows.append(row)
        self._catalog.save_all(rows)

    def _relabel(self, plan: Plan) -> None:
        """Old readers lose all that moves at once, before any vector does: that takes long, and Chroma may fail midway."""
        self._catalog.save_all(plan.touched)
        self._catalog.change_class([(row, self._catalog.class_id(access_class)) for row, access_class in plan.moved])

    def _load(
        self, pipeline: Pipeline, work: list[Work], new_row: NewRows, report: IngestReport, progress: Progress | None
    ) -> None:
        if not work:
            return
        self._check_window(pipeline)
        loader = Loader(
            settings=self._settings,
            catalog=self._catalog,
            writer=self._writer,
            vectors=self._vectors,
            embed_model=self._embed_model,
            ocr_cache=self._cache / "ocr",
            limits=self._limits,
            report=report,
        )
        refreshed = monotonic()

        def stored() -> None:
            """New documents become findable by their words at intervals, not only at the end of a long run."""
            nonlocal refreshed
            if monotonic() - refreshed > self._settings.keyword_refresh_minutes * 60:
                with report.stage("keyword"):
                    self._keyword.refresh()
                refreshed = monotonic()

        loader.run(
            pipeline,
            work,
            lambda task: new_row(task.item),
            progress=progress,
            stored=stored,
        )
        self._vectors.trim()
        if report.ocr_pages:
            ocr_cache.trim(self._cache / "ocr", self._settings.ocr_cache_mb)

    # --- helpers

    def _note_twins(self, pipeline: Pipeline, source: str, plan: Plan, report: IngestReport) -> None:
        """A folder that was loaded by --source and has a pipeline now would be found twice."""
        locations = [str(task.item.location) for task in plan.work if task.row is None and task.item.location]
        for name, place in self._catalog.loaded_elsewhere(locations, pipeline=pipeline.name, source=source):
            options = f"--source {place}" if place else f"--pipeline {name}"
            report.notes.append(
                f"  note: some of these files are documents of {place or name} too, and are found twice: "
                f"`assistant documents remove {options}` takes those out"
            )

    def _check_window(self, pipeline: Pipeline) -> None:
        """A chunk longer than the model's window would be cut silently."""
        window = Window(self._embed_model).tokens
        for step in pipeline.transformations:
            size = getattr(step, "chunk_size", 0)
            if window and size > window:
                raise PipelineError(
                    f"{pipeline.file}: chunk_size {size} is more than the embedding model reads: set it to at most {window} "
                    "tokens (title and section count; the model's own marks and its instruction are taken off)"
                )

    def _guard(
        self, pipeline: Pipeline, source: str, plan: Plan, rows: list[DocumentRow], accept_deletions: bool
    ) -> None:
        """An unmounted share looks like an empty folder: it must not empty the index."""
        if source and (unnamed := sum(refusal.error == NO_RULE for refusal in plan.refused)):
            raise PipelineError(
                f"{unnamed} files of {source} have no access rule in {pipeline.file}: say whose they are with "
                "--department NAME (and --level N). Nothing was changed"
            )
        rows = [row for row in rows if row.chunks]
        lost = sum(row.chunks > 0 for row in plan.deleted)
        too_many = lost > self._settings.max_delete_share * len(rows) and (lost >= 5 or lost == len(rows))
        if lost and too_many and not accept_deletions:
            raise PipelineError(
                f"pipeline '{pipeline.name}': {lost} of {len(rows)} documents are gone from the source. "
                "Is it mounted, and is no other pipeline file of the same name? "
                "Nothing was changed. If they were deleted on purpose, run again with --accept-deletions"
            )


def _count(report: IngestReport, plan: Plan, items: list[SourceItem]) -> None:
    report.seen = len(items)
    report.unchanged, report.renamed, report.moved = plan.unchanged, plan.renamed, len(plan.moved)
    report.deleted, report.skipped = len(plan.deleted), plan.skipped
    report.failed += [Failure(row.path, row.error or "") for row in plan.still_failing]
    report.failed += [Failure(refusal.item.path, refusal.error) for refusal in plan.refused]
    if report.dry_run:
        report.updated = sum(task.row is not None for task in plan.work)
        report.added = len(plan.work) - report.updated


def _reading_conditions(settings: Ingest) -> str:
    """A hash of what decides whether a file can be read: one that failed is tried again when it changes."""
    from assistant.parts.ocr_data import installed_languages

    passwords = [password.get_secret_value() for password in settings.passwords]
    conditions = [settings.limits.model_dump(), settings.ocr.model_dump(mode="json"), passwords]
    conditions.append(sorted(installed_languages(settings.ocr.data)))
    return hashlib.sha256(json.dumps(conditions).encode()).hexdigest()[:8]
