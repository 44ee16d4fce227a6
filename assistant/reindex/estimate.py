"""What a new generation will cost, from a short sample: files read, cut and embedded as the building does it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from assistant.errors import DocumentError
from assistant.ingest.pipeline import Pipeline
from assistant.ingest.reading import Page, ReadResult, ReadTask, read_all
from assistant.ingest.sources import SourceItem
from assistant.ingest.sources.loaded import properties_of
from assistant.serving import Index
from assistant.settings import Ingest

_SAMPLE = 8  # files
_CHUNK_BYTES = 6_000  # of a passage beside its vector: text, words, keys
_VECTOR_COPIES = 3  # in Chroma's index, in its log, and in our cache

Wanted = list[tuple[Pipeline, list[SourceItem]]]


@dataclass(frozen=True)
class Estimate:
    """Rough: of a few files, of which none may be typical. `bytes` is disk space."""

    documents: int
    passages: int
    seconds: float
    bytes: int
    free_bytes: int


def estimate(index: Index, wanted: Wanted, *, settings: Ingest, cache: Path) -> Estimate:
    """Of what the generation lacks. Texts of the sample are embedded once: their vectors are in the cache afterwards."""
    done = {(row.pipeline, row.path) for row in index.catalog.documents() if row.chunks}
    left = [
        (pipeline, item)
        for pipeline, items in wanted
        for item in items
        if (pipeline.name, item.path) not in done
        and item.problem is None
        and (item.documents or pipeline.reader(item.path))
    ]
    dimensions = len(index.embed_model().get_query_embedding("готово"))
    chosen = left[:: max(1, len(left) // _SAMPLE)][:_SAMPLE]
    begun, passages, read = perf_counter(), 0, 0
    for number, found in enumerate(_passages(index, chosen, settings, cache)):
        if number == 0 and len(chosen) > 1:
            begun = perf_counter()  # starting the workers is paid once
        else:
            read += 1
            passages += found
    seconds = (perf_counter() - begun) / read if read else 0.0
    total = round(passages / read * len(left)) if read else 0
    needed = total * (dimensions * 4 * _VECTOR_COPIES + _CHUNK_BYTES)
    return Estimate(len(left), total, seconds * len(left), needed, shutil.disk_usage(cache).free)


def _passages(index: Index, chosen: list[tuple[Pipeline, SourceItem]], settings: Ingest, cache: Path) -> Iterator[int]:
    """The number of passages of each file of the sample that can be read, once they are embedded."""
    from assistant.ingest.splitting import split, title_of

    for pipeline, item, result in _read(chosen, settings, cache):
        if result.error or not any(page.text.strip() for page in result.pages):
            yield 0
            continue
        try:
            title = title_of(result.pages, item.path, result.properties)
            _, nodes = split(pipeline, "sample", title, result.pages)
        except DocumentError:
            yield 0
            continue
        index.vectors.vectors([node.get_content() for node in nodes], index.embed_model().get_text_embedding_batch)
        yield len(nodes)


def _read(
    chosen: list[tuple[Pipeline, SourceItem]], settings: Ingest, cache: Path
) -> Iterator[tuple[Pipeline, SourceItem, ReadResult]]:
    tasks = []
    for number, (pipeline, item) in enumerate(chosen):
        reader = pipeline.reader(item.path)
        if item.documents:
            pages = [Page(None, document.get_content()) for document in item.documents]
            yield pipeline, item, ReadResult(item.path, pages, properties_of(item.documents))
        elif reader is not None:
            try:
                location = item.local_file()
            except DocumentError:
                continue
            assert location is not None, "only what a reader has loaded has no file"
            tasks.append(ReadTask(str(number), location, reader, size=item.size))
    for result in read_all(tasks, settings=settings, cache=cache / "ocr"):
        pipeline, item = chosen[int(result.key)]
        yield pipeline, item, result
