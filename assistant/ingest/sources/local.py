"""Files of a folder, and nothing outside it: links never lead out of it, nor from one access class into another."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from assistant import resources
from assistant.errors import DocumentError, PipelineError
from assistant.ingest.metadata import MAX_BYTES, access_class
from assistant.ingest.sources.item import LOOKS_THE_SAME, SourceItem, composed, hidden, printable, time_of
from assistant.ingest.sources.sidecars import Sidecars, is_access_file, is_metadata_file

if TYPE_CHECKING:
    from assistant.ingest.pipeline import Pipeline


def directory_of(pipeline: Pipeline) -> str | None:
    """The folder that a pipeline names, None for another kind of source."""
    url = pipeline.source.url
    if url is not None and url.lower().startswith("file://"):
        return url[len("file://") :]
    return pipeline.source.directory


def folder(pipeline: Pipeline, directory: str) -> Path:
    """The folder itself. Raises `PipelineError` when it is missing."""
    found = resources.locate(directory)
    if found is None or not found.is_dir():
        raise PipelineError(
            f"the source folder {directory} of pipeline '{pipeline.name}' is not there: "
            f"mount or make it, or change it in {pipeline.file}"
        )
    return found.resolve()


def items(pipeline: Pipeline) -> list[SourceItem]:
    """Everything that the pipeline includes. Raises `PipelineError` when the folder, or one in it, can't be read."""
    directory = directory_of(pipeline)
    assert directory is not None
    walk = _Walk(pipeline, folder(pipeline, directory))
    before = _identity(walk.root)
    found = list(walk.files())
    if _identity(walk.root) != before:  # of a share that went away, what was not listed yet looks deleted
        raise PipelineError(
            f"the source folder {directory} of pipeline '{pipeline.name}' was unmounted or replaced while it was listed: "
            "run it again"
        )
    sidecars = Sidecars(set(walk.metadata_files), walk.read_metadata, trusted=pipeline.trust_metadata)
    return [_checked_link(pipeline, sidecars, sidecars.apply(item), walk.root) for item in found]


class _Walk:
    """One walk over the folder: `os.scandir`, for a stat for each file is what the time goes into."""

    def __init__(self, pipeline: Pipeline, root: Path) -> None:
        self.root = root
        self.metadata_files: dict[str, str] = {}
        self._pipeline = pipeline

    def files(self) -> Iterator[SourceItem]:
        folders = [(str(self.root), "", "")]
        while folders:
            folder, prefix, written = folders.pop()
            for entry, is_folder in self._entries(folder, prefix):
                path = prefix + composed(entry.name)
                if is_folder and not is_access_file(entry.name):
                    if not hidden(entry.name) and not self._left_out(path):
                        folders.append((entry.path, f"{path}/", f"{written}{entry.name}/"))
                elif is_metadata_file(entry.name):
                    self.metadata_files[path] = entry.path
                elif not hidden(entry.name) and (item := self._item(entry, path, written + entry.name)):
                    yield item

    def read_metadata(self, path: str) -> bytes:
        """Raises `DocumentError`."""
        file = self.metadata_files[path]
        try:
            if os.path.realpath(file) != file or not stat.S_ISREG(os.stat(file).st_mode):
                raise DocumentError("it is no file, or a link, and those are not followed: copy it")
            with open(file, "rb") as content:
                return content.read(MAX_BYTES + 1)
        except OSError as error:
            raise DocumentError(f"it can't be read: {error.strerror or error}") from error

    def _entries(self, folder: str, prefix: str) -> list[tuple[os.DirEntry[str], bool]]:
        """What is in a folder, and whether it is a folder: some file systems are asked for that anew."""
        try:
            with os.scandir(folder) as entries:
                return [(entry, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            if prefix and isinstance(error, FileNotFoundError):  # it was deleted just now
                return []
            # An unreadable folder must not look like one whose files were deleted; an excluded one (lost+found) has none.
            if prefix and self._pipeline.excludes(prefix):
                return []
            raise PipelineError(
                f"the folder {printable(folder)} can't be read: {error.strerror}. Give this account the right to read it, "
                "or name it under `exclude`"
            ) from error

    def _left_out(self, path: str) -> bool:
        return self._pipeline.excludes_whole_folders and self._pipeline.excludes(f"{path}/")

    def _item(self, entry: os.DirEntry[str], path: str, written: str) -> SourceItem | None:
        is_link = entry.is_symlink()
        if is_link and os.path.isdir(entry.path):
            if self._pipeline.excludes(f"{path}/"):
                return None
            problem = "it is a link to a folder, and those are not followed: make that folder a source"
            return SourceItem(printable(path), None, 0, 0, problem=problem)
        if not self._pipeline.includes(path):
            return None
        if not path.isascii() and path != printable(path):  # the location can be neither stored nor shown
            return SourceItem(printable(path), None, 0, 0, problem="its name is not valid UTF-8: rename it")
        location = Path(entry.path)
        if path != written and _is_another(self.root / path, location):
            return SourceItem(written, location, 0, 0, problem=LOOKS_THE_SAME)
        return self._link(path, location) if is_link else self._file(entry, path, location)

    def _file(self, entry: os.DirEntry[str], path: str, location: Path) -> SourceItem | None:
        try:
            found = os.lstat(entry.path)
        except FileNotFoundError:  # it was deleted just now
            return None
        except OSError as error:
            return _closed(path, location, error)
        if not stat.S_ISREG(found.st_mode):
            return SourceItem(path, location, 0, 0, problem="it is not a regular file")
        return SourceItem(path, location, found.st_size, time_of(found))

    def _link(self, path: str, location: Path) -> SourceItem:
        try:
            real = location.resolve(strict=True)
            found = real.stat()
        except (OSError, RuntimeError) as error:
            return _closed(path, location, error)
        if not real.is_relative_to(self.root):
            return SourceItem(path, location, 0, 0, problem="it is a link out of the source folder")
        if not stat.S_ISREG(found.st_mode):
            return SourceItem(path, location, 0, 0, problem="it is not a regular file")
        return SourceItem(path, location, found.st_size, time_of(found), target=real)


def _closed(path: str, location: Path, error: OSError | RuntimeError) -> SourceItem:
    problem = f"it can't be opened: {getattr(error, 'strerror', error)}"
    return SourceItem(path, location, 0, 0, problem=problem, unreachable=True)


def _identity(root: Path) -> tuple[int, int] | None:
    try:
        found = root.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_another(twin: Path, location: Path) -> bool:
    """Whether two files have names that differ in their Unicode form only, and so look the same."""
    try:
        return not twin.samefile(location)
    except OSError:
        return False


def _checked_link(pipeline: Pipeline, sidecars: Sidecars, item: SourceItem, root: Path) -> SourceItem:
    """Whoever may write into one folder could publish another one by a link; metadata and access files count too."""
    if item.target is None or item.problem:
        return item
    target = composed(item.target.relative_to(root).as_posix())
    twin = sidecars.apply(replace(item, path=target, metadata={}, access=()))
    closed = any(hidden(part) for part in target.split("/")) or pipeline.excludes(target) or twin.problem
    try:
        same = not closed and access_class(pipeline, twin) == access_class(pipeline, item)
    except DocumentError:
        same = False
    return item if same else replace(item, problem="it is a link to a file of another access class")
