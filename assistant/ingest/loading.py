"""The middle of journey 1: files that are new or changed → read → split → embed → Chroma and chunk table, in batches."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import DocumentError, ModelUnavailable
from assistant.index.catalog import FAILED, INDEXED, Catalog, now, page_label
from assistant.index.vector_cache import VectorCache
from assistant.index.writer import Version, Writer
from assistant.ingest.metadata import MetadataRefused, settled
from assistant.ingest.pipeline import Pipeline
from assistant.ingest.plan import Work
from assistant.ingest.progress import IngestProgress, Progress
from assistant.ingest.reading import Page, ReadResult, ReadTask, read_all
from assistant.ingest.report import Failure, IngestReport
from assistant.ingest.sources.loaded import properties_of
from assistant.parts.embeddings import Window
from assistant.records.tables import ChunkColumns, DocumentRow
from assistant.settings import Ingest

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.schema import TextNode


class Loader:
    """One run's loading. Documents are gathered until they are worth a write; each becomes visible with its batch."""

    def __init__(
        self,
        *,
        settings: Ingest,
        catalog: Catalog,
        writer: Writer,
        vectors: VectorCache,
        embed_model: Callable[[], BaseEmbedding],
        ocr_cache: Path,
        limits: str,
        report: IngestReport,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._writer = writer
        self._vectors = vectors
        self._embed_model = embed_model
        self._window = Window(embed_model)
        self._ocr_cache = ocr_cache
        self._limits = limits
        self._report = report
        self._class_id = cache(catalog.class_id)
        self._batch: list[tuple[Version, list[TextNode]]] = []
        self._state = IngestProgress(0, 0)
        self._progress: Progress | None = None

    def run(
        self,
        pipeline: Pipeline,
        work: list[Work],
        new_row: Callable[[Work], DocumentRow],
        *,
        progress: Progress | None,
        stored: Callable[[], None],
    ) -> None:
        """Load all of `work`; `stored` is called after each batch. Raises `ChromaUnavailable`, `StorageError`."""
        self._progress = progress
        self._state = IngestProgress(0, len(work))
        with _rare_collections(), closing(self._read(pipeline, work)) as results:
            for task, result in results:
                row = task.row or new_row(task)
                try:
                    error = result.error or self._prepare(pipeline, task, row, result)
                except MetadataRefused as refused:
                    error = str(refused)
                    self._withdraw(row, refused)
                if error is not None:
                    self._fail(task, row, error, passing=result.passing)
                self._count(result, failed=error is not None)
                if sum(len(nodes) for _, nodes in self._batch) >= self._settings.batch_chunks:
                    self._store()
                    stored()
        self._store()

    # --- stages

    def _read(self, pipeline: Pipeline, work: list[Work]) -> Generator[tuple[Work, ReadResult]]:
        """What a LlamaIndex reader has loaded is there already; files are read in worker processes."""
        files = []
        for task in work:
            if task.item.documents:
                pages = [Page(page_label(d.metadata.get("page_label")), d.get_content()) for d in task.item.documents]
                yield task, ReadResult(task.item.path, pages, properties_of(task.item.documents))
            else:
                files.append(task)
        by_path = {task.item.path: task for task in files}
        unreadable: list[ReadResult] = []
        results = read_all(
            self._read_tasks(pipeline, files, unreadable),
            settings=self._settings,
            cache=self._ocr_cache,
            tick=self._tick,
        )
        while True:
            with self._report.stage("read"):
                result = next(results, None)
            for found in (*unreadable, *([result] if result else [])):
                yield by_path[found.key], found
            unreadable.clear()
            if result is None:
                return

    def _read_tasks(self, pipeline: Pipeline, files: list[Work], unreadable: list[ReadResult]) -> Iterator[ReadTask]:
        for task in files:
            reader = pipeline.reader(task.item.path)
            assert reader is not None, "the plan skips files without a reader"
            try:
                location = task.item.local_file()
            except DocumentError as error:
                unreadable.append(ReadResult(task.item.path, [], error=str(error), passing=True))
                continue
            assert location is not None, "only what a reader has loaded has no file"
            yield ReadTask(task.item.path, location, reader, size=task.item.size)

    def _prepare(self, pipeline: Pipeline, task: Work, row: DocumentRow, result: ReadResult) -> str | None:
        """Split a document and put it into the batch; the reason if nothing of it can be found afterwards.

        Raises `MetadataRefused` when nobody may read it.
        """
        from assistant.ingest.splitting import embedded, split, title_of

        if not any(page.text.strip() for page in result.pages):
            return "no text was found in it"
        if task.item.changed_meanwhile():
            return "it changed while it was read: the next run takes it"
        try:
            with self._report.stage("split"):
                details, access_class = settled(pipeline, task.item, result.properties)
                title = title_of(result.pages, task.item.path, details)
                version, nodes = split(pipeline, row.id, title, result.pages)
        except MetadataRefused:
            raise
        except DocumentError as error:
            return str(error)
        had_chunks = row.chunks
        _note_file(row, task)
        row.fingerprint = "" if result.passing else task.fingerprint + (self._limits if result.warning else "")
        row.class_id = self._class_id(access_class)
        row.title, row.version, row.details = title, version, details
        row.chunks, row.pages = len(nodes), sum(page.label is not None for page in result.pages) or None
        row.ocr_pages = sum(page.confidence is not None for page in result.pages)
        if row.ocr_pages:
            row.details["ocr_confidence"] = _mean_confidence(result.pages)
        row.status, row.error, row.indexed_at = INDEXED, result.warning, now()
        if cut := self._window.cut(embedded(nodes)):
            said = f"of {cut} passages the embedding model reads the first {self._window.tokens} tokens only"
            self._report.warnings.append(Failure(row.path, f"{said}: set a smaller chunk_size"))
        chunks = [_chunk(row, position, node) for position, node in enumerate(nodes)]
        self._batch.append((Version(row, chunks), nodes))
        self._report.chunks_deleted += had_chunks
        self._report.updated += had_chunks > 0
        self._report.added += had_chunks == 0
        return None

    def _store(self) -> None:
        """Embed and write the batch: everything is noted first, and nothing of it is found before all of it is there."""
        versions = [version for version, _ in self._batch]
        if not versions:
            return
        with self._report.stage("store"):
            self._writer.begin(versions)
        for class_id, nodes in self._slices():
            with self._report.stage("embed"):
                self._embed(nodes)
            with self._report.stage("store"):
                self._writer.add(class_id, list(nodes))
            for node in nodes:  # a document of a hundred thousand passages must not hold all its vectors
                node.embedding = None
        with self._report.stage("store"):
            self._writer.commit(versions)
        self._report.chunks_added += sum(version.row.chunks for version in versions)
        self._batch.clear()
        gc.collect()

    def _slices(self) -> Iterator[tuple[int, list[TextNode]]]:
        """The batch's nodes by access class, no more at once than a batch may have."""
        by_class: dict[int, list[TextNode]] = {}
        for version, nodes in self._batch:
            assert version.row.class_id is not None
            by_class.setdefault(version.row.class_id, []).extend(nodes)
        size = self._settings.batch_chunks
        for class_id, nodes in by_class.items():
            for start in range(0, len(nodes), size):
                yield class_id, nodes[start : start + size]

    def _embed(self, nodes: list[TextNode]) -> None:
        from assistant.ingest.splitting import embedded

        try:
            vectors, computed = self._vectors.vectors(embedded(nodes), self._embed_model().get_text_embedding_batch)
        except (RuntimeError, OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
            raise ModelUnavailable(
                f"the embedding model failed ({reason[0][:200]}); run the same command again once it works"
            ) from error
        self._report.chunks_embedded += computed
        for node, vector in zip(nodes, vectors, strict=True):
            node.embedding = vector

    # --- what is not loaded, and how far we are

    def _withdraw(self, row: DocumentRow, refused: MetadataRefused) -> None:
        """What is loaded of it must not be found by those who could read it before."""
        if row.chunks:
            with self._report.stage("store"):
                self._report.chunks_deleted += self._writer.remove([row.id])
        row.chunks, row.class_id, row.details = 0, None, refused.details

    def _fail(self, task: Work, row: DocumentRow, error: str, *, passing: bool) -> None:
        """An earlier version of it, if there is one, stays until the file can be read."""
        _note_file(row, task)
        row.status, row.error = FAILED, error
        # one that changed is taken by the next run, also when only its time did
        again = passing or task.item.changed_meanwhile()
        row.fingerprint = "" if again else task.fingerprint + self._limits
        self._report.failed.append(Failure(task.item.path, error))
        self._catalog.save(row)

    def _count(self, result: ReadResult, *, failed: bool) -> None:
        ocr_pages = sum(page.confidence is not None for page in result.pages)
        state = self._state
        self._report.pages += len(result.pages)
        self._report.ocr_pages += ocr_pages
        self._report.repaired_words += sum(page.repaired for page in result.pages)
        if result.warning:
            self._report.warnings.append(Failure(result.key, result.warning))
        self._state = replace(
            state,
            files=state.files + 1,
            pages=self._report.pages,
            ocr_pages=self._report.ocr_pages,
            chunks=self._report.chunks_added,
            failed=state.failed + failed,
            current=result.key,
            current_seconds=0.0,
        )
        if self._progress:
            self._progress(self._state)

    def _tick(self, path: str, seconds: float) -> None:
        if self._progress:
            self._progress(replace(self._state, current=path, current_seconds=seconds))


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Left to itself Python's garbage collector walks all of torch again and again: a sixth of the run's time.

    What is there already is left out, and each batch collects its own: the HTTP client's requests, megabytes each, are
    held by cycles.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 1_000, 1_000)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _mean_confidence(pages: list[Page]) -> float:
    """Of the recognised pages, 0-100."""
    found = [page.confidence for page in pages if page.confidence is not None]
    return round(sum(found) / len(found), 1)


def _note_file(row: DocumentRow, task: Work) -> None:
    row.path, row.location = task.item.path, str(task.item.location or "")
    row.size, row.mtime_ns, row.sha256 = task.item.size, task.item.mtime_ns, task.sha256


def _chunk(row: DocumentRow, position: int, node: TextNode) -> ChunkColumns:
    assert row.class_id is not None
    return {
        "id": node.node_id,
        "document_id": row.id,
        "class_id": row.class_id,
        "position": position,
        "page": page_label(node.metadata.get("page_label")),
        "page_kind": node.metadata.get("page_kind", "page"),
        "section": node.metadata.get("section", ""),
        "text": node.text,
    }
