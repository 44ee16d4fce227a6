"""Metadata files of a source: `.meta.yaml` or `_meta.yaml` for a folder and all below it, `report.docx.meta.yaml` or
`report.meta.yaml` for the file beside it. They are no documents; the nearest one wins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from assistant.errors import DocumentError
from assistant.ingest.metadata import FOLDER_FILES, MAX_BYTES, SIDECAR, parse
from assistant.ingest.sources.item import SourceItem

Read = Callable[[str], bytes]  # the content of the metadata file of that path, MAX_BYTES + 1 at most; `DocumentError`


def is_metadata_file(name: str) -> bool:
    """However it is written: shares of Windows make no difference, and `Report.Meta.yaml` may close what is beside it."""
    return name.lower().endswith(SIDECAR) or name.lower() in FOLDER_FILES


class Sidecars:
    """The metadata files of a source by path, read at their first use."""

    def __init__(self, paths: set[str], read: Read, *, trusted: bool) -> None:
        self._paths = {_folded(path): path for path in sorted(paths)} | {path: path for path in paths}
        self._read = read
        self._trusted = trusted
        self._files: dict[str, dict[str, Any] | str] = {}
        self._folders: dict[str, dict[str, Any] | str] = {"": self._of_folder("")}

    def apply(self, item: SourceItem) -> SourceItem:
        """The item with what they say of it; or with a problem, which may pass, when one of them can't be read."""
        if not self._paths:
            return item
        folder, _, name = item.path.rpartition("/")
        stem = PurePosixPath(name).stem
        found = self._together(
            self._folder(folder),
            *(self._file(f"{folder}/{own}{SIDECAR}".lstrip("/")) for own in dict.fromkeys((stem, name))),
        )
        if isinstance(found, str):
            return item if item.problem else replace(item, problem=found, unreachable=True)
        return replace(item, metadata=found) if found else item

    def _folder(self, folder: str) -> dict[str, Any] | str:
        """What holds for everything in a folder: of the folders above it and its own."""
        if folder not in self._folders:
            above = folder.rpartition("/")[0]
            self._folders[folder] = self._together(self._folder(above), self._of_folder(folder))
        return self._folders[folder]

    def _of_folder(self, folder: str) -> dict[str, Any] | str:
        return self._together(*(self._file(f"{folder}/{name}".lstrip("/")) for name in FOLDER_FILES))

    def _together(self, *layers: dict[str, Any] | str) -> dict[str, Any] | str:
        """Later layers are nearer and win; but an untrusted one does not take back the level that one above it asks for."""
        found: dict[str, Any] = {}
        for layer in layers:
            if isinstance(layer, str):
                return layer
            levels = [part["level"] for part in (found, layer) if "level" in part]
            found = {**found, **layer}
            if levels and not self._trusted:
                found["level"] = max(levels)
        return found

    def _file(self, path: str) -> dict[str, Any] | str:
        """The values of a metadata file, none if there is no such file, or what is wrong with it."""
        path = self._paths.get(path) or self._paths.get(_folded(path), "")
        if not path:
            return {}
        if path not in self._files:
            try:
                self._files[path] = _values(self._read(path), path)
            except DocumentError as error:
                self._files[path] = str(error)
        return self._files[path]


def _folded(path: str) -> str:
    """With its name in lower case; folders that differ in that are two."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + name.lower()


def _values(content: bytes, path: str) -> dict[str, Any]:
    if len(content) > MAX_BYTES:
        raise DocumentError(f"its metadata file {path} is larger than {MAX_BYTES // 1024} KB")
    try:
        return parse(content.decode("utf-8-sig"), path)
    except UnicodeDecodeError as error:
        raise DocumentError(f"its metadata file {path} is not in UTF-8: save it so") from error
