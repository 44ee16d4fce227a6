"""The BM25 index written: from the chunk table, and from the index before, whose words are not cut again.

An index is columns sorted by word, then by chunk: chunk, frequency, score. Chunks are sorted by id, so what stays of
the index before keeps its order, and a change is merged in. No step runs Python for each passage that did not change.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import bm25s
import numpy as np
from numpy.typing import NDArray

from assistant.index.catalog import Catalog
from assistant.index.words import words

# What opening a folder that is gone, cut short or of other content raises.
DAMAGED = (OSError, ValueError, EOFError, LookupError, TypeError, AttributeError)
Integers = NDArray[np.int64]
_MOST = 65_535  # times that a passage is counted to have a word


@dataclass
class Postings:
    """`keys` are word number · chunks + row of the chunk, ascending; `frequencies` go with them; `names` are the words."""

    names: list[str]
    keys: Integers
    frequencies: NDArray[np.uint16]


def build(folder: Path, catalog: Catalog, previous: Path | None) -> None:
    """Write an index of the whole chunk table into `folder`; only chunks that `previous` does not have are cut into words.

    A chunk's id stands for its text, so the words of a known one are taken from there.
    """
    chunks, classes = _chunk_table(catalog)
    postings, fresh = _kept(previous, chunks)
    _add(postings, catalog.indexed_texts([key.decode() for key in chunks[fresh].tolist()]), fresh, len(chunks))
    np.save(folder / "chunks.npy", chunks)
    np.save(folder / "classes.npy", classes)
    if len(chunks):
        bm25 = _scored(postings, len(chunks))
        np.save(folder / "frequencies.npy", postings.frequencies)
        bm25.save(str(folder), corpus=None, show_progress=False)


def _chunk_table(catalog: Catalog) -> tuple[NDArray[np.bytes_], NDArray[np.int32]]:
    """Ids, sorted, and classes. By bytes: databases sort text by rules of their own."""
    ids, numbers = catalog.chunk_classes()
    chunks = np.array([key.encode() for key in ids], dtype=np.bytes_)
    order = np.argsort(chunks)
    return chunks[order], np.array(numbers, dtype=np.int32)[order]


def _kept(folder: Path | None, chunks: NDArray[np.bytes_]) -> tuple[Postings, Integers]:
    """What an index has of those chunks, and the rows that it does not have; of a damaged or older one nothing is kept."""
    nothing = Postings([], np.array([], dtype=np.int64), np.array([], dtype=np.uint16)), np.arange(len(chunks))
    if folder is None or not len(chunks):
        return nothing
    try:
        before = np.load(folder / "chunks.npy", allow_pickle=False)
        columns = bm25s.BM25.load(str(folder), mmap=True, show_progress=False)
        rows, offsets = columns.scores["indices"], columns.scores["indptr"]
        frequencies = np.load(folder / "frequencies.npy", allow_pickle=False)
        names = [word for word, number in columns.vocab_dict.items() if number < len(offsets) - 1]
        if (
            not (len(rows) == len(frequencies) == offsets[-1])
            or len(names) != len(offsets) - 1
            or (len(rows) and rows.max() >= len(before))
        ):
            return nothing
    except DAMAGED:
        return nothing
    places = np.minimum(np.searchsorted(chunks, before), len(chunks) - 1)
    places[chunks[places] != before] = -1
    is_new = np.ones(len(chunks), dtype=np.bool_)
    is_new[places[places >= 0]] = False
    keys = np.repeat(np.arange(len(names), dtype=np.int64) * len(chunks), np.diff(offsets))
    placed = places[rows]
    keys += placed
    if (places < 0).any():
        still = placed >= 0
        keys, frequencies = keys[still], frequencies[still]
    return Postings(names, keys, frequencies), np.flatnonzero(is_new)


def _add(postings: Postings, texts: Iterable[str], rows: Integers, chunks: int) -> None:
    """Cut the texts of those rows into words and merge them in; words that no chunk has any more are forgotten."""
    vocabulary = {name: number for number, name in enumerate(postings.names)}
    numbers, lengths = array("q"), []
    for text in texts:
        found = words(text)
        numbers.extend(vocabulary.setdefault(word, len(vocabulary)) for word in found)
        lengths.append(len(found))
    if numbers:
        keys = np.frombuffer(numbers, dtype=np.int64) * chunks
        keys += np.repeat(rows, lengths)
        keys, counts = np.unique(keys, return_counts=True)
        places = np.searchsorted(postings.keys, keys)
        postings.keys = np.insert(postings.keys, places, keys)
        counts = np.minimum(counts, _MOST).astype(np.uint16)
        postings.frequencies = np.insert(postings.frequencies, places, counts)
    postings.names = list(vocabulary)
    _forget_unused(postings, chunks)


def _forget_unused(postings: Postings, chunks: int) -> None:
    bounds = np.searchsorted(postings.keys, np.arange(len(postings.names) + 1, dtype=np.int64) * chunks)
    having = np.diff(bounds)
    if (having == 0).any():
        postings.names = [name for name, count in zip(postings.names, having.tolist(), strict=True) if count]
        gaps = np.cumsum(having == 0) * chunks
        postings.keys -= np.repeat(gaps, having)


def _scored(postings: Postings, chunks: int) -> bm25s.BM25:
    """The index that `bm25s.BM25.index` makes of the same words, without an object for every word.

    The library counts words document by document in Python; its own docstring says to put another way in here.
    """
    bm25 = bm25s.BM25()
    names, frequencies = postings.names, postings.frequencies
    bounds = np.searchsorted(postings.keys, np.arange(len(names) + 1, dtype=np.int64) * chunks)
    having = np.diff(bounds)
    rows = (postings.keys - np.repeat(np.arange(len(names), dtype=np.int64) * chunks, having)).astype(bm25.int_dtype)
    lengths = np.bincount(rows, weights=frequencies, minlength=chunks)
    rarity = np.log(1 + (chunks - having + 0.5) / (having + 0.5)).astype(bm25.dtype)
    damping = bm25.k1 * (1 - bm25.b + bm25.b * lengths / (lengths.mean() or 1.0))
    scores = frequencies / (damping[rows] + frequencies)
    bm25.scores = {
        "data": np.repeat(rarity, having) * scores.astype(bm25.dtype),
        "indices": rows,
        "indptr": bounds.astype(np.int64),
        "num_docs": chunks,
    }
    bm25.nonoccurrence_array = None  # of BM25+ and BM25L only
    bm25.vocab_dict = {word: number for number, word in enumerate(names)} | {"": len(names)}
    bm25.unique_token_ids_set = set(bm25.vocab_dict.values())
    return bm25
