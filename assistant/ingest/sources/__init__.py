"""Where documents come from: files of a folder or of a server, or what a LlamaIndex reader loads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assistant.ingest.sources.item import SourceItem
from assistant.ingest.sources.names import protocol

if TYPE_CHECKING:
    from assistant.ingest.pipeline import Pipeline

__all__ = ["SourceItem", "folder_of", "scan"]


def scan(pipeline: Pipeline, *, cache: Path | None = None, file_mb: int = 200) -> list[SourceItem]:
    """All items of the pipeline's source, by path. Raises `PipelineError` when the source is not there.

    `cache` is the folder for copies of remote files, which are fetched when they are read; larger ones than `file_mb`
    are not.
    """
    return sorted(_items(pipeline, cache, file_mb), key=lambda item: item.path)


def folder_of(pipeline: Pipeline) -> Path | None:
    """The source's folder on this machine, None for another kind of source. Raises `PipelineError` when it is missing."""
    from assistant.ingest.sources import local

    directory = local.directory_of(pipeline)
    return None if directory is None else local.folder(pipeline, directory)


def _items(pipeline: Pipeline, cache: Path | None, file_mb: int) -> list[SourceItem]:
    if pipeline.source.reader is not None:
        from assistant.ingest.sources import loaded

        return loaded.items(pipeline)
    if pipeline.source.url is not None and protocol(pipeline.source.url) != "file":
        from assistant.ingest.sources import remote

        return remote.items(pipeline, cache, file_mb)
    from assistant.ingest.sources import local

    return local.items(pipeline)
