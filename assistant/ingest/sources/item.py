"""One item of a source, as its scan sees it."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import DocumentError

if TYPE_CHECKING:
    from llama_index.core.schema import Document

    from assistant.ingest.access_rules import Said
    from assistant.ingest.sources.remote import RemoteFile


MAX_PATH = 2000  # characters that the catalog has room for
LOOKS_THE_SAME = "another file's name looks the same (it is in another Unicode form): rename one of them"
_TIMES = 2**63 - 1


@dataclass(frozen=True)
class SourceItem:
    """One file, or one item of a reader."""

    path: str
    location: Path | None  # the file; of a remote one the copy, which `local_file` fetches; None for what was loaded
    size: int
    mtime_ns: int
    problem: str | None = None
    unreachable: bool = False  # the problem may pass: an earlier version stays
    documents: list[Document] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)  # of the metadata files that speak of it
    access: tuple[Said, ...] = ()  # what access files say of it, the outermost first
    target: Path | None = None  # of a link: the file itself
    remote: RemoteFile | None = None

    def local_file(self) -> Path | None:
        """Where it can be read; a remote one is fetched first. None for what a reader has loaded. Raises `DocumentError`."""
        if self.remote is not None:
            return self.remote.fetch()
        if self.location is None:
            return None
        file = self.target or self.location
        # between scan and reading somebody may have put a link in the place of the file or of a folder above it
        if os.path.realpath(file) != str(file):
            raise DocumentError("it became a link while the source was read: the next run looks at it anew")
        return file

    def changed_meanwhile(self) -> bool:
        """Whether a local file is not the one that was scanned any more; a copy of a remote one never changes."""
        if self.location is None or self.remote is not None:
            return False
        try:
            stat = self.location.stat()
        except OSError:
            return True
        return (stat.st_size, time_of(stat)) != (self.size, self.mtime_ns)

    def sha256(self) -> str:
        """Of the content. Raises `DocumentError` when the file can't be read or fetched."""
        if self.location is None:
            texts = [document.get_content() for document in self.documents]
            return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
        try:
            file = self.local_file() or self.location
            with file.open("rb") as content:
                return hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise DocumentError(f"it can't be read: {error.strerror or error}") from error


def time_of(stat: os.stat_result) -> int:
    """When the file was changed, in nanoseconds."""
    return storable(stat.st_mtime_ns)


def storable(time_ns: int) -> int:
    """A time as far as the catalog has room for it: from the year 1678 to 2262."""
    return max(-_TIMES, min(time_ns, _TIMES))


def composed(path: str) -> str:
    """In Unicode's composed form: macOS and some shares give the other one."""
    return path if unicodedata.is_normalized("NFC", path) else unicodedata.normalize("NFC", path)


def clean(text: str) -> str:
    """Without NUL and lone surrogates, which databases and JSON refuse; in Unicode's composed form, as paths are."""
    text = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFC", text).strip()


def printable(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def hidden(name: str) -> bool:
    """Files and folders that begin with a dot are no documents: rubbish bins, snapshots, version control, our metadata."""
    return name.startswith(".")
