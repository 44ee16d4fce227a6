"""The same documents cut otherwise, indexed apart: for trying chunk sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant import resources
from assistant.errors import ConfigError
from assistant.settings import Chroma, Database, Settings, Storage

if TYPE_CHECKING:
    from assistant.assistant import Assistant
    from assistant.evaluation.datasets import Dataset
    from assistant.evaluation.progress import Advance


@dataclass(frozen=True)
class Cut:
    """Sizes in tokens of the embedding model, as in a pipeline's transformations."""

    chunk_size: int
    chunk_overlap: int

    def __str__(self) -> str:
        return f"{self.chunk_size}/{self.chunk_overlap}"


def cut_of(pipeline: Path) -> Cut:
    """How a pipeline's last splitter cuts. Raises `ConfigError` when it has no splitter with sizes."""
    text = pipeline.read_text("utf-8")
    sizes = [int(size) for size in re.findall(r"chunk_size: *(\d+)", text)]
    overlaps = [int(overlap) for overlap in re.findall(r"chunk_overlap: *(\d+)", text)]
    if not sizes or not overlaps:
        raise ConfigError(f"{pipeline} names no chunk_size and chunk_overlap: there is no chunking to try")
    return Cut(sizes[-1], overlaps[-1])


def recut(pipeline: Path, cut: Cut) -> str:
    """The pipeline's text with these sizes, everything else and every comment as it was."""
    cut_of(pipeline)
    text = re.sub(r"(chunk_size: *)\d+", rf"\g<1>{cut.chunk_size}", pipeline.read_text("utf-8"))
    return re.sub(r"(chunk_overlap: *)\d+", rf"\g<1>{cut.chunk_overlap}", text)


def pipelines_of(settings: Settings) -> list[Path]:
    """The configured pipeline files. Raises `ConfigError` when there is none."""
    if not settings.ingest.pipelines:
        raise ConfigError("ingest.pipelines is empty: chunking is tried with their recipes")
    return [resources.require(name, "the pipeline file") for name in settings.ingest.pipelines]


@contextmanager
def opened_recut(
    settings: Settings,
    dataset: Dataset,
    cut: Cut,
    root: Path,
    *,
    keyword_folder: Path | None = None,
    advance: Advance | None = None,
) -> Iterator[Assistant]:
    """An assistant over the set's documents, read and cut anew into a storage below `root`; a second time it is there.

    A set without a corpus asks for the company's documents: all configured pipelines load them, into this storage.
    """
    from assistant.evaluation.corpus import by_files, index, refuse_failures
    from assistant.wiring import build

    place = root / f"{dataset.name}-{dataset.corpus_hash or 'company'}-{cut.chunk_size}-{cut.chunk_overlap}"
    place.mkdir(parents=True, exist_ok=True)
    files = []
    for pipeline in pipelines_of(settings):
        file = place / pipeline.name
        file.write_text(recut(pipeline, cut), "utf-8")
        files.append(str(file))
    ingest = settings.ingest.model_copy(update={"pipelines": files})
    elsewhere: dict[str, Any] = {
        "storage": Storage(path=place / "storage"),
        "database": Database(),
        "chroma": Chroma(mode="managed", port=0, start_seconds=settings.chroma.start_seconds),
        "ingest": ingest,
    }
    with build(settings.model_copy(update=elsewhere), keyword_folder=keyword_folder) as assistant:
        report = by_files(advance)
        if dataset.corpus is not None:
            refuse_failures(index(assistant, dataset, report)["failed"])
        else:
            for name in files:
                assistant.ingest(name, progress=report)
        if keyword_folder is not None:
            assistant.keyword.refresh()
        yield assistant
