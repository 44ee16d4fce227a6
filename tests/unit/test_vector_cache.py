"""The cache of vectors: each text once, and nothing that is in the file can stop an ingest."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from assistant.index.vector_cache import VectorCache


class Model:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, texts: list[str]) -> list[list[float]]:
        self.seen += texts
        return [[float(len(text)), 1.0] for text in texts]


def test_a_text_that_stands_in_many_documents_is_embedded_once(tmp_path: Path) -> None:
    model, cache = Model(), VectorCache(tmp_path / "vectors.db", "m", max_mb=1)
    vectors, computed = cache.vectors(["a", "bb", "a", "a"], model)
    assert (vectors, computed) == ([[1.0, 1.0], [2.0, 1.0], [1.0, 1.0], [1.0, 1.0]], 2)
    assert model.seen == ["a", "bb"]
    assert cache.vectors(["bb", "ccc"], model) == ([[2.0, 1.0], [3.0, 1.0]], 1)
    assert VectorCache(tmp_path / "vectors.db", "another", max_mb=1).vectors(["a"], model)[1] == 1


def test_bytes_that_are_no_vector(tmp_path: Path) -> None:
    """As after a power cut: the file is not synced."""
    file = tmp_path / "vectors.db"
    for damaged in (b"abc", "text", 7):
        cache, model = VectorCache(file, "m", max_mb=1), Model()
        cache.vectors(["a"], model)
        cache.close()
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE vectors SET vector = ?", (damaged,))
        connection.close()
        cache = VectorCache(file, "m", max_mb=1)
        assert cache.vectors(["a"], model) == ([[1.0, 1.0]], 1)
        assert cache.vectors(["a"], model) == ([[1.0, 1.0]], 0), "it was made anew"
        cache.close()
