"""A pipeline's local folder as its scan would see it: which folders there are, and who may read a path in them.

Looked at path by path, so that one page or one upload needs no scan of the whole source.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from assistant.access.principal import AccessClass
from assistant.errors import DocumentError
from assistant.ingest import access_rules, metadata
from assistant.ingest.pipeline import Pipeline
from assistant.ingest.sources.item import SourceItem, composed, hidden
from assistant.ingest.sources.sidecars import Sidecars, is_access_file

_LOOKED_AT = 2000  # folders
Entries = dict[str, os.DirEntry[str]]


class Place:
    """For one request: what it has seen of the folder it remembers."""

    def __init__(self, pipeline: Pipeline, root: Path) -> None:
        self.pipeline = pipeline
        self.root = root
        self._seen: dict[str, Entries] = {}

    def access_class(self, path: str, details: Mapping[str, Any] | None = None) -> AccessClass | None:
        """Who may read the document of that path, by rules, access and metadata files; None if that can't be told.

        `details` is what was kept of the document when it was read.
        """
        try:
            item = self.item(path)
            return None if item.problem else metadata.access_class(self.pipeline, item, details)
        except (OSError, DocumentError):
            return None

    def item(self, path: str) -> SourceItem:
        """With what access and metadata files say of it, or what is wrong with one. Raises `OSError`."""
        item = SourceItem(path, self.root / path, 0, 0)
        return Sidecars(set(self._beside(path)), self._read, trusted=self.pipeline.trust_metadata).apply(item)

    def metadata_files(self, path: str) -> list[str]:
        """Those that speak of who may read it. Raises `OSError`, `DocumentError`."""
        files = [name for name in self._beside(path) if not is_access_file(name.rpartition("/")[2])]
        said = {name: metadata.parse(self._read(name).decode("utf-8-sig", "replace"), name) for name in sorted(files)}
        return [name for name, values in said.items() if not {*metadata.ACCESS}.isdisjoint(values)]

    def folders(self, wanted: Callable[[AccessClass], bool]) -> Iterator[tuple[str, AccessClass]]:
        """Folders that a document of a wanted class could be put into, by path, and that class; "" is the source itself."""
        waiting, looked_at = [""], 0
        while waiting and looked_at < _LOOKED_AT:
            folder = waiting.pop()
            looked_at += 1
            try:
                entries = self._entries(folder)
            except OSError:
                continue
            found = self._taken(folder, wanted)
            if found is not None:
                yield folder, found
            inside = [_joined(folder, name) for name, entry in entries.items() if self._is_open(folder, name, entry)]
            waiting += sorted(inside, reverse=True)

    def _taken(self, folder: str, wanted: Callable[[AccessClass], bool]) -> AccessClass | None:
        """The first wanted class that some kind of file has there: rules may go by extension."""
        kinds = {reader.name: extension for extension, reader in self.pipeline.readers.items()}
        for extension in kinds.values():
            path = _joined(folder, f"0{extension}")
            found = self.access_class(path) if self.pipeline.includes(path) else None
            if found is not None and wanted(found):
                return found
        return None

    def _is_open(self, folder: str, name: str, entry: os.DirEntry[str]) -> bool:
        path = f"{_joined(folder, name)}/"
        left_out = self.pipeline.excludes_whole_folders and self.pipeline.excludes(path)
        return entry.is_dir(follow_symlinks=False) and not hidden(name) and not left_out

    def _beside(self, path: str) -> Iterator[str]:
        """The metadata and access files that speak of the path, however their names are written."""
        own = PurePosixPath(path)
        wanted = {*metadata.FOLDER_FILES, *access_rules.NAMES}
        named = {f"{name}{metadata.SIDECAR}".lower() for name in (own.name, own.stem)}
        for number, above in reversed(
            [*enumerate(own.parents)]
        ):  # the outermost first: each is looked for in the one above
            folder = "" if str(above) == "." else str(above)
            names = wanted | named if number == 0 else wanted
            yield from (_joined(folder, name) for name in self._entries(folder) if name.lower() in names)

    def _entry(self, path: str) -> os.DirEntry[str] | None:
        folder, _, name = path.rpartition("/")
        return self._entries(folder).get(name)

    def _entries(self, folder: str) -> Entries:
        """Raises `OSError` for a folder that is not there, is a link, or can't be read."""
        if folder not in self._seen:
            actual = str(self.root)
            if folder:
                entry = self._entry(folder)
                if entry is None or not entry.is_dir(follow_symlinks=False):
                    raise FileNotFoundError(folder)
                actual = entry.path
            with os.scandir(actual) as entries:
                self._seen[folder] = {composed(entry.name): entry for entry in entries}
        return self._seen[folder]

    def _read(self, path: str) -> bytes:
        entry = self._entry(path)
        if entry is None or not entry.is_file(follow_symlinks=False):
            raise DocumentError("it is no file, or a link, and those are not followed: copy it")
        try:
            with open(entry.path, "rb") as content:
                return content.read(metadata.MAX_BYTES + 1)
        except OSError as error:
            raise DocumentError(f"it can't be read: {error.strerror or error}") from error


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
