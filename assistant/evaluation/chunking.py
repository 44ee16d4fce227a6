"""The same documents cut otherwise, indexed apart: for trying chunk sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant import resources
from assistant.errors import ConfigError
from assistant.settings import Chroma, Database, Settings, Storage

if TYPE_CHECKING:
    from assistant.assistant import Assistant
    from assistant.evaluation.datasets import Dataset
    from assistant.evaluation.progress import Advance
    from assistant.ingest.reading import ReadResult
    from assistant.ingest.sources import SourceItem

_SECTIONS = re.compile(r"^ *- *MarkdownSections\b.*\n", re.MULTILINE)
ReadItems = Mapping[str, list["SourceItem"]]  # by pipeline's file name


@dataclass(frozen=True)
class Cut:
    """Sizes in tokens of the embedding model, as in a pipeline's transformations.

    `splitter` is LlamaIndex's class that cuts last; without `sections` headings are not cut at.
    """

    chunk_size: int
    chunk_overlap: int
    splitter: str = "SentenceSplitter"
    sections: bool = True

    def __str__(self) -> str:
        rest = "" if self.splitter == "SentenceSplitter" else f" {self.splitter}"
        return f"{self.chunk_size}/{self.chunk_overlap}{rest}{'' if self.sections else ' without sections'}"


def cut_of(pipeline: Path) -> Cut:
    """How a pipeline's last splitter cuts. Raises `ConfigError` when it has none with sizes."""
    text = pipeline.read_text("utf-8")
    found = re.findall(r"(\w+): *\{chunk_size: *(\d+), *chunk_overlap: *(\d+)", text)
    if not found:
        raise ConfigError(
            f"{pipeline} has no line like 'SentenceSplitter: {{chunk_size: 320, chunk_overlap: 40}}': "
            "there is no chunking to try"
        )
    splitter, size, overlap = found[-1]
    return Cut(int(size), int(overlap), splitter, re.search(_SECTIONS, text) is not None)


def recut(pipeline: Path, cut: Cut) -> str:
    """The pipeline's text with this cut, everything else and every comment as it was."""
    present, text = cut_of(pipeline), pipeline.read_text("utf-8")
    text = re.sub(rf"\b{present.splitter}(: *\{{chunk_size)", rf"{cut.splitter}\g<1>", text)
    text = re.sub(r"(chunk_size: *)\d+", rf"\g<1>{cut.chunk_size}", text)
    text = re.sub(r"(chunk_overlap: *)\d+", rf"\g<1>{cut.chunk_overlap}", text)
    return text if cut.sections else re.sub(_SECTIONS, "", text)


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
    read: ReadItems,
    keyword_folder: Path | None = None,
    advance: Advance | None = None,
) -> Iterator[Assistant]:
    """An assistant over the set's documents, cut anew into a storage below `root`; a second time they are there.

    A set without a corpus asks for the company's documents: `read`, by all configured pipelines, into this storage.
    """
    from assistant.evaluation.corpus import by_files, index, refuse_failures
    from assistant.wiring import build

    place = root / f"{dataset.name}-{dataset.corpus_hash or 'company'}-{re.sub(r'[^0-9A-Za-z]+', '-', str(cut))}"
    place.mkdir(parents=True, exist_ok=True)
    files = []
    for recipe in pipelines_of(settings):
        (place / recipe.name).write_text(recut(recipe, cut), "utf-8")
        files.append(str(place / recipe.name))
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
            serving = assistant.serving()
            for file in files:
                items = read[Path(file).name]
                serving.ingest_service.run(serving.pipeline(file), items=items, accept_deletions=True, progress=report)
        if keyword_folder is not None:
            assistant.keyword.refresh()
        yield assistant


def read_documents(settings: Settings) -> dict[str, list[SourceItem]]:
    """What the configured pipelines read, by pipeline's file: once, because reading takes longer than everything else.

    What can't be read is left out, as it is in the company's own index.
    """
    from assistant.ingest.pipeline import load_pipeline
    from assistant.ingest.reading import ReadTask, read_all
    from assistant.ingest.sources import scan

    cache = settings.storage.path.expanduser().resolve() / "cache"
    found: dict[str, list[SourceItem]] = {}
    for file in pipelines_of(settings):
        pipeline = load_pipeline(file, embedding_identity="")
        items = {item.path: item for item in scan(pipeline, cache=cache / "sources") if item.problem is None}
        tasks = [
            ReadTask(path, location, reader, item.size)
            for path, item in items.items()
            if (reader := pipeline.reader(path)) and (location := item.local_file())
        ]
        read = {result.key: result for result in read_all(tasks, settings=settings.ingest, cache=cache / "ocr")}
        whole = [item for item in items.values() if item.documents]
        found[file.name] = whole + [_loaded(items[key], result) for key, result in read.items() if result.pages]
    return found


def _loaded(item: SourceItem, read: ReadResult) -> SourceItem:
    """As if a reader of LlamaIndex had given the file's pages."""
    from llama_index.core.schema import Document

    pages = [Document(text=page.text, metadata={**read.properties, "page_label": page.label}) for page in read.pages]
    return replace(item, location=None, target=None, remote=None, documents=pages)
