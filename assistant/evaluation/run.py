"""`assistant eval`: how well the configured retrieval finds and refuses, on a labelled set."""

from __future__ import annotations

import asyncio
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from assistant.access.principal import LOCAL_OPERATOR
from assistant.errors import ChromaUnavailable, IndexNotReady, InvalidQuestion, ModelUnavailable
from assistant.evaluation.datasets import Dataset, Question, read_dataset
from assistant.evaluation.metrics import mean, percentile, refusal, score
from assistant.evaluation.report import print_result as print_result
from assistant.settings import Settings

if TYPE_CHECKING:
    from rich.progress import Progress

    from assistant.ask.retrieval import Retrieved
    from assistant.assistant import Assistant
    from assistant.ingest.progress import IngestProgress

CONFIGURED = "reranked"  # the retriever's word for all that is configured
_DEPTH = 100  # chunks ranked, so that 20 different documents are among them


@dataclass(frozen=True)
class Outcome:
    """What became of one question: documents by method, best first, and the call that a person would have made."""

    question: Question
    rankings: Mapping[str, list[str]]
    found: Retrieved
    milliseconds: float

    @property
    def is_answerable(self) -> bool:
        return bool(self.question.gold)

    def scores(self, method: str) -> dict[str, float]:
        return score(self.rankings[method], self.question.gold)


def evaluate_dataset(settings: Settings, dataset: Path) -> dict[str, Any]:
    """The `eval` JSON. Raises `ConfigError` and `DocumentError` for the set, `IndexNotReady` for an empty store."""
    from assistant.evaluation.corpus import apart, index
    from assistant.wiring import build

    labelled = read_dataset(dataset)
    with (
        build(settings if labelled.corpus is None else apart(settings, labelled)) as assistant,
        _progress() as progress,
    ):
        indexed = None if labelled.corpus is None else index(assistant, labelled, _indexed(progress))
        assistant.serving.check_model()  # or the figures would be those of another model than the settings say
        absent = _absent(assistant, labelled)
        assistant.warm_up()
        outcomes = asyncio.run(_ask_all(assistant, labelled, _advance(progress, "asking")))
        documents = assistant.catalog.status_counts().get("indexed", 0)
    return {
        "dataset": labelled.name,
        "questions": len(outcomes),
        "documents": documents,
        **_figures(outcomes),
        "settings": _settings(settings),
        "indexed": indexed,
        "absent": absent,
    }


# --- asking


def _absent(assistant: Assistant, dataset: Dataset) -> list[str]:
    """Gold documents that are not in the store; what they answer counts as missed."""
    gold = {key for question in dataset.questions for key in question.gold}
    present = {_key(view.row.path) for view in assistant.documents() if view.row.chunks}
    absent = sorted(gold - present)
    if gold and len(absent) == len(gold):
        raise IndexNotReady(
            f"none of the documents that '{dataset.name}' asks for is in the store: run `assistant ingest` first"
        )
    return absent


async def _ask_all(assistant: Assistant, dataset: Dataset, advance: Callable[[str, int, int], None]) -> list[Outcome]:
    methods = ["bm25", "vector", "hybrid"] + ([CONFIGURED] if assistant.reranker() else [])
    outcomes = []
    for number, question in enumerate(dataset.questions, start=1):
        try:
            outcomes.append(await _ask(assistant, question, methods if question.gold else []))
        except InvalidQuestion as error:
            raise InvalidQuestion(f"question '{question.id}' of '{dataset.name}': {error}") from error
        advance(question.id, number, len(dataset.questions))
    return outcomes


async def _ask(assistant: Assistant, question: Question, methods: Iterable[str]) -> Outcome:
    start = perf_counter()
    found = await assistant.search(question.text, LOCAL_OPERATOR)
    milliseconds = (perf_counter() - start) * 1000
    rankings = {}
    for method in methods:
        ranked = await assistant.search(question.text, LOCAL_OPERATOR, k=_DEPTH, method=method)
        rankings[method] = _by_document(_whole(ranked))
    return Outcome(question, rankings, _whole(found), milliseconds)


def _whole(found: Retrieved) -> Retrieved:
    """A part that failed is forgiven when a person asks; figures without it would be another configuration's."""
    for notice in found.notices:
        if notice.kind == "keyword_only":
            raise ChromaUnavailable(notice.detail)
        if notice.kind == "rerank_failed":
            raise ModelUnavailable(f"the reranker failed: {notice.detail}; correct `reranker` in the configuration")
    return found


def _by_document(found: Retrieved) -> list[str]:
    """Documents, best first: the best chunk stands for its document."""
    return list(dict.fromkeys(_key(source.passage.path) for source in found.sources))


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path)


# --- figures


def _figures(outcomes: list[Outcome]) -> dict[str, Any]:
    asked = [outcome for outcome in outcomes if outcome.is_answerable]
    methods = list(asked[0].rankings) if asked else []
    configured = CONFIGURED if CONFIGURED in methods else "hybrid"
    languages = sorted({outcome.question.language for outcome in outcomes})
    spoken = {name: [outcome for outcome in asked if outcome.question.language == name] for name in languages}
    times = [outcome.milliseconds for outcome in outcomes]
    return {
        **_mean(asked, configured),
        "by_language": {name: {"questions": len(part), **_mean(part, configured)} for name, part in spoken.items()},
        "by_method": {
            method: _method(asked, spoken, method) if method in methods else None
            for method in ("bm25", "vector", "hybrid", CONFIGURED)
        },
        "refusal": refusal((outcome.is_answerable, not outcome.found.answerable) for outcome in outcomes),
        "p50_ms": _rounded(percentile(times, 0.50)),
        "p95_ms": _rounded(percentile(times, 0.95)),
        "missed": [_missed(outcome, configured) for outcome in asked if not outcome.scores(configured)["hit@5"]],
        "false_refusals": [_missed(outcome, configured) for outcome in asked if not outcome.found.answerable],
    }


def _mean(outcomes: list[Outcome], method: str) -> dict[str, float | None]:
    return mean(outcome.scores(method) for outcome in outcomes)


def _method(asked: list[Outcome], spoken: Mapping[str, list[Outcome]], method: str) -> dict[str, Any]:
    by_language = {name: {"ndcg@10": _mean(part, method)["ndcg@10"]} for name, part in spoken.items()}
    return {**_mean(asked, method), "by_language": by_language}


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


def _settings(settings: Settings) -> dict[str, Any]:
    """What decides the figures, so that two results can be told apart."""
    retrieval = settings.retrieval
    return {
        "embedding": settings.embedding.model if settings.embedding.provider != "hash" else "hash",
        "reranker": None if settings.reranker.provider == "none" else settings.reranker.model,
        "weights": retrieval.weights.model_dump(),
        "candidates": retrieval.candidates,
        "top_n": retrieval.top_n,
        "min_coverage": retrieval.min_coverage,
        "min_similarity": retrieval.min_similarity,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


# --- progress, on stderr of a terminal


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def _indexed(progress: Progress) -> Callable[[IngestProgress], None]:
    advance = _advance(progress, "indexing")
    return lambda state: advance("", state.files, state.total)


def _advance(progress: Progress, what: str) -> Callable[[str, int, int], None]:
    task = progress.add_task(what, total=None)

    def advance(_name: str, done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)

    return advance
