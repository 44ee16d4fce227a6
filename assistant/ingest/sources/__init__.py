"""Where documents come from: files of a folder or of a server, or what a LlamaIndex reader loads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.ingest.sources.item import LOOKS_THE_SAME, MAX_PATH, SourceItem
from assistant.ingest.sources.names import protocol

if TYPE_CHECKING:
    from assistant.ingest.pipeline import Pipeline

__all__ = ["SourceItem", "folder_of", "scan"]


def scan(pipeline: Pipeline, *, cache: Path | None = None, file_mb: int = 200) -> list[SourceItem]:
    """All items of the pipeline's source, by path. Raises `PipelineError` when the source is not there.

    `cache` is the folder for copies of remote files, which are fetched when they are read; larger ones than `file_mb`
    are not.
    """
    return sorted(_kept_apart(_items(pipeline, cache, file_mb)), key=lambda item: item.path)


def _kept_apart(found: list[SourceItem]) -> Iterator[SourceItem]:
    """The items with a path for each that the catalog can hold: of several with one path all but the first are refused."""
    taken = {item.path for item in found}
    if len(taken) == len(found) and all(len(path) <= MAX_PATH for path in taken):
        yield from found
        return
    seen: set[str] = set()
    for item in sorted(found, key=lambda item: (item.path, item.problem is not None, str(item.location))):
        path, problem = item.path, ""
        if len(path) > MAX_PATH:
            problem = f"its path is longer than {MAX_PATH} characters: shorten the names of its folders"
            path = f"{path[: MAX_PATH - 20]}… {hashlib.sha256(path.encode()).hexdigest()[:12]}"
        elif path in seen:
            problem = LOOKS_THE_SAME
            path = next(name for number in count(2) if (name := f"{item.path} ({number})") not in taken)
        taken.add(path)
        seen.add(item.path)
        yield item if path == item.path else SourceItem(path, None, 0, 0, problem=problem)


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
