"""From a question to the passages that its asker may read: permitted classes → dense + sparse → fuse → check → rerank."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING

from assistant.access.policy import Policy
from assistant.access.principal import Principal
from assistant.ask.events import Notice, Scores, Source, Standing
from assistant.ask.fusion import fuse
from assistant.ask.language import language_of
from assistant.ask.standing import in_force_first, readable_successors, standings, with_standing
from assistant.errors import ChromaUnavailable, InvalidQuestion, ModelUnavailable
from assistant.index.catalog import Catalog, Passage
from assistant.index.search import Dense, Search
from assistant.index.words import words
from assistant.settings import Reranker, Retrieval

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.postprocessor.types import BaseNodePostprocessor

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


class Retriever:
    """Hybrid retrieval for a principal. There is no way to ask without one."""

    def __init__(
        self,
        *,
        settings: Retrieval,
        reranker_settings: Reranker,
        catalog: Catalog,
        search: Search,
        policy: Policy,
        embed_model: Callable[[], BaseEmbedding],
        reranker: Callable[[], BaseNodePostprocessor | None],
    ) -> None:
        self._settings = settings
        self._reranker_settings = reranker_settings
        self._catalog = catalog
        self._search = search
        self._policy = policy
        self._embed_model = embed_model
        self._reranker = reranker

    async def retrieve(
        self, question: str, principal: Principal, *, top_n: int | None = None, method: str = "reranked"
    ) -> Retrieved:
        """The best `top_n` passages for the principal. Raises `InvalidQuestion`, `IndexNotReady`.

        `method` is for the evaluation: bm25, vector, hybrid, or all that is configured (reranked).
        """
        question = self.checked(question)
        top_n = top_n or self._settings.top_n
        timings: dict[str, float] = {}
        classes = await asyncio.to_thread(self._catalog.classes)
        permitted = self._policy.permitted(principal, classes)
        bm25, vector, notices = await self._both(question, permitted, max(self._settings.candidates, top_n), timings)
        start = perf_counter()
        passages = await asyncio.to_thread(self._readable, principal, {**bm25, **vector})
        # Before anything is weighed: what is best or worst among the forbidden must not move the others.
        bm25, vector = _only(passages, bm25), _only(passages, vector)
        timings["check"] = _ms(start)
        start = perf_counter()
        coverage = await asyncio.to_thread(self._coverage, question, passages)
        fused = fuse(
            {} if method == "vector" else bm25,
            {} if method == "bm25" else vector,
            coverage=coverage,
            foreign=set() if method in ("bm25", "vector") or not vector else _foreign(question, passages),
            bm25_weight=self._settings.weights.bm25,
            vector_weight=self._settings.weights.vector,
        )
        found = [Source(0, passages[key], score, Scores(bm25.get(key), vector.get(key))) for key, score in fused]
        timings["fuse"] = _ms(start)
        if method == "reranked":
            found, failed = await self._rerank(question, found, timings)
            notices += failed
        found, best = await asyncio.to_thread(self._in_force, principal, found, top_n, timings)
        covered = max((coverage[source.passage.chunk] for source in best), default=0.0)
        similarity = max((source.scores.vector for source in best if source.scores.vector is not None), default=0.0)
        return Retrieved(
            sources=best,
            answerable=self._is_enough(covered, similarity),
            documents=len({source.passage.document for source in found}),
            coverage=covered,
            similarity=similarity,
            notices=notices,
            timings_ms=timings,
        )

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
        self, question: str, permitted: frozenset[int], k: int, timings: dict[str, float]
    ) -> tuple[dict[str, float], dict[str, float], tuple[Notice, ...]]:
        """Sparse and dense side by side; without the vector store words alone must do, and it is said."""

        async def sparse() -> dict[str, float]:
            start = perf_counter()
            found = await asyncio.to_thread(self._search.sparse, question, permitted, k)
            timings["sparse"] = _ms(start)
            return found

        async def dense() -> Dense:
            start = perf_counter()
            vector = await asyncio.to_thread(self._embed_model().get_query_embedding, question)
            timings["embed"] = _ms(start)
            start = perf_counter()
            near = await asyncio.to_thread(self._search.dense, vector, permitted, k)  # it has a deadline of its own
            timings["dense"] = _ms(start)
            return near

        await asyncio.to_thread(_import_llama_index)
        by_words, by_vector = await asyncio.gather(sparse(), dense(), return_exceptions=True)
        if isinstance(by_words, BaseException):
            raise by_words
        if isinstance(by_vector, ChromaUnavailable | ModelUnavailable):
            return by_words, {}, (Notice("keyword_only", str(by_vector)),)
        if isinstance(by_vector, BaseException):
            raise by_vector
        notices = () if by_vector.is_whole else (Notice("keyword_only", _NOT_WHOLE),)
        return by_words, by_vector.found, notices

    async def _rerank(
        self, question: str, found: list[Source], timings: dict[str, float]
    ) -> tuple[list[Source], tuple[Notice, ...]]:
        reranker = await asyncio.to_thread(self._reranker)  # the first time it loads the model
        if reranker is None or not found:
            return found, ()
        from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

        start = perf_counter()
        head, tail = found[: self._reranker_settings.candidates], found[self._reranker_settings.candidates :]
        nodes = [
            NodeWithScore(node=TextNode(id_=source.passage.chunk, text=source.passage.indexed_text)) for source in head
        ]
        try:
            ranked = await asyncio.to_thread(reranker.postprocess_nodes, nodes, QueryBundle(question))
        except (RuntimeError, ValueError, LookupError, OSError) as error:  # out of GPU memory is a RuntimeError
            reason = str(error).strip() or type(error).__name__
            return found, (Notice("rerank_failed", reason.splitlines()[0][:200]),)
        timings["rerank"] = _ms(start)
        by_chunk = {source.passage.chunk: source for source in head}
        best = [
            replace(source, score=float(node.score or 0.0), scores=replace(source.scores, rerank=node.score))
            for node in ranked
            if (source := by_chunk.get(node.node.node_id))
        ]
        return best + tail, ()

    def _readable(self, principal: Principal, ids: Mapping[str, float]) -> dict[str, Passage]:
        """The passages of those ids that are in force and that the principal may read."""
        found = self._catalog.passages(ids)
        return {key: one for key, one in found.items() if self._policy.may_read(principal, one.access_class)}

    def _in_force(
        self, principal: Principal, found: list[Source], top_n: int, timings: dict[str, float]
    ) -> tuple[list[Source], tuple[Source, ...]]:
        """All, the editions in force before those that they replace; and the best of them, numbered, with their dates."""
        start = perf_counter()
        documents = {source.passage.document for source in found}
        later = readable_successors(self._catalog, self._policy, principal, documents)
        found = in_force_first(found, later)
        best = with_standing(found[:top_n], self._catalog, later)
        timings["editions"] = _ms(start)
        return found, tuple(replace(source, n=number) for number, source in enumerate(best, start=1))

    def _coverage(self, question: str, passages: Mapping[str, Passage]) -> dict[str, float]:
        """How much of the question each passage has: the share of its words, weighted by their rarity."""
        rarity = self._search.keyword_retriever().rarity(sorted(set(words(question))))
        total = sum(rarity.values()) or 1.0
        return {key: _covered(passage, rarity) / total for key, passage in passages.items()}

    def _is_enough(self, coverage: float, similarity: float) -> bool:
        """Words and meaning add up: a little of both is enough, as is one of them alone at its threshold.

        With the thresholds of configs/default.yaml 16 of 19 unanswerable questions of data/eval are refused and 8 of
        123 answerable ones; when either threshold alone decided (0.5 each), 18 and 20 were.
        """
        return coverage / self._settings.min_coverage + similarity / self._settings.min_similarity >= 1


def _import_llama_index() -> None:
    """Once, before the searches run side by side: two threads that both begin to import it find it half made."""
    import llama_index.core  # noqa: F401


def _only(passages: Mapping[str, Passage], scores: Mapping[str, float]) -> dict[str, float]:
    return {key: score for key, score in scores.items() if key in passages}


def _foreign(question: str, passages: Mapping[str, Passage]) -> set[str]:
    """The passages in another language than the question."""
    language = language_of(question)
    return {key for key, passage in passages.items() if language_of(passage.text) != language}


def _covered(passage: Passage, rarity: Mapping[str, float]) -> float:
    present = set(words(passage.indexed_text))
    return sum(weight for word, weight in rarity.items() if word in present)


def _ms(start: float) -> float:
    return round((perf_counter() - start) * 1000, 2)
