"""`assistant models pull`: a model's files into storage/models/NAME, which appears when all of them are there and right."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from assistant.errors import ConfigError, ModelUnavailable, StorageError
from assistant.models.conversion import safe_name, to_safetensors
from assistant.models.sources import RemoteFile, Source, source_of
from assistant.parts.model_files import ModelFiles, is_hub_name, needs_own_code, pickled_only, pulled_folder

Progress = Callable[[str, int, int], None]
"""Name of a file, bytes that are there, bytes it has."""

NEEDED = (".json", ".txt", ".model", ".safetensors", ".md", ".jinja")
OTHER_RUNTIMES = {"onnx", "openvino", "coreml", "flax", "tf", "gguf", "imgs"}
ORIGIN = ".pulled.json"  # hidden: it does not make the model another one
_ATTEMPTS = 5  # in a row without a byte
_PIECE = 1 << 20


@dataclass(frozen=True)
class Pulled:
    """The model as it lies there now."""

    files: ModelFiles
    revision: str
    notes: tuple[str, ...] = ()


def pull(
    name: str,
    storage: Path,
    *,
    origin: str | None = None,
    revision: str | None = None,
    convert: bool = False,
    progress: Progress | None = None,
) -> Pulled:
    """Fetch a model; what an earlier run left is gone on with. Raises `ConfigError`, `NotFound`, `ModelUnavailable`.

    `convert` rewrites weights that there are as a pickle only.
    """
    from filelock import FileLock, Timeout

    if not is_hub_name(name):
        raise ConfigError(f"'{name}' is no model's name such as BAAI/bge-m3; where it comes from is said by --from")
    source = source_of(name, origin, revision)
    target = pulled_folder(name, storage)
    partial = target.parents[len(PurePosixPath(name).parts) - 1] / ".partial" / name.replace("/", "--")
    partial.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(partial.with_name(f"{partial.name}.lock"), timeout=0):
            notes = _fill(partial, source, convert=convert, progress=progress)
            _put(partial, target)
    except Timeout as error:
        raise ConfigError(f"'{name}' is being pulled by another process: wait for it") from error
    except source.errors as error:
        raise source.explained(error) from error
    return Pulled(ModelFiles(target, "pulled"), source.revision, notes)


def choose(files: Sequence[RemoteFile], *, convert: bool) -> list[RemoteFile]:
    """What is needed to load it, small files first. Raises `ConfigError` when that can't be had, or not without a pickle."""
    if unsafe := [file.name for file in files if not _stays_inside(file.name)]:
        raise ConfigError(f"a file is called {unsafe[0]!r}, which leads out of the model's folder: nothing was fetched")
    files = [file for file in files if not _is_foreign(file.name)]
    pickled = pickled_only(file.name for file in files)
    if pickled and not convert:
        raise ConfigError(
            f"{pickled[0]} is a pickle and there is no safetensors file in its place; a pickle can run code. If you trust "
            "where it comes from, --convert reads its weights (weights only) and keeps them as safetensors"
        )
    wanted = [file for file in files if file.name.endswith(NEEDED) or "LICENSE" in file.name or file.name in pickled]
    if not any(file.name in pickled or file.name.endswith(".safetensors") for file in wanted):
        raise ConfigError("it holds no weights (*.safetensors): is it a model, and the right folder?")
    return sorted(wanted, key=lambda file: (file.size, file.name))


def _is_foreign(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") for part in parts) or bool(OTHER_RUNTIMES & set(parts[:-1]))


def _stays_inside(name: str) -> bool:
    return bool(name) and not any(part in ("", ".", "..") for part in name.split("/")) and not set("\\\0:") & set(name)


def _fill(partial: Path, source: Source, *, convert: bool, progress: Progress | None) -> tuple[str, ...]:
    files = choose(source.files(), convert=convert)
    wanted = {file.name: [file.size, file.digest] for file in files}
    origin: dict[str, object] = {"source": source.shown, "revision": source.revision, "files": wanted}
    _forget_others(partial, origin)
    missing = sum(file.size for file in files) - sum(f.stat().st_size for f in partial.rglob("*") if f.is_file())
    if (free := shutil.disk_usage(partial).free) < missing:
        raise StorageError(f"it needs {missing >> 20} MB, and {partial} has {free >> 20} MB: free some disk space")
    pickled = pickled_only(wanted)
    for file in files:
        if file.name not in pickled or not safe_name(partial / file.name).is_file():
            _fetch(partial, source, file, progress)
    for name in pickled:
        to_safetensors(partial / name)
    if problem := ModelFiles(partial, "pulled").problem:
        shutil.rmtree(partial)
        raise ModelUnavailable(f"what {source.shown} has can't be used: {problem}. Nothing was kept")
    return ("it may want code of its author to be run, which is not done",) if needs_own_code(partial) else ()


def _forget_others(partial: Path, origin: dict[str, object]) -> None:
    """Pieces of another revision, or from another place, must not get into this one."""
    note = partial / ORIGIN
    if not note.is_file() or note.read_text("utf-8") != json.dumps(origin):
        shutil.rmtree(partial)
        partial.mkdir()
        note.write_text(json.dumps(origin), "utf-8")


def _fetch(partial: Path, source: Source, file: RemoteFile, progress: Progress | None) -> None:
    """One file, under another name until it is whole and right."""
    whole, part = partial / file.name, partial / f"{file.name}.part"
    if whole.is_file():
        return
    whole.parent.mkdir(parents=True, exist_ok=True)
    attempts = 0
    with part.open("ab") as content:
        while (there := content.tell()) < file.size:
            try:
                with source.open(file.name, there) as pieces:
                    for piece in pieces:
                        _append(content, piece)
                        if progress:
                            progress(file.name, content.tell(), file.size)
            except source.errors as error:
                attempts = attempts + 1 if content.tell() == there else 0
                if not _may_pass(error) or attempts == _ATTEMPTS:
                    raise
                time.sleep(attempts)
                continue
            if content.tell() == there:
                break
        os.fsync(content.fileno())
    if reason := _wrong(part, file):
        part.unlink()
        raise ModelUnavailable(f"{file.name} from {source.shown} is not what it should be ({reason}): run it again")
    os.replace(part, whole)


def _append(content: IO[bytes], piece: bytes) -> None:
    """A full disk is no trouble of the source's."""
    try:
        content.write(piece)
        content.flush()
    except OSError as error:
        raise StorageError(
            f"{content.name} can't be written ({error.strerror}): make room, and run it again"
        ) from error


def _may_pass(error: Exception) -> bool:
    """Whether the connection broke: an answer that says no would say it again."""
    import httpx2

    return isinstance(error, httpx2.TransportError)


def _wrong(part: Path, file: RemoteFile) -> str:
    if (size := part.stat().st_size) != file.size:
        return f"{size} bytes, not {file.size}"
    if not file.digest:
        return ""
    digest = hashlib.sha256() if len(file.digest) == 64 else hashlib.sha1(f"blob {file.size}\0".encode())  # noqa: S324
    with part.open("rb") as content:
        while piece := content.read(_PIECE):
            digest.update(piece)
    return "" if digest.hexdigest() == file.digest else "its hash differs"


def _put(partial: Path, target: Path) -> None:
    """In the place of an older one, which goes when the new one is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    old = partial.with_name(f"{partial.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(partial, target)
    shutil.rmtree(old, ignore_errors=True)
