"""Files of a server (WebDAV, S3, SMB, SFTP) through fsspec: listed at each scan, copied when they are new or changed."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

from assistant.errors import DocumentError, PipelineError
from assistant.ingest.metadata import MAX_BYTES
from assistant.ingest.sources.item import LOOKS_THE_SAME, SourceItem, composed, hidden, printable, storable
from assistant.ingest.sources.names import without_password
from assistant.ingest.sources.server import Server
from assistant.ingest.sources.sidecars import Sidecars, is_access_file, is_metadata_file

if TYPE_CHECKING:
    from assistant.ingest.pipeline import Pipeline

_TIMES = ("mtime", "modified", "LastModified", "last_modified", "last_write_time", "created")
_TAGS = ("etag", "ETag", "md5", "checksum")
_PIECE = 1 << 20
_PATIENCE = 60.0  # seconds that any file may take, beside one for each …
_SLOWEST = 50_000  # … bytes of it


class RemoteFile:
    """A file on a server, and its copy on this machine, which is made at its first use and kept under its version."""

    def __init__(self, server: Server, name: str, size: int, copy: Path) -> None:
        self.server = server
        self._name = name
        self.size = size
        self._copy = copy
        self._lock = Lock()
        self._failure: str | None = None

    def fetch(self) -> Path:
        """The copy. Raises `DocumentError`; one that failed is not tried twice in a run."""
        with self._lock:
            if self._failure is None and not self._copy.exists():
                try:
                    self._download()
                except DocumentError as error:
                    self._failure = str(error)
                except self.server.errors as error:
                    self._failure = f"it can't be fetched: {self.server.reason(error)}"
            if self._failure is not None:
                raise DocumentError(self._failure)
            return self._copy

    def _download(self) -> None:
        """Under another name until all of it is there."""
        self._copy.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._copy.parent, prefix="fetching-")
        try:
            with os.fdopen(handle, "wb") as copy:
                for piece in self._pieces():
                    copy.write(piece)
                whole = copy.tell() == self.size
            if not whole:
                raise DocumentError("it changed while it was fetched: the next run takes it")
            os.replace(name, self._copy)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name)

    def _pieces(self) -> Iterator[bytes]:
        """No more than was announced, and no slower than can be waited for."""
        until = monotonic() + _PATIENCE + self.size / _SLOWEST
        left = self.size
        with self.server.open(self._name) as content:
            while left > 0 and (piece := content.read(min(_PIECE, left))):
                left -= len(piece)
                yield piece
                if monotonic() > until:
                    raise DocumentError(
                        f"it can't be fetched: the server sent {self.size - left} bytes in too long a time"
                    )


def fetch_all(files: list[RemoteFile]) -> None:
    """Copy several of one server side by side; what fails fails again, with its reason, when it is asked for."""

    def fetch(file: RemoteFile) -> None:
        with suppress(DocumentError):
            file.fetch()

    with ThreadPoolExecutor(files[0].server.at_once, "fetch") as pool:
        list(pool.map(fetch, files))


def items(pipeline: Pipeline, cache: Path | None, file_mb: int) -> list[SourceItem]:
    """Everything on the server that the pipeline includes. Raises `PipelineError` when it can't be listed completely."""
    url = pipeline.source.url
    if url is None or cache is None:
        raise ValueError("a remote source needs a url, and a folder for its copies")
    server = Server(url, pipeline.source.options, f"{without_password(url)} of pipeline '{pipeline.name}'")
    key = hashlib.sha256(f"{pipeline.name}\0{without_password(url)}".encode()).hexdigest()[:20]
    listing = _Listing(pipeline, server, cache / key, file_mb)
    try:
        found = list(listing.files())
    except server.errors as error:
        raise PipelineError(
            f"{server.shown} can't be listed: {server.reason(error)}. Nothing was changed: check the address, the account "
            "and the server, and run it again"
        ) from error
    listing.prune()
    sidecars = Sidecars(set(listing.metadata_files), listing.read_metadata, trusted=pipeline.trust_metadata)
    return [sidecars.apply(item) for item in found]


class _Listing:
    def __init__(self, pipeline: Pipeline, server: Server, copies: Path, file_mb: int) -> None:
        self.metadata_files: dict[str, RemoteFile | None] = {}  # None: a folder or a link of that name
        self._pipeline = pipeline
        self._server = server
        self._copies = copies
        self._file_mb = file_mb
        self._names: set[str] = set()
        self._wanted: set[str] = set()

    def files(self) -> Iterator[SourceItem]:
        """Folder by folder: fsspec's own `walk` and `find` leave out a folder that fails, as if it were empty."""
        folders = [""]
        while folders:
            folder = folders.pop()
            for name, info in self._server.list(folder):
                path = composed(f"{folder}/{name}".lstrip("/"))
                whole = f"{folder}/{name}".lstrip("/")
                is_folder = info.get("type") == "directory"
                if (hidden(name) and not is_metadata_file(name)) or (is_folder and self._left_out(path)):
                    continue
                if name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
                    yield SourceItem(
                        printable(path), None, 0, 0, problem="its name is none: it leads to another folder"
                    )
                elif is_folder and not is_access_file(name):
                    folders.append(whole)
                elif is_metadata_file(name):
                    self.metadata_files[path] = self._remote(whole, info) if info.get("type") == "file" else None
                elif self._pipeline.includes(path):
                    yield self._item(path, whole, info)

    def read_metadata(self, path: str) -> bytes:
        """Raises `DocumentError`."""
        file = self.metadata_files[path]
        if file is None:
            raise DocumentError("it is no file, or a link, and those are not followed: copy it")
        if file.size > MAX_BYTES:
            return bytes(MAX_BYTES + 1)
        try:
            with file.fetch().open("rb") as content:
                return content.read(MAX_BYTES + 1)
        except OSError as error:
            raise DocumentError(f"it can't be read: {error.strerror or error}") from error
        except DocumentError as error:
            if not is_access_file(path.rpartition("/")[2]):
                raise
            raise PipelineError(  # as a folder that can't be listed: taking out all that is below it would be too much
                f"{self._server.shown}: the access file {path} can't be had ({error}). Nothing was changed: check the "
                "account and the server, and run it again"
            ) from error

    def prune(self) -> None:
        """Copies of versions that the server does not have any more are deleted."""
        for copy in self._copies.glob("*"):
            if self._wanted and copy.name not in self._wanted:
                copy.unlink(missing_ok=True)

    def _left_out(self, path: str) -> bool:
        return self._pipeline.excludes_whole_folders and self._pipeline.excludes(f"{path}/")

    def _item(self, path: str, whole: str, info: dict[str, Any]) -> SourceItem:
        if path != printable(path):
            return SourceItem(printable(path), None, 0, 0, problem="its name is not valid UTF-8: rename it")
        if path in self._names:
            return SourceItem(whole, None, 0, 0, problem=LOOKS_THE_SAME)
        self._names.add(path)
        if info.get("type") != "file":
            return SourceItem(
                path, None, 0, 0, problem="it is a link or another special file, and those are not followed"
            )
        size = int(info.get("size") or 0)
        item = SourceItem(path, self._copy(whole, info), size, _stamp(info), remote=self._remote(whole, info))
        if size > self._file_mb << 20:
            problem = f"it is larger than {self._file_mb} MB (ingest.limits.file_mb)"
            return replace(item, problem=problem, unreachable=True)
        return item

    def _remote(self, whole: str, info: dict[str, Any]) -> RemoteFile:
        return RemoteFile(self._server, whole, int(info.get("size") or 0), self._copy(whole, info))

    def _copy(self, whole: str, info: dict[str, Any]) -> Path:
        """A name of our own for each version; readers look at the ending."""
        version = json.dumps([whole, info.get("size"), _stamp(info)])
        ending = Path(whole).suffix.lower()
        ending = ending if ending[1:].isalnum() and len(ending) <= 10 else ""
        copy = self._copies / (hashlib.sha256(version.encode("utf-8", "surrogatepass")).hexdigest()[:40] + ending)
        self._wanted.add(copy.name)
        return copy


def _stamp(info: dict[str, Any]) -> int:
    """A number in the place of a file's time in nanoseconds: the second it was changed, and a hash of the server's tag.

    A server that gives neither is asked for the content at each run: -1 equals no time that was noted.
    """
    time = next((found for key in _TIMES if (found := info.get(key)) not in (None, "")), None)
    tag = next((str(found) for key in _TAGS if (found := info.get(key))), "")
    if time is None and not tag:
        return -1
    seconds = _seconds(time)
    mark = int.from_bytes(hashlib.sha256(f"{tag}\0{time}".encode()).digest()[:4])
    return storable(seconds * 1_000_000_000 + mark % 1_000_000_000)


def _seconds(time: object) -> int:
    with suppress(ValueError, OverflowError):  # "0001-01-01" is how some servers say that they do not know
        if isinstance(time, str):
            time = datetime.fromisoformat(time)
        if isinstance(time, datetime):
            return int(time.timestamp())
        if isinstance(time, int | float):
            return int(time)
    return 0
