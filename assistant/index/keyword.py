"""BM25 over all chunks: one global index, memory-mapped, swapped in by an atomic rename.

Global, because a term's weight from a department's few chunks is not comparable with another's; who may see what is
a mask of class numbers, and passages without any of the question's words are dropped.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.retrievers.bm25 import BM25Retriever
from numpy.typing import NDArray

from assistant.errors import IndexNotReady
from assistant.index.catalog import Catalog
from assistant.index.words import words

# What opening a folder that is gone, cut short or of other content raises.
_DAMAGED = (OSError, ValueError, EOFError, LookupError, TypeError, AttributeError)
Scores = NDArray[np.float32]
logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets DEBUG for itself when it is imported


class KeywordRetriever(BM25Retriever):
    """LlamaIndex's BM25 retriever over an index that is shared by all who ask.

    Subclassed because the stock one stems English only, pads its results with passages outside the filter at score 0,
    and turns its mask from a list into an array at every query.
    """

    def __init__(
        self, *, bm25: bm25s.BM25, chunks: NDArray[np.bytes_], classes: NDArray[np.int32], store: str, version: int
    ) -> None:
        super().__init__(existing_bm25=bm25, similarity_top_k=1, callback_manager=CallbackManager([]))
        self.chunks = chunks
        self.classes = classes
        self.store = store
        self.version = version
        self._masks: dict[frozenset[int], NDArray[np.bool_]] = {}

    def scores(self, question: str, class_ids: frozenset[int]) -> Scores:
        """BM25 score of every chunk, in the order of `chunks`; 0 outside the permitted classes."""
        found = self.bm25.get_tokens_ids(words(question))
        if not found or not class_ids:
            return np.zeros(len(self.chunks), dtype=np.float32)
        scores: Scores = self.bm25.get_scores_from_ids(found)
        scores *= self._mask(class_ids)
        return scores

    def search(self, question: str, class_ids: frozenset[int], k: int) -> dict[str, float]:
        """The best `k` permitted chunks that share a word with the question: chunk id → score, best first."""
        scores = self.scores(question, class_ids)
        k = min(k, len(scores))
        best = np.argpartition(-scores, k - 1)[:k] if k else np.array([], dtype=np.int64)
        best = best[np.argsort(-scores[best], kind="stable")]
        return {self.chunks[number].decode(): float(scores[number]) for number in best if scores[number] > 0}

    def rarity(self, tokens: Sequence[str]) -> dict[str, float]:
        """Inverse document frequency of each word (Robertson-Spärck Jones, as Lucene has it)."""
        offsets, total = self.bm25.scores["indptr"], len(self.chunks)
        counts = {}
        for token in tokens:
            number = self.bm25.vocab_dict.get(token)
            counts[token] = 0 if number is None else int(offsets[number + 1] - offsets[number])
        return {token: float(np.log(1 + (total - n + 0.5) / (n + 0.5))) for token, n in counts.items()}

    def _mask(self, class_ids: frozenset[int]) -> NDArray[np.bool_]:
        mask = self._masks.get(class_ids)
        if mask is None:
            mask = np.isin(self.classes, list(class_ids))
            if len(self._masks) > 256:
                self._masks.clear()
            self._masks[class_ids] = mask
        return mask

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        raise PermissionError("ask with the access classes of a principal: KeywordRetriever.search")


class KeywordIndex:
    """The index on disk: `<folder>/<name>/…` and `<folder>/CURRENT`, which names the one in force.

    A name is `<store>-<version>-<random>`: another database may have counted its changes up to the same version.
    """

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        self._folder = folder
        self._catalog = catalog
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

    def refresh(self) -> bool:
        """Build anew if the chunk table changed since, or what is there can't be opened; True if it was built."""
        wanted = f"{self._catalog.store_id()}-{self._catalog.chunks_version()}-"
        name = self._current_name()
        if name is not None and name.startswith(wanted) and self._opens(name):
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        built = Path(tempfile.mkdtemp(prefix=wanted, dir=self._folder))
        _build(built, self._catalog)
        pointer = built / "name"
        pointer.write_text(built.name)
        for file in (*built.iterdir(), built):
            _to_disk(file)  # or a power cut leaves a pointer to empty files
        os.replace(pointer, self._folder / "CURRENT")
        _to_disk(self._folder)
        self._remove_old(keep={built.name, name or ""})
        return True

    def _reloaded(self) -> tuple[str, KeywordRetriever] | None:
        """Opens what CURRENT names now; twice, because between reading and opening it may have been swapped away."""
        for is_last in (False, True):
            name = self._current_name()
            if name is None:
                return None
            if self._loaded and self._loaded[0] == name:
                return self._loaded
            try:
                self._loaded = (name, _load(self._folder / name))
            except _DAMAGED as error:
                if is_last:
                    raise IndexNotReady("the word index is gone or damaged: run `assistant ingest`") from error
        return self._loaded

    def _opens(self, name: str) -> bool:
        try:
            _load(self._folder / name)
        except _DAMAGED:
            return False
        return True

    def _current_name(self) -> str | None:
        try:
            return (self._folder / "CURRENT").read_bytes().decode(errors="replace").replace("\0", "") or None
        except FileNotFoundError:
            return None

    def _remove_old(self, keep: set[str]) -> None:
        """The one before stays for processes that are just opening it."""
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder.name not in keep:
                shutil.rmtree(folder, ignore_errors=True)


def _build(folder: Path, catalog: Catalog) -> None:
    ids: list[str] = []
    classes: list[int] = []
    corpus: list[list[str]] = []
    for passage in catalog.all_passages():
        ids.append(passage.chunk)
        classes.append(passage.class_id)
        corpus.append(words(passage.indexed_text))
    np.save(folder / "chunks.npy", np.array([key.encode() for key in ids], dtype=np.bytes_))
    np.save(folder / "classes.npy", np.array(classes, dtype=np.int32))
    if ids:
        bm25 = index_words(corpus)
        bm25.save(str(folder), corpus=None, show_progress=False)


def index_words(corpus: Iterable[list[str]]) -> bm25s.BM25:
    """A BM25 index (Lucene's variant, k1 1.5, b 0.75) over lists of words."""
    bm25 = bm25s.BM25()
    bm25.index(list(corpus) or [[""]], show_progress=False)
    return bm25


def _load(folder: Path) -> KeywordRetriever:
    options: dict[str, Any] = {"mmap_mode": "r", "allow_pickle": False}
    chunks = np.load(folder / "chunks.npy", **options)
    classes = np.load(folder / "classes.npy", **options)
    bm25 = bm25s.BM25.load(str(folder), mmap=True, show_progress=False) if len(chunks) else index_words([])
    if len(chunks) != len(classes) or (len(chunks) and len(chunks) != bm25.scores["num_docs"]):
        raise ValueError(f"the files in {folder} are not of one index")
    store, version, _ = folder.name.split("-")
    return KeywordRetriever(bm25=bm25, chunks=chunks, classes=classes, store=store, version=int(version))


def _to_disk(path: Path) -> None:
    """Waits until a file, or the list of a folder's files, has reached the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows can't open a folder
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
