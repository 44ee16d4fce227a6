"""Files of a source that speak of its documents, and are none. Metadata: `.meta.yaml` or `_meta.yaml` for a folder and all
below it, `report.docx.meta.yaml` or `report.meta.yaml` for the file beside it; the nearest one wins. Access:
`.access.yaml` for a folder and all below it.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from assistant.errors import DocumentError
from assistant.ingest import access_rules
from assistant.ingest.access_rules import AccessFile
from assistant.ingest.metadata import FOLDER_FILES, MAX_BYTES, SIDECAR, parse
from assistant.ingest.sources.item import SourceItem

Read = Callable[[str], bytes]  # the content of the file of that path, MAX_BYTES + 1 at most; `DocumentError`
Access = tuple[AccessFile, ...] | str  # those of a folder and the folders above it; or what is wrong with one


def is_metadata_file(name: str) -> bool:
    """However it is written: shares of Windows make no difference, and `Report.Meta.yaml` may close what is beside it."""
    return name.lower().endswith(SIDECAR) or name.lower() in FOLDER_FILES or is_access_file(name)


def is_access_file(name: str) -> bool:
    return name.lower() in access_rules.NAMES


class Sidecars:
    """The metadata and access files of a source by path, read at their first use."""

    def __init__(self, paths: set[str], read: Read, *, trusted: bool) -> None:
        self._paths = {_folded(path): path for path in sorted(paths)} | {path: path for path in paths}
        self._read = read
        self._trusted = trusted
        self._files: dict[str, dict[str, Any] | str] = {}
        self._access_files: dict[str, list[str]] = {}
        for path in sorted(paths):
            if is_access_file(path.rpartition("/")[2]):
                self._access_files.setdefault(path.rpartition("/")[0], []).append(path)
        self._access: dict[str, Access] = {}
        self._folders: dict[str, dict[str, Any] | str] = {"": self._of_folder("")}

    def apply(self, item: SourceItem) -> SourceItem:
        """The item with what they say of it; or with a problem when one of them can't be read.

        That passes with metadata; without an access file nobody knows who may read what is below it.
        """
        if not self._paths:
            return item
        if self._access_files:
            access = self._access_of(item.path.rpartition("/")[0])
            if isinstance(access, str):
                return replace(item, problem=access, unreachable=False)
            item = replace(item, access=tuple(said for file in access if (said := file.of(item.path)) is not None))
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
        for one in _unknown(folder, self._folders):
            self._folders[one] = self._together(self._folders[one.rpartition("/")[0]], self._of_folder(one))
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
                self._files[path] = self._values(path)
            except DocumentError as error:
                self._files[path] = str(error)
        return self._files[path]

    def _values(self, path: str) -> dict[str, Any]:
        try:
            text = self._text(path)
        except DocumentError as error:
            raise DocumentError(f"its metadata file {path}: {error}") from error
        return parse(text, path)

    def _access_of(self, folder: str) -> Access:
        """Those of the folders above it, and its own."""
        for one in _unknown(folder, self._access):
            above = self._access[one.rpartition("/")[0]] if one else ()
            own = self._access_files.get(one, [])
            if isinstance(above, str) or not own:
                self._access[one] = above
            else:
                try:
                    self._access[one] = (*above, self._rules(own))
                except DocumentError as error:
                    self._access[one] = str(error)
        return self._access[folder]

    def _rules(self, paths: list[str]) -> AccessFile:
        path = paths[0]
        if len(paths) > 1:
            raise DocumentError(f"its access file {path}: there are several in this folder, leave one")
        try:
            text = self._text(path)
        except DocumentError as error:
            raise DocumentError(f"its access file {path}: {error}") from error
        return access_rules.parse(text, path)

    def _text(self, path: str) -> str:
        content = self._read(path)
        if len(content) > MAX_BYTES:
            raise DocumentError(f"it is larger than {MAX_BYTES // 1024} KB")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DocumentError("it is not in UTF-8: save it so") from error


def _unknown(folder: str, known: Container[str]) -> list[str]:
    """The folder and those above it that are not known yet, the outermost first: some are thousands deep."""
    found = []
    while folder not in known:
        found.append(folder)
        if not folder:
            break
        folder = folder.rpartition("/")[0]
    return found[::-1]


def _folded(path: str) -> str:
    """With its name in lower case; folders that differ in that are two."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + name.lower()
