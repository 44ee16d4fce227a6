"""Indexes a labelled set's own corpus apart from the company's documents, by the same recipe and the same service."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assistant.access.principal import AccessClass
from assistant.errors import ConfigError, DocumentError
from assistant.evaluation.datasets import CORPUS, CorpusDocument, Dataset
from assistant.settings import Chroma, Database, Settings, Storage

if TYPE_CHECKING:
    from assistant.assistant import Assistant
    from assistant.evaluation.progress import Advance
    from assistant.ingest.progress import Progress
    from assistant.ingest.sources import SourceItem

_EVERYTHING = AccessClass("evaluation", 1)


def apart(settings: Settings, dataset: Dataset) -> Settings:
    """The same settings over a storage folder of the set's own: own SQLite file, own Chroma; one for each model."""
    from assistant.parts.embeddings import identity
    from assistant.parts.model_files import pulled_or

    pulled = settings.storage.path  # a pulled model lies in the company's own storage
    embedding, reranker = settings.embedding, settings.reranker
    made_with = identity(embedding.provider, pulled_or(embedding.model, pulled), embedding.text_instruction)
    place = hashlib.sha256(f"{dataset.folder / CORPUS}\0{made_with}".encode()).hexdigest()[:8]
    return settings.model_copy(
        update={
            "storage": Storage(path=settings.storage.path / "eval" / f"{dataset.name}-{place}"),
            "database": Database(),
            "chroma": Chroma(mode="managed", port=0, start_seconds=settings.chroma.start_seconds),
            "embedding": embedding.model_copy(update={"model": pulled_or(embedding.model, pulled)}),
            "reranker": reranker.model_copy(update={"model": pulled_or(reranker.model, pulled)}),
        }
    )


def index(assistant: Assistant, dataset: Dataset, progress: Progress | None = None) -> dict[str, Any]:
    """Bring the index in step with the corpus, leaving alone what is in it; `failed` names what could not be indexed."""
    from assistant.ingest.pipeline import for_folder

    pipelines = assistant.settings.ingest.pipelines
    if not pipelines:
        raise ConfigError("ingest.pipelines is empty: a corpus is cut by its first pipeline's recipe")
    recipe = assistant.serving().pipeline(pipelines[0])
    report = assistant.ingest_service.run(
        replace(for_folder(recipe, dataset.folder, _EVERYTHING), name="evaluation"),
        items=[_item(document) for document in dataset.corpus or []],
        accept_deletions=True,
        progress=progress,
    )
    return {
        "pipeline": recipe.name,
        "added": report.added,
        "updated": report.updated,
        "deleted": report.deleted,
        "unchanged": report.unchanged,
        "failed": [{"path": failure.path, "error": failure.error} for failure in report.failed],
        "seconds": round(report.seconds, 3),
    }


def by_files(advance: Advance | None) -> Progress | None:
    """What an ingest reports, as done and total."""
    return None if advance is None else lambda state: advance(state.files, state.total)


def refuse_failures(failed: Sequence[Mapping[str, str]]) -> None:
    """Raises `DocumentError`: a search over a part of the corpus would choose settings for another one."""
    if failed:
        first = failed[0]
        raise DocumentError(f"{len(failed)} documents could not be indexed, first {first['path']}: {first['error']}")


def _item(document: CorpusDocument) -> SourceItem:
    """As a file with that name and heading; without a title the name (the id) stands for it, as for any file."""
    from llama_index.core.schema import Document

    from assistant.ingest.sources import SourceItem

    text = f"# {document.title}\n\n{document.text}" if document.title else document.text
    return SourceItem(document.id, None, len(text), 0, documents=[Document(text=text)])
