"""BM25 over all chunks, opened: LlamaIndex's retriever over a memory-mapped bm25s index. Heavy to import."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.retrievers.bm25 import BM25Retriever
from numpy.typing import NDArray

from assistant.index.words import words

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
        found = np.flatnonzero(scores)
        if len(found) > k:
            found = np.sort(found[np.argpartition(scores[found], len(found) - k)[len(found) - k :]])
        best = found[np.argsort(-scores[found], kind="stable")]
        return {self.chunks[number].decode(): float(scores[number]) for number in best}

    def coverage(self, question: str, ids: Sequence[str]) -> dict[str, float]:
        """Chunk id → the share of the question's words that it has, weighted by their rarity; 0 to 1.

        Chunks that are not in this index are left out. Looked up where the words' chunks are listed: no text is read.
        """
        rarity = self.rarity(sorted(set(words(question))))
        rows, is_known = self._rows(ids)
        covered = np.zeros(len(rows))
        postings, offsets = self.bm25.scores["indices"], self.bm25.scores["indptr"]
        for token, weight in rarity.items():
            number = self.bm25.vocab_dict.get(token)
            if number is not None:
                having = postings[offsets[number] : offsets[number + 1]]
                covered += weight * _contains(having, rows)
        covered /= sum(rarity.values()) or 1.0
        return {key: float(share) for key, share, known in zip(ids, covered, is_known, strict=True) if known}

    def _rows(self, ids: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Places in `chunks`, which is sorted, and whether the chunk is there at all."""
        wanted = np.array([key.encode() for key in ids], dtype=np.bytes_)
        rows = np.searchsorted(self.chunks, wanted)
        return rows, self.chunks[np.minimum(rows, len(self.chunks) - 1)] == wanted

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


def _contains(having: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the rows are in `having`, which is sorted and not empty."""
    places = np.minimum(np.searchsorted(having, rows), len(having) - 1)
    found: NDArray[np.bool_] = having[places] == rows
    return found


def index_words(corpus: Iterable[list[str]]) -> bm25s.BM25:
    """A BM25 index (Lucene's variant, k1 1.5, b 0.75) over lists of words, by the library itself."""
    bm25 = bm25s.BM25()
    bm25.index(list(corpus) or [[""]], show_progress=False)
    return bm25


def load(folder: Path) -> KeywordRetriever:
    options: dict[str, Any] = {"mmap_mode": "r", "allow_pickle": False}
    chunks = np.load(folder / "chunks.npy", **options)
    classes = np.load(folder / "classes.npy", **options)
    bm25 = bm25s.BM25.load(str(folder), mmap=True, show_progress=False) if len(chunks) else index_words([])
    bm25.scores |= {name: np.asarray(bm25.scores[name]) for name in ("data", "indices", "indptr")}  # still mapped
    if len(chunks) != len(classes) or (len(chunks) and len(chunks) != bm25.scores["num_docs"]):
        raise ValueError(f"the files in {folder} are not of one index")
    store, version, _ = folder.name.split("-")
    return KeywordRetriever(bm25=bm25, chunks=chunks, classes=classes, store=store, version=int(version))
