"""Fusion by a weighted sum of normalised scores.

Not reciprocal rank fusion: with a weak retriever beside a good one RRF loses what the good one found (measured on 29
Russian and English question sets).
"""

from __future__ import annotations

from collections.abc import Mapping


def fuse(
    bm25: Mapping[str, float], vector: Mapping[str, float], *, bm25_weight: float, vector_weight: float
) -> list[tuple[str, float]]:
    """(id, score), best first: `bm25_weight · bm25 / best bm25 + vector_weight · cosine`.

    An id that the vector search did not return has at most the lowest cosine that it did return, and gets that one.
    """
    best = max(bm25.values(), default=0.0) or 1.0
    floor = min(vector.values(), default=0.0)
    scores = {
        key: bm25_weight * bm25.get(key, 0.0) / best + vector_weight * vector.get(key, floor)
        for key in {**bm25, **vector}
    }
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
