"""Where documents come from: files of a folder, or what a LlamaIndex reader loads."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant import resources
from assistant.errors import DocumentError, PipelineError
from assistant.ingest.pipeline import Pipeline

if TYPE_CHECKING:
    from llama_index.core.schema import Document

_RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class SourceItem:
    """One file, or one item of a reader, as the scan sees it."""

    path: str
    location: Path | None
    size: int
    mtime_ns: int
    problem: str | None = None
    unreachable: bool = False  # the problem may pass: an earlier version stays
    documents: list[Document] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)  # of a file beside it, or of rules; known before it is read

    def local_file(self) -> Path | None:
        """Where it can be read; a remote one is fetched first. None for what a reader has loaded. Raises `DocumentError`."""
        return self.location

    def changed_meanwhile(self) -> bool:
        """Whether a local file is not the one that was scanned any more."""
        if self.location is None:
            return False
        try:
            stat = self.location.stat()
        except OSError:
            return True
        return (stat.st_size, stat.st_mtime_ns) != (self.size, self.mtime_ns)

    def sha256(self) -> str:
        """Of the content. Raises `DocumentError` when the file can't be read."""
        if self.location is None:
            texts = [document.get_content() for document in self.documents]
            return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
        try:
            with self.location.open("rb") as content:
                return hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise DocumentError(f"it can't be read: {error.strerror or error}") from error


def scan(pipeline: Pipeline) -> list[SourceItem]:
    """All items of the pipeline's source, by path. Raises `PipelineError` when the source is not there."""
    items = _files(pipeline) if pipeline.source.reader is None else _loaded(pipeline)
    return sorted(items, key=lambda item: item.path)


def folder_of(pipeline: Pipeline) -> Path:
    """The source folder. Raises `PipelineError` when it is missing."""
    folder = resources.locate(pipeline.source.directory or "")
    if folder is None or not folder.is_dir():
        raise PipelineError(
            f"the source folder {pipeline.source.directory} of pipeline '{pipeline.name}' is not there: "
            f"mount or make it, or change `directory` in {pipeline.file}"
        )
    return folder.resolve()


def _files(pipeline: Pipeline) -> Iterator[SourceItem]:
    root = folder_of(pipeline)

    def refuse(error: OSError) -> None:
        # An unreadable folder must not look like one whose files were deleted; an excluded one (lost+found) has none.
        if not pipeline.excludes(_composed(Path(error.filename), root) + "/"):
            raise PipelineError(f"the folder {error.filename} can't be read: {error.strerror}") from error

    for folder, folders, names in os.walk(root, onerror=refuse):
        for name in names:
            location = Path(folder) / name
            path = _composed(location, root)
            if pipeline.includes(path):
                yield _file(pipeline, path, location, root)
        for name in folders:
            location = Path(folder) / name
            path = _composed(location, root)
            if location.is_symlink() and not pipeline.excludes(path + "/"):
                problem = "it is a link to a folder, and those are not followed: make that folder a source"
                yield SourceItem(_printable(path), None, 0, 0, problem=problem)


def _composed(location: Path, root: Path) -> str:
    """The path within the source, in Unicode's composed form: macOS and some shares give the other one."""
    return unicodedata.normalize("NFC", location.relative_to(root).as_posix())


def _printable(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def _is_another(twin: Path, location: Path) -> bool:
    """Whether two files have names that differ in their Unicode form only, and so look the same."""
    try:
        return not twin.samefile(location)
    except OSError:
        return False


def _file(pipeline: Pipeline, path: str, location: Path, root: Path) -> SourceItem:
    if path != _printable(path):  # the location can be neither stored nor shown
        return SourceItem(_printable(path), None, 0, 0, problem="its name is not valid UTF-8: rename it")
    written = location.relative_to(root).as_posix()
    if path != written and _is_another(root / path, location):
        problem = "another file's name looks the same (it is in another Unicode form): rename one of them"
        return SourceItem(written, location, 0, 0, problem=problem)
    try:
        real = location.resolve(strict=True)
        stat = real.stat()
    except (OSError, RuntimeError) as error:
        problem = f"it can't be opened: {getattr(error, 'strerror', error)}"
        return SourceItem(path, location, 0, 0, problem=problem, unreachable=True)
    if not real.is_relative_to(root):
        return SourceItem(path, location, 0, 0, problem="it is a link out of the source folder")
    target = _composed(real, root)
    if target != path and (pipeline.excludes(target) or pipeline.access_class(target) != pipeline.access_class(path)):
        # whoever may write into one folder could publish another one
        return SourceItem(path, location, 0, 0, problem="it is a link to a file of another access class")
    if not real.is_file():
        return SourceItem(path, location, 0, 0, problem="it is not a regular file")
    return SourceItem(path, location, stat.st_size, stat.st_mtime_ns)


def _loaded(pipeline: Pipeline) -> Iterator[SourceItem]:
    from llama_index.core.readers.base import BaseReader

    from assistant.parts.node_parsers import llama_index_class

    assert pipeline.source.reader is not None
    cls = llama_index_class(pipeline.source.reader, BaseReader)
    try:
        documents = cls(**pipeline.source.arguments).load_data(**pipeline.source.load)
    except (OSError, ValueError, TypeError, LookupError, ImportError, RuntimeError) as error:
        raise PipelineError(f"{pipeline.source.reader} of pipeline '{pipeline.name}' failed: {error}") from error
    grouped: dict[str, list[Document]] = {}
    for number, document in enumerate(documents):
        grouped.setdefault(_item_path(document.metadata, document.id_, number), []).append(document)
    for path, parts in grouped.items():
        yield SourceItem(path, None, sum(len(part.get_content()) for part in parts), 0, documents=parts)


def _item_path(metadata: dict[str, Any], document_id: str, number: int) -> str:
    """A name that stays the same from run to run; LlamaIndex gives many documents a random id each time."""
    for key in ("file_path", "url", "source", "URL"):
        if metadata.get(key):
            return str(metadata[key])
    return str(number) if _RANDOM_ID.fullmatch(document_id) else document_id
