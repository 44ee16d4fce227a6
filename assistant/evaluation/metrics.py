"""Figures of ranked documents against gold ones, of refusals, and of times. All between 0 and 1 but the times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import log2
from statistics import fmean

METRICS = ("hit@1", "hit@5", "mrr@10", "ndcg@10", "recall@20")


def score(ranking: Sequence[str], gold: Mapping[str, float]) -> dict[str, float]:
    """Each of `METRICS` for one question; `ranking` has every document once, `gold` at least one, with its gain.

    LlamaIndex's metrics where they give this figure; they refuse an empty ranking, which scores nothing.
    """
    from llama_index.core.evaluation import MRR, HitRate
    from llama_index.core.evaluation.retrieval.metrics import Recall

    if not ranking:
        return dict.fromkeys(METRICS, 0.0)
    found = {"hit@1": (HitRate(), 1), "hit@5": (HitRate(), 5), "mrr@10": (MRR(), 10), "recall@20": (Recall(), 20)}
    expected = list(gold)
    scores = {
        name: float(metric.compute(expected_ids=expected, retrieved_ids=list(ranking[:depth])).score)
        for name, (metric, depth) in found.items()
    }
    return {name: scores[name] if name in scores else ndcg(ranking, gold) for name in METRICS}


def ndcg(ranking: Sequence[str], gold: Mapping[str, float], depth: int = 10) -> float:
    """nDCG@10. Ours: LlamaIndex's knows no grades, and its ideal has all gold documents, also those beyond the depth."""
    gains = [gold.get(document, 0.0) for document in ranking[:depth]]
    return _discounted(gains) / _discounted(sorted(gold.values(), reverse=True)[:depth])


def mean(scores: Iterable[Mapping[str, float]]) -> dict[str, float | None]:
    """Mean of each of `METRICS`; None where there was no question."""
    found = list(scores)
    return {name: round(fmean(one[name] for one in found), 4) if found else None for name in METRICS}


def refusal(outcomes: Iterable[tuple[bool, bool]]) -> dict[str, float | int | None]:
    """Of (may it be answered, was it refused) pairs: how many refusals are right, how many of the due ones came."""
    pairs = list(outcomes)
    refused = sum(was_refused for _, was_refused in pairs)
    unanswerable = sum(not is_answerable for is_answerable, _ in pairs)
    right = sum(was_refused and not is_answerable for is_answerable, was_refused in pairs)
    return {
        "precision": round(right / refused, 4) if refused else None,
        "recall": round(right / unanswerable, 4) if unanswerable else None,
        "refused": refused,
        "unanswerable": unanswerable,
        "false_refusals": refused - right,
    }


def percentile(values: Iterable[float], share: float) -> float | None:
    """The least value that `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / log2(rank + 1) for rank, gain in enumerate(gains, start=1))
