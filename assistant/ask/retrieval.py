"""From a question to the passages that its asker may read: permitted classes → dense + sparse → fuse → check → rerank."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING

from assistant.access.policy import Policy
from assistant.access.principal import Principal
from assistant.ask.events import Notice, Scores, Source, Standing
from assistant.ask.fusion import fuse
from assistant.ask.language import language_of
from assistant.ask.reranking import Reranking
from assistant.ask.selection import distinct
from assistant.ask.standing import Later, in_force_first, readable_successors, standings, with_standing
from assistant.errors import ChromaUnavailable, InvalidQuestion, ModelUnavailable
from assistant.index.catalog import Catalog, Passage
from assistant.index.evidence import Evidence
from assistant.index.search import Dense, Search
from assistant.index.terms import Term, meant, read_as
from assistant.settings import Retrieval

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding

_NOT_WHOLE = "some documents were embedded by another model, or their vectors are lost: run `assistant ingest`"
METHODS = ("bm25", "vector", "hybrid", "reranked")


@dataclass(frozen=True)
class Retrieved:
    """The passages found, best first; `answerable` is False when none of them is about the question."""

    sources: tuple[Source, ...]
    answerable: bool
    documents: int
    coverage: float
    similarity: float
    notices: tuple[Notice, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    question: str = ""  # as it was read


@dataclass(frozen=True)
class Candidates:
    """What both searches found for one asker's question, best first: all that `ranked` needs, whatever the weights."""

    bm25: Mapping[str, float]
    vector: Mapping[str, float]
    passages: Mapping[str, Passage]
    evidence: Mapping[str, Evidence]
    foreign: Collection[str]
    later: Later
    notices: tuple[Notice, ...] = ()
    question: str = ""  # as it was read

    def first(self, k: int) -> Candidates:
        """As if `k` passages had been asked of each search."""
        return replace(self, bm25=dict(islice(self.bm25.items(), k)), vector=dict(islice(self.vector.items(), k)))


class Retriever:
    """Hybrid retrieval for a principal. There is no way to ask without one."""

    def __init__(
        self,
        *,
        settings: Retrieval,
        catalog: Catalog,
        search: Search,
        policy: Policy,
        embed_model: Callable[[], BaseEmbedding],
        reranking: Reranking,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._search = search
        self._policy = policy
        self._embed_model = embed_model
        self.reranking = reranking

    async def retrieve(
        self, question: str, principal: Principal, *, top_n: int | None = None, method: str = "reranked"
    ) -> Retrieved:
        """The best `top_n` passages for the principal; without a number those for an answer, which differ from each other.

        Raises `InvalidQuestion`, `IndexNotReady`.
        `method` is for the evaluation: bm25, vector, hybrid, or all that is configured (reranked).
        """
        question = self.checked(question)
        is_for_answer, top_n = top_n is None, top_n or self._settings.top_n
        timings: dict[str, float] = {}
        candidates = await self.candidates(
            question, principal, k=max(self._settings.candidates, top_n), timings=timings
        )
        start = perf_counter()
        found, notices = ranked(candidates, self._settings, method), candidates.notices
        timings["fuse"] = _ms(start)
        if method == "reranked":
            start = perf_counter()
            found, unranked = await self.reranking.rerank(question, found)
            notices += unranked
            timings["rerank"] = _ms(start)
        start = perf_counter()
        best = await asyncio.to_thread(self._best, found, candidates.later, top_n, differing=is_for_answer)
        timings["editions"] = _ms(start)
        covered = max((candidates.evidence[source.passage.chunk].coverage for source in best), default=0.0)
        similarity = max((source.scores.vector for source in best if source.scores.vector is not None), default=0.0)
        return Retrieved(
            sources=best,
            answerable=self._is_enough(covered, similarity),
            documents=len({source.passage.document for source in found}),
            coverage=covered,
            similarity=similarity,
            notices=notices,
            timings_ms=timings,
            question=candidates.question,
        )

    async def candidates(
        self, question: str, principal: Principal, *, k: int | None = None, timings: dict[str, float] | None = None
    ) -> Candidates:
        """What a ranking starts from: up to `k` passages of each search that the principal may read."""
        timings = {} if timings is None else timings
        permitted, terms = await asyncio.to_thread(self._asked, question, principal)
        question = meant(question, terms)
        k = k or self._settings.candidates
        bm25, vector, notices = await self._both(question, terms, permitted, k, timings)
        if other := read_as(terms):
            notices += (Notice("read_as", other),)
        start = perf_counter()
        found = await asyncio.to_thread(self._weighed, question, principal, terms, bm25, vector)
        timings["check"] = _ms(start)
        return replace(found, notices=notices, question=question)

    def checked(self, question: str) -> str:
        """The question without surrounding space. Raises `InvalidQuestion` when it is empty or too long."""
        question = question.encode("utf-8", "replace").decode()  # half a surrogate pair: nothing could store or show it
        question = question.replace("\0", " ").strip()
        limit = self._settings.max_question_chars
        if not question:
            raise InvalidQuestion("the question is empty: write what you want to know")
        if len(question) > limit:
            raise InvalidQuestion(
                f"the question has {len(question)} characters, {limit} are allowed: ask for one thing in a few sentences"
            )
        return question

    def standing(self, document: str, principal: Principal) -> Standing:
        """Of which date a document is and what replaced it, as far as the principal may know."""
        later = readable_successors(self._catalog, self._policy, principal, [document])
        return standings([document], self._catalog, later).get(document, Standing())

    async def _both(
        self,
        question: str,
        terms: Sequence[Term],
        permitted: frozenset[int],
        k: int,
        timings: dict[str, float],
    ) -> tuple[dict[str, float], dict[str, float], tuple[Notice, ...]]:
        """Sparse and dense side by side; without the vector store words alone must do, and it is said."""

        def sparse() -> dict[str, float]:
            start = perf_counter()
            found = self._search.sparse(terms, permitted, k)
            timings["sparse"] = _ms(start)
            return found

        def dense() -> Dense:
            start = perf_counter()
            vector = self._embed_model().get_query_embedding(question)
            timings["embed"] = _ms(start)
            start = perf_counter()
            near = self._search.dense(vector, permitted, k)  # it has a deadline of its own
            timings["dense"] = _ms(start)
            return near

        by_words, by_vector = await asyncio.gather(
            asyncio.to_thread(sparse), asyncio.to_thread(dense), return_exceptions=True
        )
        if isinstance(by_words, BaseException):
            raise by_words
        if isinstance(by_vector, ChromaUnavailable | ModelUnavailable):
            return by_words, {}, (Notice("keyword_only", str(by_vector)),)
        if isinstance(by_vector, BaseException):
            raise by_vector
        notices = () if by_vector.is_whole else (Notice("keyword_only", _NOT_WHOLE),)
        return by_words, by_vector.found, notices

    def _asked(self, question: str, principal: Principal) -> tuple[frozenset[int], tuple[Term, ...]]:
        """The classes that the principal may read, and what the question names in their words."""
        _import_llama_index()
        permitted = self._policy.permitted(principal, self._catalog.classes())
        return permitted, self._search.terms(question, permitted)

    def _weighed(
        self,
        question: str,
        principal: Principal,
        terms: Sequence[Term],
        bm25: Mapping[str, float],
        vector: Mapping[str, float],
    ) -> Candidates:
        """What is in force and may be read, and what speaks for it."""
        passages = self._readable(principal, {**bm25, **vector})
        documents = {passage.document for passage in passages.values()}
        later = readable_successors(self._catalog, self._policy, principal, documents)
        evidence = self._search.keyword_retriever().evidence(terms, passages)
        foreign = _foreign(question, passages)
        # Before anything is weighed: what is best or worst among the forbidden must not move the others.
        return Candidates(_only(passages, bm25), _only(passages, vector), passages, evidence, foreign, later)

    def _readable(self, principal: Principal, ids: Mapping[str, float]) -> dict[str, Passage]:
        """The passages of those ids that are in force and that the principal may read."""
        found = self._catalog.passages(ids)
        return {key: one for key, one in found.items() if self._policy.may_read(principal, one.access_class)}

    def _best(self, found: list[Source], later: Later, limit: int, *, differing: bool) -> tuple[Source, ...]:
        """The first ones, editions in force before those that they replace, numbered, with their dates."""
        ordered = in_force_first(found, later)
        chosen = ordered[:limit]
        if differing:
            chosen = distinct(ordered, limit, self._search.keyword_retriever().words_of, kept=later)
        dated = with_standing(chosen, self._catalog, later)
        return tuple(replace(source, n=number) for number, source in enumerate(dated, start=1))

    def _is_enough(self, coverage: float, similarity: float) -> bool:
        """Words and meaning add up: a little of both is enough, as is one of them alone at its threshold.

        With the thresholds of configs/default.yaml 15 of 19 unanswerable questions of data/eval are refused and 4 of
        123 answerable ones; of 240 + 240 real questions (half of them from other sets) 236 and 27.
        """
        return coverage / self._settings.min_coverage + similarity / self._settings.min_similarity >= 1


def ranked(candidates: Candidates, settings: Retrieval, method: str = "hybrid") -> list[Source]:
    """All candidates by bm25, vector or both, best first. In memory: the evaluation tries other weights with it."""
    if method in ("bm25", "vector"):
        alone = candidates.bm25 if method == "bm25" else candidates.vector
        scores = sorted(alone.items(), key=lambda pair: (-pair[1], pair[0]))
    else:
        scores = fuse(
            candidates.bm25, candidates.vector, candidates.evidence, settings.weights, foreign=candidates.foreign
        )
    return [
        Source(0, candidates.passages[key], score, Scores(candidates.bm25.get(key), candidates.vector.get(key)))
        for key, score in scores
    ]


def _import_llama_index() -> None:
    """Once, before the searches run side by side: two threads that both begin to import it find it half made."""
    import llama_index.core  # noqa: F401


def _only(passages: Mapping[str, Passage], scores: Mapping[str, float]) -> dict[str, float]:
    return {key: score for key, score in scores.items() if key in passages}


def _foreign(question: str, passages: Mapping[str, Passage]) -> set[str]:
    """The passages in another language than the question."""
    language = language_of(question)
    return {key for key, passage in passages.items() if language_of(passage.text) != language}


def _ms(start: float) -> float:
    return round((perf_counter() - start) * 1000, 2)
