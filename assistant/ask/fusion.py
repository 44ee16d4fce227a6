"""Fusion by a weighted sum of normalised scores, and of what else speaks for a passage.

Not reciprocal rank fusion: with a weak retriever beside a good one RRF loses what the good one found (measured on 15
Russian and English question sets: docs/retrieval.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from assistant.index.evidence import Evidence
from assistant.settings import FusionWeights

_FOREIGN = 0.2
_NOTHING = Evidence()


def fuse(
    bm25: Mapping[str, float],
    vector: Mapping[str, float],
    evidence: Mapping[str, Evidence],
    weights: FusionWeights,
    *,
    foreign: Collection[str] = (),
) -> list[tuple[str, float]]:
    """(id, score), best first: each weight times coverage · score / best score, cosine, title and proximity.

    Coverage, the share of the question that the passage has, because the query's best BM25 score alone says nothing
    about how good it is. An id that the vector search did not return has at most the lowest cosine that it did return,
    and gets that one. A passage in another language than the question (`foreign`) can't have its words, so a fifth of
    the keyword score is taken for granted.
    """
    best = max(bm25.values(), default=0.0) or 1.0
    floor = min(vector.values(), default=0.0)
    scores = {}
    for key in {**bm25, **vector}:
        known = evidence.get(key, _NOTHING)
        words = known.coverage * bm25.get(key, 0.0) / best
        if key in foreign and vector:
            words = _FOREIGN + (1 - _FOREIGN) * words
        scores[key] = (
            weights.bm25 * words
            + weights.vector * vector.get(key, floor)
            + weights.title * known.title
            + weights.proximity * known.proximity
        )
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
