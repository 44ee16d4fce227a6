"""Where a model's files lie on this machine, and whether all of them are there. Nothing is downloaded here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from assistant import resources
from assistant.errors import ConfigError

Place = Literal["pulled", "bundled", "folder", "hub cache"]

PULLED = "models"  # the folder below storage.path
PICKLED = "pytorch_model*.bin"  # what PyTorch called weights before safetensors
_HEADER = 100_000_000  # bytes; what safetensors itself takes at most


@dataclass(frozen=True)
class ModelFiles:
    """A model's folder, and how it came there."""

    folder: Path
    place: Place

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.stat().st_size for file in files_of(self.folder))

    @property
    def kind(self) -> str:
        return kind_of(self.folder)

    @property
    def problem(self) -> str:
        """Why it can't be used, in a few words; "" for a complete one."""
        return problem_of(self.folder)


def find(name: str, storage: Path) -> ModelFiles | None:
    """A pulled model first, then a folder of that name (the bundled model is one), then the hub's local cache."""
    if is_hub_name(name) and (pulled := pulled_folder(name, storage)).is_dir():
        return ModelFiles(pulled, "pulled")
    if (folder := resources.locate(name)) is not None and folder.is_dir():
        own = resources.PACKAGE.parent / "data" / "models"
        is_bundled = resources.is_shipped(folder) or folder.resolve().is_relative_to(own)
        return ModelFiles(folder, "bundled" if is_bundled else "folder")
    if (cached := cached_folder(name)) is not None:
        return ModelFiles(cached, "hub cache")
    return None


def pulled_or(name: str, storage: Path) -> str:
    """The folder of a pulled model, or the name itself: what loaders and `identity` are to be given."""
    found = find(name, storage)
    return str(found.folder) if found is not None and found.place == "pulled" else name


def pulled_folder(name: str, storage: Path) -> Path:
    return storage.expanduser().resolve() / PULLED / name


def is_hub_name(name: str) -> bool:
    """`model` or `owner/model`, without a way out of the folder that it is to lie in."""
    parts = name.split("/")
    return len(parts) <= 2 and all(
        part and not part.startswith(".") and all(letter.isalnum() or letter in "._-" for letter in part)
        for part in parts
    )


def loadable(name: str, setting: str) -> Path:
    """The folder a loader takes. Raises `ConfigError` that says what is missing and what to do."""
    folder = resources.locate(name)
    if folder is None or not folder.is_dir():
        folder = cached_folder(name)
    if folder is None:
        pull = f"run `assistant models pull {name}`, or " if is_hub_name(name) else ""
        raise ConfigError(f"{setting} '{name}' is not on this machine: {pull}give a folder that holds it")
    if problem := problem_of(folder):
        raise ConfigError(f"{setting} '{name}' can't be loaded: in {folder} {problem}; give a folder that holds it")
    return folder


# --- the hub's local cache


def cached_folder(name: str) -> Path | None:
    """The snapshot that a local hub cache has of a model's main revision."""
    for repository in _cached(name):
        with suppress(OSError, ValueError):
            snapshot = repository / "snapshots" / (repository / "refs" / "main").read_text("ascii").strip()
            if snapshot.is_dir():
                return snapshot
    return None


def cached_revision(name: str) -> str:
    """The commit that a local hub cache has of a model; "" when it has none."""
    for repository in _cached(name):
        with suppress(OSError, ValueError):
            return (repository / "refs" / "main").read_text("ascii").strip()
    return ""


def _cached(name: str) -> Iterator[Path]:
    home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    caches = [os.environ.get("LLAMA_INDEX_CACHE_DIR"), os.environ.get("HF_HUB_CACHE"), str(home / "hub")]
    names = [name] if "/" in name else [name, f"sentence-transformers/{name}"]
    for cache in filter(None, caches):
        for whole in names:
            yield Path(cache).expanduser() / f"models--{whole.replace('/', '--')}"


# --- what a folder holds


def files_of(folder: Path) -> list[Path]:
    """The files that make the model, sorted; cards and hidden files (ours, Git's) do not."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix != ".md"
        and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )


def kind_of(folder: Path) -> str:
    """embedding, reranker or other, as its own configuration says."""
    if (folder / "modules.json").is_file():
        return "embedding"
    architectures = _json(folder / "config.json").get("architectures") or []
    return "reranker" if any("SequenceClassification" in str(name) for name in architectures) else "other"


def problem_of(folder: Path) -> str:
    """What is missing or broken, or can't be run; "" for a model that has all its parts."""
    try:
        return _missing(folder) or _broken_weights(folder)
    except (OSError, ValueError) as error:
        return f"a file can't be read ({error})"


def pickled_only(names: Iterable[str]) -> list[str]:
    """Weights that there are as a pickle and not as safetensors, of the names of a model's files."""
    names = list(names)
    has_safe = {PurePosixPath(name).parent for name in names if name.endswith(".safetensors")}
    pickled = [name for name in names if fnmatch(PurePosixPath(name).name, PICKLED)]
    return sorted(name for name in pickled if PurePosixPath(name).parent not in has_safe)


def needs_own_code(folder: Path) -> bool:
    """Whether the model may want Python files of its author to be run, which is not done."""
    modules = _json(folder / "modules.json")
    foreign = [m for m in modules if not str(m.get("type", "")).startswith("sentence_transformers.")]
    return bool(foreign or _json(folder / "config.json").get("auto_map"))


def _missing(folder: Path) -> str:
    configured = (folder / "modules.json", folder / "config.json")
    if not any(file.is_file() for file in configured):
        return "config.json is missing"
    if not _tokenizer(folder):
        return "the tokenizer's files are missing"
    for index in folder.rglob("*.safetensors.index.json"):
        for shard in sorted(set(_json(index).get("weight_map", {}).values())):
            if not (index.parent / str(shard)).is_file():
                return f"{shard} is missing"
    if pickled := pickled_only(file.relative_to(folder).as_posix() for file in files_of(folder)):
        return f"{pickled[0]} is a pickle, which is not loaded (`assistant models pull --from FOLDER --convert`)"
    return "" if any(folder.rglob("*.safetensors")) else "the weights (*.safetensors) are missing"


def _tokenizer(folder: Path) -> bool:
    names = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "vocab.json")
    return any(any(folder.rglob(name)) for name in names)


def _broken_weights(folder: Path) -> str:
    """A safetensors file says at its head how long it is."""
    for file in sorted(folder.rglob("*.safetensors")):
        size = file.stat().st_size
        with file.open("rb") as content:
            head = int.from_bytes(content.read(8), "little")
            if size < 8 or head > min(size, _HEADER):
                return f"{file.name} is cut off or no safetensors file"
            tensors = json.loads(content.read(head))
        end = max((t["data_offsets"][1] for name, t in tensors.items() if name != "__metadata__"), default=0)
        if 8 + head + end != size:
            return f"{file.name} has {size} bytes, not {8 + head + end}"
    return ""


def _json(file: Path) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(file.read_text("utf-8")) if file.is_file() else {}
