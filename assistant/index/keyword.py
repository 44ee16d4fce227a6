"""BM25 over all chunks: one global index, memory-mapped, swapped in by an atomic rename.

Global, because a term's weight from a department's few chunks is not comparable with another's; who may see what is
a mask of class numbers, and passages without any of the question's words are dropped.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import IndexNotReady, StorageError
from assistant.index.catalog import Catalog
from assistant.index.words import rules

if TYPE_CHECKING:
    from assistant.index.keyword_retriever import KeywordRetriever

_SIZES, _RULES, _PARAMETERS = "sizes.json", "rules", "k1, b"


class KeywordIndex:
    """The index on disk: `<folder>/<name>/…` and `<folder>/CURRENT`, which names the one in force.

    A name is `<store>-<version>-<random>`: another database may have counted its changes up to the same version.
    """

    def __init__(self, folder: Path, catalog: Catalog, *, k1: float = 1.5, b: float = 0.75) -> None:
        self._folder = folder
        self._catalog = catalog
        self._k1, self._b = k1, b
        self._lock = threading.Lock()
        self._loaded: tuple[str, KeywordRetriever] | None = None

    def current(self) -> KeywordRetriever | None:
        """The index in force (another process may have swapped it), or None when there is none yet.

        Raises `IndexNotReady` when it can't be opened.
        """
        name = self._current_name()
        if name is None:
            return None
        loaded = self._loaded
        if loaded is None or loaded[0] != name:
            with self._lock:
                loaded = self._reloaded()
        return loaded[1] if loaded else None

    def refresh(self, *, anew: bool = False) -> bool:
        """Build if chunks, rules for words or parameters changed, or what is there is not whole; True if it was built.

        `anew` builds in any case, and without taking anything from the one before.
        """
        wanted = f"{self._catalog.store_id()}-{self._catalog.chunks_version()}-"
        name = self._current_name()
        if not anew and name is not None and name.startswith(wanted) and not self._problem_of(name):
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = {name or ""}  # for processes that are just opening it
        self._remove_old(kept)  # what killed runs left would fill the disk in the end
        try:
            built = Path(tempfile.mkdtemp(prefix=wanted, dir=self._folder))
            known = not anew and name is not None and self._sizes(name).get(_RULES) == rules()
            self._build(built, self._folder / name if name and known else None)
            pointer = built / "name"
            pointer.write_text(built.name)
            for file in (*built.iterdir(), built):
                _to_disk(file)  # or a power cut leaves a pointer to empty files
            os.replace(pointer, self._folder / "CURRENT")
            kept.add(built.name)
            _to_disk(self._folder)
        except OSError as error:
            raise StorageError(
                f"the word index can't be written to {self._folder}: {error.strerror or error}"
            ) from error
        finally:  # one that could not be finished goes away again
            self._remove_old(kept)
        return True

    def problem(self) -> str:
        """Why it must be built anew even if no passage changed: after an upgrade, a changed setting or damage; or ""."""
        name = self._current_name()
        return "" if name is None else self._problem_of(name)

    def _build(self, folder: Path, previous: Path | None) -> None:
        from assistant.index.keyword_build import build

        build(folder, self._catalog, previous, k1=self._k1, b=self._b)
        sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
        (folder / _SIZES).write_text(json.dumps({_RULES: rules(), _PARAMETERS: [self._k1, self._b], **sizes}))

    def _reloaded(self) -> tuple[str, KeywordRetriever] | None:
        """Opens what CURRENT names now; twice, because between reading and opening it may have been swapped away."""
        from assistant.index.keyword_build import DAMAGED
        from assistant.index.keyword_retriever import load

        for is_last in (False, True):
            name = self._current_name()
            if name is None:
                return None
            if self._loaded and self._loaded[0] == name:
                return self._loaded
            try:
                self._loaded = (name, load(self._folder / name))
            except DAMAGED as error:
                if is_last:
                    raise IndexNotReady("the word index is gone or damaged: run `assistant ingest`") from error
        return self._loaded

    def _problem_of(self, name: str) -> str:
        """By what was noted of it and the sizes of its files: opening it would cost seconds of imports at every run."""
        sizes = self._sizes(name)
        if not sizes:
            return "the word index is not whole"
        if sizes.pop(_RULES, "") != rules():
            return "the word index was cut into words by another version of the assistant"
        if sizes.pop(_PARAMETERS, None) != [self._k1, self._b]:
            return "the word index was made with other retrieval.bm25_k1 or bm25_b"
        try:
            is_whole = all((self._folder / name / file).stat().st_size == size for file, size in sizes.items())
        except (OSError, ValueError):
            is_whole = False
        return "" if is_whole else "the word index is not whole"

    def _sizes(self, name: str) -> dict[str, Any]:
        """Of its files, the rules by which its words were cut, and BM25's parameters; empty if that is not known."""
        try:
            return dict(json.loads((self._folder / name / _SIZES).read_text()))
        except (OSError, ValueError, TypeError):
            return {}

    def _current_name(self) -> str | None:
        try:
            return (self._folder / "CURRENT").read_bytes().decode(errors="replace").replace("\0", "") or None
        except FileNotFoundError:
            return None

    def _remove_old(self, keep: set[str]) -> None:
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder.name not in keep:
                shutil.rmtree(folder, ignore_errors=True)


def _to_disk(path: Path) -> None:
    """Waits until a file, or the list of a folder's files, has reached the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows can't open a folder
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
