"""A file that somebody sends into a source's folder: what it may be called, and writing it there whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import threading
import time
import unicodedata
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO

from assistant.errors import AssistantError
from assistant.ingest.sources.item import composed, hidden
from assistant.ingest.sources.sidecars import is_metadata_file

_SENTENCES = {
    "nothing": "no file was sent: choose at least one",
    "form": "the request is not a form with files (multipart/form-data)",
    "too_large": "'{name}' is larger than {mb} MB (ingest.limits.file_mb)",
    "too_much": "too much was sent at once: send fewer files",
    "no_place": "there is no such folder in a source, or you may not read what is in it",
    "own_class": "documents of this source name their department themselves: put files into its folder directly",
    "no_name": "a file needs a name",
    "unprintable": "the file's name has invisible characters: rename it",
    "reserved": "'{name}' is no name for a document: rename it",
    "long_name": "'{name}' is too long a name: {bytes} bytes, at most 255 (a Cyrillic letter takes two)",
    "extension": "'{name}' can't be read; this source takes {extensions}",
    "excluded": "'{name}': the source's rules leave this name out (include, exclude)",
    "exists": "'{name}' is in this folder already: rename it, or tick “replace”",
    "not_replaced": "'{name}' is in this folder already, and it is not yours to replace: rename it",
    "not_written": "the source's folder can't be written: {reason}",
}
_STATUS = {"too_large": 413, "too_much": 413, "no_place": 404, "own_class": 403, "exists": 409, "not_replaced": 409}
_STATUS |= {"not_written": 503}
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # sources are often Windows shares
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_PREFIX, _SUFFIX = ".upload-", ".tmp"  # a hidden name: no scan takes it for a document
_LEFT_SECONDS = 3600.0
_placing = threading.Lock()


class UploadRefused(AssistantError):
    """Why a file is not taken; `kind` and `values` are for saying it in another language."""

    kind: str = ""
    values: Mapping[str, object] = MappingProxyType({})


def refusal(kind: str, **values: object) -> UploadRefused:
    """The error with its sentence and status."""
    error = UploadRefused(_SENTENCES[kind].format(**values))
    error.kind, error.values, error.http_status = kind, values, _STATUS.get(kind, 422)
    return error


def file_name(sent: str) -> str:
    """The name to store a file under: without the folders that some programs send along. Raises `UploadRefused`."""
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", sent)[-1]).strip()
    if any(unicodedata.category(letter) in _INVISIBLE for letter in sent):
        raise refusal("unprintable")
    if name in ("", ".", ".."):
        raise refusal("no_name")
    if (size := len(name.encode())) > 255:
        raise refusal("long_name", name=f"{name[:40]}…", bytes=size)
    if hidden(name) or name.startswith("~$") or is_metadata_file(name) or _DEVICES.fullmatch(name):
        raise refusal("reserved", name=name)
    return name


def store(root: Path, folder: str, name: str, content: IO[bytes], *, replace: bool) -> None:
    """Write the content as `name` into `folder` below `root`: it appears there whole. Raises `UploadRefused`.

    Folders are opened one by one and never through a link, so nothing outside the source can be written.
    """
    temporary = f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
    with ExitStack() as opened:
        try:
            place = _open_folder(root, folder, opened)
        except OSError as error:
            raise refusal("no_place") from error
        try:
            _target(place, name, replace=replace)  # before anything is written
            _sweep(place)
            opened.callback(_discard, temporary, place)
            _write(content, temporary, place)
            with _placing:  # two uploads of one name: the second one finds the first
                target = _target(place, name, replace=replace)
                os.replace(temporary, target, src_dir_fd=place, dst_dir_fd=place)
        except OSError as error:
            raise refusal("not_written", reason=error.strerror or error) from error


def _open_folder(root: Path, folder: str, opened: ExitStack) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    place = os.open(root, flags)
    opened.callback(os.close, place)
    for part in folder.split("/") if folder else []:
        found = _entry(place, part)
        if found is None or hidden(part):
            raise FileNotFoundError
        place = os.open(found.name, flags, dir_fd=place)
        opened.callback(os.close, place)
    return place


def _target(place: int, name: str, *, replace: bool) -> str:
    """The name as it is written there: an existing file may have it in another Unicode form."""
    found = _entry(place, name)
    if found is None:
        return name
    if not replace:
        raise refusal("exists", name=name)
    if not found.is_file(follow_symlinks=False):
        raise refusal("not_replaced", name=name)
    return found.name


def _entry(place: int, name: str) -> os.DirEntry[str] | None:
    with os.scandir(place) as entries:
        return next((entry for entry in entries if composed(entry.name) == name), None)


def _write(content: IO[bytes], name: str, place: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(name, flags, 0o666, dir_fd=place), "wb") as file:
        content.seek(0)
        shutil.copyfileobj(content, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())


def _sweep(place: int) -> None:
    """What a killed server left of an upload."""
    with os.scandir(place) as entries:
        left = [entry.name for entry in entries if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)]
    for name in left:
        with suppress(FileNotFoundError):
            found = os.stat(name, dir_fd=place, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and time.time() - found.st_mtime > _LEFT_SECONDS:
                _discard(name, place)


def _discard(name: str, place: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=place)
