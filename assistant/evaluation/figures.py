"""The `eval` JSON: means, 95 % intervals and the figures of each question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assistant.evaluation.asking import CONFIGURED, FUSED, Outcome
from assistant.evaluation.bootstrap import intervals
from assistant.evaluation.datasets import fingerprint
from assistant.evaluation.metrics import METRICS, mean, percentile, refusal

if TYPE_CHECKING:
    from assistant.settings import Settings

MAIN = "ndcg@10"


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    asked = [outcome for outcome in outcomes if outcome.is_answerable]
    languages = sorted({outcome.question.language for outcome in outcomes})
    whole = _methods(asked)
    spoken = {name: [outcome for outcome in asked if outcome.question.language == name] for name in languages}
    parts = {name: _methods(part) for name, part in spoken.items()}
    used = configured(whole)
    times = [outcome.milliseconds for outcome in outcomes]
    means = dict(whole[used])
    bounds = means.pop("intervals")
    return {
        **means,
        "by_language": {name: {"questions": len(spoken[name]), **part[used]} for name, part in parts.items()},
        "by_method": {
            method: whole[method] | {"by_language": {name: _main(part[method]) for name, part in parts.items()}}
            if method in whole
            else None
            for method in (*FUSED, CONFIGURED)
        },
        "refusal": refusal((outcome.is_answerable, not outcome.found.answerable) for outcome in outcomes),
        "p50_ms": _rounded(percentile(times, 0.50)),
        "p95_ms": _rounded(percentile(times, 0.95)),
        "intervals": bounds,
        "hybrid_minus_bm25": _gain(asked),
        "missed": [_missed(outcome, used) for outcome in asked if not outcome.scores[used]["hit@5"]],
        "false_refusals": [_missed(outcome, used) for outcome in asked if not outcome.found.answerable],
        "per_question": [_question(outcome) for outcome in outcomes],
    }


def configured(methods: Mapping[str, Any]) -> str:
    """The method that answers people: what is reranked, or what is fused where there is no reranker."""
    return CONFIGURED if methods.get(CONFIGURED) else "hybrid"


def settings_used(settings: Settings) -> dict[str, Any]:
    """What decides the figures, so that two results can be told apart."""
    return {
        "embedding": settings.embedding.model if settings.embedding.provider != "hash" else "hash",
        "reranker": None if settings.reranker.provider == "none" else settings.reranker.model,
        **settings.retrieval.model_dump(mode="json", exclude={"max_question_chars"}),
    }


def _methods(asked: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Mean and interval of each metric by method; the intervals of all come from the same resamples."""
    names = list(asked[0].rankings) if asked else list(FUSED)
    rows = [[outcome.scores[name][metric] for name in names for metric in METRICS] for outcome in asked]
    bounds = intervals(rows) if rows else [None] * (len(names) * len(METRICS))
    found = {}
    for number, name in enumerate(names):
        part = bounds[number * len(METRICS) : (number + 1) * len(METRICS)]
        found[name] = mean(outcome.scores[name] for outcome in asked) | {
            "intervals": dict(zip(METRICS, part, strict=True))
        }
    return found


def _main(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {MAIN: figures[MAIN], "intervals": {MAIN: figures["intervals"][MAIN]}}


def _gain(asked: Sequence[Outcome]) -> dict[str, Any]:
    """What the vectors add to the words, paired by question."""
    gains = [outcome.scores["hybrid"][MAIN] - outcome.scores["bm25"][MAIN] for outcome in asked]
    if not gains:
        return {MAIN: None, "interval": None}
    return {MAIN: round(sum(gains) / len(gains), 4), "interval": intervals([[gain] for gain in gains])[0]}


def _question(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.question.id,
        "lang": outcome.question.language,
        "asked": fingerprint(outcome.question),
        "answerable": outcome.is_answerable,
        "refused": not outcome.found.answerable,
        "scores": {
            method: {name: round(value, 6) for name, value in scores.items()}
            for method, scores in outcome.scores.items()
        },
    }


def _missed(outcome: Outcome, method: str) -> dict[str, Any]:
    return {
        "id": outcome.question.id,
        "question": outcome.question.text,
        "lang": outcome.question.language,
        "gold": list(outcome.question.gold),
        "found": outcome.rankings[method][:5],
        "coverage": round(outcome.found.coverage, 3),
        "similarity": round(outcome.found.similarity, 3),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
