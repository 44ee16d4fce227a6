"""A reranker that takes longer than it may: the fused order at once, nothing that piles up, and all of it counted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import PrivateAttr

from assistant.access.principal import LOCAL_OPERATOR
from assistant.ask.retrieval import Retrieved
from assistant.assistant import Assistant
from assistant.errors import ModelUnavailable
from assistant.evaluation.run import evaluate_dataset
from assistant.operations.health import examine
from assistant.parts.rerankers import RERANKERS
from assistant.settings import Reranker
from assistant.ui.texts import LANGUAGES, notice_text
from assistant.wiring import build
from tests.integration import company
from tests.integration.test_reranking import QUESTION
from tests.integration.tiny_models import write_cross_encoder

pytestmark = pytest.mark.server


class Backwards(BaseNodePostprocessor):
    """Turns the order round, but not before it is let go."""

    _gate: threading.Event = PrivateAttr(default_factory=threading.Event)
    _asked: list[str] = PrivateAttr(default_factory=list)
    _at_once: list[int] = PrivateAttr(default_factory=list)
    _inside: int = PrivateAttr(default=0)

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        assert query_bundle is not None
        self._asked.append(query_bundle.query_str)
        self._inside += 1
        self._at_once.append(self._inside)
        self._gate.wait(60)
        self._inside -= 1
        return [NodeWithScore(node=found.node, score=-float(n)) for n, found in enumerate(reversed(nodes))]


@pytest.fixture
def slow() -> Iterator[Backwards]:
    made = Backwards()

    def backwards(
        *, model: str, device: str, use_fp16: bool, candidates: int, batch_size: int
    ) -> BaseNodePostprocessor:  # noqa: ARG001
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RERANKERS._factories, "backwards", backwards)
        yield made
        made._gate.set()


def built(place: Path, budget_ms: int) -> Assistant:
    reranker = Reranker(provider="backwards", model="Backwards", candidates=100, budget_ms=budget_ms)
    return build(company.settings(place / "storage", reranker=reranker))


def kinds(found: Retrieved) -> list[str]:
    return [notice.kind for notice in found.notices]


def test_late_and_following_questions_get_the_fused_order_and_later_ones_the_models(
    place: Path, slow: Backwards
) -> None:
    with built(place, 300) as assistant:
        fused = company.search(assistant, QUESTION, method="hybrid", k=100)
        late = company.search(assistant, QUESTION, k=100)
        assert (kinds(late), late.sources) == (["rerank_late"], fused.sources)
        assert late.notices[0].detail == "more than 300 ms (reranker.budget_ms)"
        threads = threading.active_count()
        for _ in range(5):
            skipped = company.search(assistant, QUESTION, k=100)
            assert (kinds(skipped), skipped.sources) == (["rerank_late"], fused.sources)
        assert slow._asked == [QUESTION], "they queued behind the one that is late"
        assert threading.active_count() <= threads
        counts = assistant.retriever.reranking.counts
        assert counts == {"late": 1, "skipped": 5}
        (part,) = [part for part in asyncio.run(examine(assistant)).parts if part.name == "reranker"]
        assert (part.state, part.detail) == ("degraded", "Backwards; 0 done, 1 late, 5 skipped, 0 failed")

        slow._gate.set()
        while assistant.retriever.reranking._running is not None:
            threading.Event().wait(0.01)
        found = company.search(assistant, QUESTION, k=100)
        assert kinds(found) == []
        assert [s.passage.chunk for s in found.sources] == [s.passage.chunk for s in reversed(fused.sources)]
        assert counts["done"] == 1


def test_one_at_a_time_and_what_nobody_waits_for_is_not_begun(place: Path, slow: Backwards) -> None:
    async def all_at_once(assistant: Assistant) -> list[Retrieved]:
        return await asyncio.gather(*(assistant.search(QUESTION, LOCAL_OPERATOR) for _ in range(6)))

    with built(place, 500) as assistant:
        found = asyncio.run(all_at_once(assistant))
        assert [kinds(one) for one in found] == [["rerank_late"]] * 6
        slow._gate.set()
        while any(thread.name == "rerank" for thread in threading.enumerate()):
            threading.Event().wait(0.01)
        assert slow._asked == [QUESTION]

    with built(place, 0) as assistant:
        found = asyncio.run(all_at_once(assistant))
        assert [kinds(one) for one in found] == [[]] * 6
        assert len(slow._asked) == 7
        assert set(slow._at_once) == {1}


def test_a_real_cross_encoder_with_more_than_it_can_read_in_time(place: Path, tmp_path: Path) -> None:
    """Every passage of the company, in one millisecond."""
    model = write_cross_encoder(tmp_path / "model")
    reranker = Reranker(provider="flag_embedding", model=str(model), candidates=200, batch_size=1, budget_ms=1)
    with build(company.settings(place / "storage", reranker=reranker)) as assistant:
        fused = company.search(assistant, QUESTION, method="hybrid")
        assistant.reranker()
        found = company.search(assistant, QUESTION)
    assert (kinds(found), found.sources) == (["rerank_late"], fused.sources)


def test_figures_of_a_late_reranker_would_be_those_of_another_order(
    place: Path, tmp_path: Path, slow: Backwards
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/questions.jsonl").write_text(
        '{"id": "1", "question": "Перенос отпуска", "lang": "ru", "gold": ["hr/leave.md"]}\n', "utf-8"
    )
    reranker = Reranker(provider="backwards", model="Backwards", budget_ms=100)
    settings = company.settings(place / "storage", reranker=reranker)
    with pytest.raises(ModelUnavailable, match="the reranker was late: .*budget_ms: 0"):
        evaluate_dataset(settings, tmp_path / "set")
    assert not slow._gate.is_set()


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_people_are_told(language: str, place: Path, slow: Backwards) -> None:
    with built(place, 100) as assistant:
        (notice,) = company.search(assistant, QUESTION).notices
    text = notice_text(notice, language)
    assert text
    assert "budget_ms" not in text
    assert not slow._gate.is_set()
