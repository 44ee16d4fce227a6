"""Asks the questions of a labelled set: what each way of searching ranks, and what a person would have got."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from assistant.access.principal import LOCAL_OPERATOR
from assistant.errors import ChromaUnavailable, IndexNotReady, InvalidQuestion, ModelUnavailable
from assistant.evaluation.datasets import Dataset, Question
from assistant.evaluation.metrics import score

if TYPE_CHECKING:
    from assistant.ask.events import Notice, Source
    from assistant.ask.retrieval import Candidates, Retrieved
    from assistant.assistant import Assistant
    from assistant.evaluation.progress import Advance
    from assistant.settings import Retrieval, Settings

CONFIGURED = "reranked"  # the retriever's word for all that is configured
FUSED = ("bm25", "vector", "hybrid")


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

    @cached_property
    def scores(self) -> dict[str, dict[str, float]]:
        """Every metric by method; nothing for a question without an answer."""
        if not self.is_answerable:
            return {}
        return {method: score(ranking, self.question.gold) for method, ranking in self.rankings.items()}


@contextmanager
def opened(
    settings: Settings, dataset: Dataset, *, keyword_folder: Path | None = None, advance: Advance | None = None
) -> Iterator[tuple[Assistant, dict[str, Any] | None]]:
    """The assistant over the set's own corpus, brought in step, or over the company's store, where nothing is changed.

    Also what indexing did, or None. `keyword_folder`: as in `wiring.build`; the word index is made there.
    """
    from assistant.evaluation.corpus import apart, by_files, index
    from assistant.wiring import build

    has_corpus = dataset.corpus is not None
    used = apart(settings, dataset) if has_corpus else settings
    with build(used, keyword_folder=keyword_folder) as assistant:
        indexed = None
        if has_corpus:
            indexed = index(assistant, dataset, by_files(advance))
        if keyword_folder is not None:
            assistant.keyword.refresh()
        yield assistant, indexed


def absent(assistant: Assistant, dataset: Dataset) -> list[str]:
    """Gold documents that are not in the store; what they answer counts as missed. Raises `IndexNotReady` if none is."""
    gold = {key for question in dataset.questions for key in question.gold}
    present = {_key(view.row.path) for view in assistant.documents() if view.row.chunks}
    missing = sorted(gold - present)
    if gold and len(missing) == len(gold):
        raise IndexNotReady(
            f"none of the documents that '{dataset.name}' asks for is in the store: run `assistant ingest` first"
        )
    return missing


async def ask_all(assistant: Assistant, dataset: Dataset, advance: Advance | None = None) -> list[Outcome]:
    methods = (*FUSED, CONFIGURED) if assistant.reranker() else FUSED
    outcomes = []
    for number, question in enumerate(dataset.questions, start=1):
        with _named(question, dataset):
            outcomes.append(await _ask(assistant, question, methods))
        if advance:
            advance(number, len(dataset.questions))
    return outcomes


async def gather(
    assistant: Assistant, dataset: Dataset, k: int, advance: Advance | None = None
) -> list[tuple[Question, Candidates]]:
    """The candidates of every question that has an answer, to be ranked with `documents`."""
    asked = [question for question in dataset.questions if question.gold]
    found = []
    for number, question in enumerate(asked, start=1):
        with _named(question, dataset):
            candidates = await assistant.retriever.candidates(question.text, LOCAL_OPERATOR, k=k)
        _refuse_partial(candidates.notices)
        found.append((question, candidates))
        if advance:
            advance(number, len(asked))
    return found


def documents(candidates: Candidates, settings: Retrieval, method: str = "hybrid") -> list[str]:
    """Documents, best first, as these settings rank the candidates: in memory, in less than a millisecond."""
    from assistant.ask.retrieval import ranked
    from assistant.ask.standing import in_force_first

    return _by_document(in_force_first(ranked(candidates, settings, method), candidates.later))


async def _ask(assistant: Assistant, question: Question, methods: Iterable[str]) -> Outcome:
    start = perf_counter()
    found = await assistant.measured(question.text, LOCAL_OPERATOR)
    milliseconds = (perf_counter() - start) * 1000
    _refuse_partial(found.notices)
    rankings = {}
    if question.gold:
        settings = assistant.settings.retrieval
        candidates = await assistant.retriever.candidates(question.text, LOCAL_OPERATOR)
        _refuse_partial(candidates.notices)
        rankings = {method: documents(candidates, settings, method) for method in FUSED}
        if CONFIGURED in methods:
            whole = await assistant.measured(question.text, LOCAL_OPERATOR, k=settings.candidates)
            _refuse_partial(whole.notices)
            rankings[CONFIGURED] = _by_document(whole.sources)
    return Outcome(question, rankings, found, milliseconds)


@contextmanager
def _named(question: Question, dataset: Dataset) -> Iterator[None]:
    try:
        yield
    except InvalidQuestion as error:
        raise InvalidQuestion(f"question '{question.id}' of '{dataset.name}': {error}") from error


def _refuse_partial(notices: Iterable[Notice]) -> None:
    """A part that failed is forgiven when a person asks; figures without it would be another configuration's."""
    for notice in notices:
        if notice.kind == "keyword_only":
            raise ChromaUnavailable(notice.detail)
        if notice.kind == "rerank_failed":
            raise ModelUnavailable(f"the reranker failed: {notice.detail}; correct `reranker` in the configuration")
        if notice.kind == "rerank_late":
            raise ModelUnavailable(f"the reranker was late: {notice.detail}; measure with reranker.budget_ms: 0")


def _by_document(sources: Iterable[Source]) -> list[str]:
    """Documents, best first: the best chunk stands for its document."""
    return list(dict.fromkeys(_key(source.passage.path) for source in sources))


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path)
