"""JOURNEY 1, a document in: scan → plan → read → split → embed → replace → BM25 → report. Top to bottom in `run`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from assistant.errors import DocumentError, PipelineError
from assistant.index.catalog import FAILED, INDEXED, Catalog, now
from assistant.index.keyword import KeywordIndex
from assistant.index.writer import Writer
from assistant.ingest.lock import one_at_a_time
from assistant.ingest.pipeline import Pipeline
from assistant.ingest.plan import NO_RULE, Plan, Work, make_plan
from assistant.ingest.reading import Page, ReadTask, read_all
from assistant.ingest.report import Failure, IngestReport
from assistant.ingest.sources import SourceItem, scan
from assistant.records.tables import DocumentRow
from assistant.settings import Ingest

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding

Progress = Callable[[str, int, int], None]  # path just done, how many are done, how many there are


class IngestService:
    """Keeps the index in step with a pipeline's source."""

    def __init__(
        self,
        *,
        settings: Ingest,
        catalog: Catalog,
        writer: Writer,
        keyword: KeywordIndex,
        embed_model: Callable[[], BaseEmbedding],
        lock_file: Path,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._writer = writer
        self._keyword = keyword
        self._embed_model = embed_model
        self._lock_file = lock_file
        self._limits = hashlib.sha256(settings.limits.model_dump_json().encode()).hexdigest()[:8]

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
    ) -> IngestReport:
        """Load what is new or changed, remove what is gone.

        `source` tells documents of an ad hoc folder from those of the pipeline's own; `items` stands in for the scan of
        it (documents made in code). Raises `PipelineError` when the source is missing or lost too much,
        `ChromaUnavailable` and `StorageError`; what was done until then stays.
        """
        report = IngestReport(pipeline.name, dry_run=dry_run)
        start = perf_counter()
        with one_at_a_time(self._lock_file, waiting):
            with report.stage("scan"):
                rows = self._catalog.documents(pipeline=pipeline.name, source=source)
                if not dry_run:
                    self._settle(rows)
                items = scan(pipeline) if items is None else items
                plan = make_plan(pipeline, items, rows, self._catalog.classes(), limits=self._limits)
                _count(report, plan, items)
                self._guard(pipeline, source, plan, rows, accept_deletions)
            if not dry_run:
                with report.stage("store"):
                    self._withdraw(pipeline, source, plan, report)
                    self._relabel(plan)
                try:
                    self._load(pipeline, source, plan.work, report, progress)
                finally:  # what was done until something failed is found by its words too
                    with report.stage("keyword"):
                        self._keyword.refresh()
        report.seconds = perf_counter() - start
        return report

    def remove(self, document: str) -> int:
        """Take one document out of the index; returns its chunks. It comes back while its file is in a source."""
        with one_at_a_time(self._lock_file):
            chunks = self._writer.remove(self._catalog.document(document).id)
            self._keyword.refresh()
            return chunks

    # --- stages

    def _settle(self, rows: list[DocumentRow]) -> None:
        """Finish what a killed run left half done; what can't be finished is read anew."""
        self._writer.sweep()
        for row in self._writer.unsettled(rows):
            if not self._writer.settle(row):
                row.fingerprint = ""

    def _withdraw(self, pipeline: Pipeline, source: str, plan: Plan, report: IngestReport) -> None:
        """Deleted and refused documents go first: nothing that must not be found waits for slow reading."""
        for gone in plan.deleted:
            report.chunks_deleted += self._writer.remove(gone.id)
        for refusal in plan.refused:
            row = refusal.row
            if row is not None and row.chunks and refusal.withdraw:
                report.chunks_deleted += self._writer.remove(row.id)
                row = None
            row = row or self._new_row(pipeline, source, refusal.item)
            row.status, row.error, row.fingerprint = FAILED, refusal.error, ""  # read again once it can be
            self._catalog.save(row)

    def _relabel(self, plan: Plan) -> None:
        for row in plan.touched:
            self._catalog.save(row)
        for row, access_class in plan.moved:
            self._writer.move(row, self._catalog.class_id(access_class))

    def _load(
        self, pipeline: Pipeline, source: str, work: list[Work], report: IngestReport, progress: Progress | None
    ) -> None:
        if work:
            self._check_window(pipeline)
        with closing(self._read(pipeline, work, report)) as results:
            for number, (task, pages, error) in enumerate(results, start=1):
                row = task.row or self._new_row(pipeline, source, task.item)
                row.path, row.location = task.item.path, str(task.item.location or "")
                row.size, row.mtime_ns, row.sha256 = task.item.size, task.item.mtime_ns, task.sha256
                row.fingerprint = pipeline.fingerprint(task.item.path)
                error = error or self._index(pipeline, task, row, pages, report)
                if error is not None:  # an earlier version of it, if there is one, stays until the file can be read
                    report.failed.append(Failure(task.item.path, error))
                    row.status, row.error = FAILED, error
                    row.fingerprint += self._limits
                    self._catalog.save(row)
                if progress:
                    progress(task.item.path, number, len(work))

    def _read(
        self, pipeline: Pipeline, work: list[Work], report: IngestReport
    ) -> Generator[tuple[Work, list[Page], str | None]]:
        """Files in worker processes; what a LlamaIndex reader has loaded is there already."""
        tasks = []
        for task in work:
            reader = pipeline.reader(task.item.path)
            if task.item.location is None:
                yield task, [Page(d.metadata.get("page_label"), d.get_content()) for d in task.item.documents], None
            elif reader is not None:
                tasks.append(ReadTask(task.item.path, task.item.location, reader))
        by_path = {task.item.path: task for task in work}
        results = read_all(tasks, settings=self._settings)
        while True:
            with report.stage("read"):
                result = next(results, None)
            if result is None:
                return
            yield by_path[result.key], result.pages, result.error

    def _index(
        self, pipeline: Pipeline, task: Work, row: DocumentRow, pages: list[Page], report: IngestReport
    ) -> str | None:
        """Split, embed and replace one document; the reason if nothing of it can be found afterwards."""
        from assistant.ingest.splitting import chunk_row, split, title_of

        if not any(page.text.strip() for page in pages):
            return "no text was found in it"
        if task.item.changed_meanwhile():
            row.fingerprint = ""  # so that the next run takes it, also when only its time changed
            return "it changed while it was read: the next run takes it"
        had_chunks = row.chunks
        earlier = row.title, row.version
        try:
            with report.stage("split"):
                row.title = title_of(pages, task.item.path)
                row.version = f"{task.sha256[:12]}{row.fingerprint[:8]}"
                nodes = split(pipeline, row, pages)
        except DocumentError as error:
            row.title, row.version = earlier
            return str(error)
        with report.stage("embed"):
            embedded = list(self._embed_model()(nodes))
        with report.stage("store"):
            row.class_id = self._catalog.class_id(task.access_class)
            row.chunks, row.pages = len(nodes), sum(page.label is not None for page in pages) or None
            row.details, row.indexed_at = dict(pipeline.metadata), now()
            row.status, row.error = INDEXED, None
            chunks = [chunk_row(row, position, node) for position, node in enumerate(nodes)]
            self._writer.replace(row, embedded, chunks)
        report.chunks_added += len(nodes)
        report.chunks_deleted += had_chunks
        report.updated += had_chunks > 0
        report.added += had_chunks == 0
        return None

    # --- helpers

    def _new_row(self, pipeline: Pipeline, source: str, item: SourceItem) -> DocumentRow:
        return DocumentRow(
            id=self._catalog.unused_id(_ids(pipeline.name, source, item.path)),
            pipeline=pipeline.name,
            source=source,
            path=item.path,
            location=str(item.location or ""),
            title="",
            size=item.size,
            mtime_ns=item.mtime_ns,
            sha256="",
            fingerprint="",
            version="",
            chunks=0,
            details={},
            status=FAILED,
        )

    def _check_window(self, pipeline: Pipeline) -> None:
        """A chunk longer than the model's window would be cut silently."""
        window = getattr(self._embed_model(), "max_length", None)
        for step in pipeline.transformations:
            size = getattr(step, "chunk_size", 0)
            if window and size > window:
                raise PipelineError(
                    f"{pipeline.file}: chunk_size {size} is more than the embedding model reads ({window} tokens)"
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


def _ids(pipeline: str, source: str, path: str) -> Iterator[str]:
    """A document's id comes from where it was first seen; a renamed one keeps it, so a second may be needed."""
    for number in count():
        yield hashlib.sha256("\0".join((pipeline, source, path, str(number))).encode()).hexdigest()[:20]
