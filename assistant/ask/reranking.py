"""The reranker within its time: candidates in a better order, or the fused order and a notice."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from assistant.ask.events import Notice, Source
from assistant.settings import Reranker

if TYPE_CHECKING:
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import NodeWithScore

_FAILURES = (RuntimeError, ValueError, LookupError, OSError)  # out of GPU memory is a RuntimeError
DONE, LATE, SKIPPED, FAILED = "done", "late", "skipped", "failed"


@dataclass
class _Job:
    """One question's candidates; `wanted_until` is None for one that is waited for however long it takes."""

    rerank: Callable[[], list[NodeWithScore]]
    wanted_until: float | None
    is_given_up: threading.Event = field(default_factory=threading.Event)

    @property
    def is_late(self) -> bool:
        return self.wanted_until is not None and monotonic() > self.wanted_until


class Reranking:
    """One model, one question at a time; `counts` says how often it was done, late, skipped or failed."""

    def __init__(self, settings: Reranker, model: Callable[[], BaseNodePostprocessor | None]) -> None:
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._model = model
        self._turn = threading.Lock()
        self._running: _Job | None = None

    async def rerank(self, question: str, found: Sequence[Source]) -> tuple[list[Source], tuple[Notice, ...]]:
        """The first `candidates` in the model's order, the others behind; unchanged when it is late or fails.

        Raises `ConfigError` when the model can't be loaded.
        """
        model = await asyncio.to_thread(self._model)  # the first time it loads it, which no budget is for
        if model is None or not found:
            return list(found), ()
        head, tail = found[: self._settings.candidates], found[self._settings.candidates :]
        budget = self._settings.budget_ms / 1000 or None
        job = _Job(partial(_ranked, model, question, head), budget and monotonic() + budget)
        if (running := self._running) is not None and running.is_late:
            return self._instead(found, SKIPPED, Notice("rerank_late", "the one before is still running"))
        try:
            async with asyncio.timeout(budget):
                ranked = await self._run(job)
        except TimeoutError:
            job.is_given_up.set()
            return self._instead(
                found, LATE, Notice("rerank_late", f"more than {self._settings.budget_ms} ms (reranker.budget_ms)")
            )
        except _FAILURES as error:
            reason = str(error).strip() or type(error).__name__
            return self._instead(found, FAILED, Notice("rerank_failed", reason.splitlines()[0][:200]))
        self.counts[DONE] += 1
        return _in_order(head, ranked) + list(tail), ()

    def _instead(self, found: Sequence[Source], what: str, notice: Notice) -> tuple[list[Source], tuple[Notice, ...]]:
        self.counts[what] += 1
        return list(found), (notice,)

    async def _run(self, job: _Job) -> list[NodeWithScore]:
        """In a thread of its own that nothing waits for: one that hangs must not hold up the end of the program."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[NodeWithScore]] = loop.create_future()

        def work() -> None:
            with self._turn:  # tokenizers are not made for several threads, and one model has the processor to itself
                if job.is_given_up.is_set():
                    return
                self._running = job
                give = partial(answer.set_exception, RuntimeError("the reranker broke: see the log"))
                try:
                    give = partial(answer.set_result, job.rerank())
                except _FAILURES as error:
                    give = partial(answer.set_exception, error)
                finally:
                    self._running = None
                    with suppress(RuntimeError):  # the loop may be closed when a late one comes back
                        loop.call_soon_threadsafe(lambda: None if answer.done() else give())

        threading.Thread(target=work, name="rerank", daemon=True).start()
        try:
            return await answer
        finally:
            job.is_given_up.set()


def _ranked(model: BaseNodePostprocessor, question: str, head: Sequence[Source]) -> list[NodeWithScore]:
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

    nodes = [
        NodeWithScore(node=TextNode(id_=source.passage.chunk, text=source.passage.indexed_text)) for source in head
    ]
    found: list[NodeWithScore] = model.postprocess_nodes(nodes, QueryBundle(question))
    return found


def _in_order(head: Sequence[Source], ranked: Sequence[NodeWithScore]) -> list[Source]:
    by_chunk = {source.passage.chunk: source for source in head}
    return [
        replace(source, score=float(node.score or 0.0), scores=replace(source.scores, rerank=node.score))
        for node in ranked
        if (source := by_chunk.get(node.node.node_id))
    ]
