"""BM25 over all chunks, opened: LlamaIndex's retriever over a memory-mapped bm25s index. Heavy to import."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.retrievers.bm25 import BM25Retriever
from numpy.typing import NDArray

from assistant.index.catalog import Passage
from assistant.index.evidence import Evidence, evidence, words_of_head
from assistant.index.spelling import Vocabulary, by_letter
from assistant.index.terms import Term
from assistant.index.words import words

Scores = NDArray[np.float32]
logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets DEBUG for itself when it is imported


class KeywordRetriever(BM25Retriever):
    """LlamaIndex's BM25 retriever over an index that is shared by all who ask.

    Subclassed because the stock one stems English only, pads its results with passages outside the filter at score 0,
    and turns its mask from a list into an array at every query.
    """

    def __init__(
        self,
        *,
        bm25: bm25s.BM25,
        chunks: NDArray[np.bytes_],
        classes: NDArray[np.int32],
        tokens: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        store: str,
        version: int,
    ) -> None:
        super().__init__(existing_bm25=bm25, similarity_top_k=1, callback_manager=CallbackManager([]))
        self._spellings = by_letter(bm25.vocab_dict)
        self._names = list(bm25.vocab_dict)  # in the order of their numbers
        self._tokens = tokens
        self._offsets = offsets
        self.chunks = chunks
        self.classes = classes
        self.store = store
        self.version = version
        self._masks: dict[frozenset[int], NDArray[np.bool_]] = {}

    def scores(self, asked: Sequence[str], class_ids: frozenset[int]) -> Scores:
        """BM25 score of every chunk for those words, in the order of `chunks`; 0 outside the permitted classes."""
        found = self.bm25.get_tokens_ids(list(asked))
        if not found or not class_ids:
            return np.zeros(len(self.chunks), dtype=np.float32)
        scores: Scores = self.bm25.get_scores_from_ids(found)
        scores *= self._mask(class_ids)
        return scores

    def search(self, asked: Sequence[str], class_ids: frozenset[int], k: int) -> dict[str, float]:
        """The best `k` permitted chunks that have one of the words: chunk id → score, best first."""
        scores = self.scores(asked, class_ids)
        found = np.flatnonzero(scores)
        if len(found) > k:
            found = np.sort(found[np.argpartition(scores[found], len(found) - k)[len(found) - k :]])
        best = found[np.argsort(-scores[found], kind="stable")]
        return {self.chunks[number].decode(): float(scores[number]) for number in best}

    def vocabulary(self, class_ids: frozenset[int]) -> Vocabulary:
        """The words of the passages of those classes."""
        mask = self._mask(class_ids)
        return Vocabulary(
            numbers=self.bm25.vocab_dict,
            count=self._having,
            rarity_of=self._rarity,
            is_visible=lambda word: bool(mask[self._postings(word)].any()),
            by_letter=self._spellings,
        )

    def evidence(self, terms: Sequence[Term], passages: Mapping[str, Passage]) -> dict[str, Evidence]:
        """What else speaks for each passage; one that this index does not have yet is cut into words here."""
        rows, is_known = self._rows(list(passages))
        numbers = self.bm25.vocab_dict
        cut = [
            self._tokens[self._offsets[row] : self._offsets[row + 1]]
            if known
            else np.array([numbers.get(word, -1) for word in words(passage.indexed_text)], dtype=np.int64)
            for row, known, passage in zip(rows, is_known, passages.values(), strict=True)
        ]
        titles = [passage.title for passage in passages.values()]
        return dict(zip(passages, evidence(terms, numbers, self.rarity, cut, titles), strict=True))

    def words_of(self, passage: Passage) -> frozenset[str]:
        """The words of its text, without those of its title and section; not cut again if this index has it."""
        (row,), (is_known,) = self._rows([passage.chunk])
        if not is_known:
            return frozenset(words(passage.text))
        start = self._offsets[row] + len(words_of_head(passage.title)) + len(words_of_head(passage.section))
        numbers = np.unique(self._tokens[start : self._offsets[row + 1]])
        return frozenset(map(self._names.__getitem__, numbers.tolist()))

    def rarity(self, tokens: Sequence[str]) -> dict[str, float]:
        """Inverse document frequency of each word (Robertson-Spärck Jones, as Lucene has it)."""
        return {token: self._rarity(self._having(token)) for token in tokens}

    def _having(self, word: str) -> int:
        """How many chunks have it."""
        return len(self._postings(word))

    def _postings(self, word: str) -> NDArray[np.integer]:
        """The rows of the chunks that have it."""
        number = self.bm25.vocab_dict.get(word)
        if number is None:
            return np.array([], dtype=np.int64)
        start, end = self.bm25.scores["indptr"][number : number + 2]
        postings: NDArray[np.integer] = self.bm25.scores["indices"][start:end]
        return postings

    def _rarity(self, having: int) -> float:
        return math.log(1 + (len(self.chunks) - having + 0.5) / (having + 0.5))

    def _rows(self, ids: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Places in `chunks`, which is sorted, and whether the chunk is there at all."""
        wanted = np.array([key.encode() for key in ids], dtype=np.bytes_)
        rows = np.searchsorted(self.chunks, wanted)
        return rows, self.chunks[np.minimum(rows, len(self.chunks) - 1)] == wanted

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


def index_words(corpus: Iterable[list[str]]) -> bm25s.BM25:
    """A BM25 index (Lucene's variant, k1 1.5, b 0.75) over lists of words, by the library itself."""
    bm25 = bm25s.BM25()
    bm25.index(list(corpus) or [[""]], show_progress=False)
    return bm25


def _mapped(file: Path) -> NDArray[Any]:
    """Still mapped, but a plain array: each piece of numpy's own class for it costs ten times as much to cut."""
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def load(folder: Path) -> KeywordRetriever:
    chunks, classes, tokens, offsets = (
        _mapped(folder / f"{name}.npy") for name in ("chunks", "classes", "tokens", "offsets")
    )
    bm25 = bm25s.BM25.load(str(folder), mmap=True, show_progress=False) if len(chunks) else index_words([])
    bm25.scores |= {name: np.asarray(bm25.scores[name]) for name in ("data", "indices", "indptr")}  # still mapped
    if len(chunks) != len(classes) or (len(chunks) and len(chunks) != bm25.scores["num_docs"]):
        raise ValueError(f"the files in {folder} are not of one index")
    if len(offsets) != len(chunks) + 1 or offsets[-1] != len(tokens):
        raise ValueError(f"the words in {folder} are not of its chunks")
    store, version, _ = folder.name.split("-")
    return KeywordRetriever(
        bm25=bm25,
        chunks=chunks,
        classes=classes,
        tokens=tokens,
        offsets=offsets,
        store=store,
        version=int(version),
    )
