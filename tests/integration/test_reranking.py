"""The reranker in the wiring: a real (tiny, untrained) cross-encoder through FlagEmbedding, and one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle

from assistant.access.principal import LOCAL_OPERATOR, Principal
from assistant.assistant import Assistant
from assistant.errors import ConfigError
from assistant.parts.rerankers import RERANKERS
from assistant.settings import Reranker
from assistant.wiring import build
from tests.integration import company
from tests.integration.tiny_models import write_cross_encoder

pytestmark = pytest.mark.server

QUESTION = "Кто согласует перенос отпуска и скидку?"


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cross_encoder(tmp_path_factory.mktemp("reranker"))


@pytest.fixture
def assistant(place: Path, cross_encoder: Path) -> Iterator[Assistant]:
    reranker = Reranker(provider="flag_embedding", model=str(cross_encoder), candidates=8, budget_ms=0)
    with build(company.settings(place / "storage", reranker=reranker)) as assistant:
        yield assistant


def test_cross_encoder_decides_the_order_of_the_candidates(assistant: Assistant) -> None:
    fused = company.search(assistant, QUESTION, method="hybrid", k=100).sources
    found = company.search(assistant, QUESTION, k=100)

    assert (found.notices, "rerank" in found.timings_ms) == ((), True)
    head, tail = found.sources[:8], found.sources[8:]
    scores = [source.scores.rerank for source in head]
    assert None not in scores
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 3
    assert [source.score for source in head] == pytest.approx(scores)
    assert {source.passage.chunk for source in head} == {source.passage.chunk for source in fused[:8]}
    assert [source.passage.chunk for source in head] != [source.passage.chunk for source in fused[:8]]
    assert [source.passage.chunk for source in tail] == [source.passage.chunk for source in fused[8:]]
    assert {source.scores.rerank for source in tail} == {None}
    assert [source.n for source in found.sources] == list(range(1, len(fused) + 1))
    by_chunk = {source.passage.chunk: source.scores for source in fused}
    for source in head:  # why it was a candidate is still told
        assert (source.scores.bm25, source.scores.vector) == (
            by_chunk[source.passage.chunk].bm25,
            by_chunk[source.passage.chunk].vector,
        )


def test_scores_are_the_models_own(assistant: Assistant) -> None:
    from FlagEmbedding import FlagReranker

    found = company.search(assistant, QUESTION).sources
    direct = FlagReranker(assistant.settings.reranker.model, use_fp16=False)
    expected = direct.compute_score([(QUESTION, source.passage.indexed_text) for source in found])
    assert [source.scores.rerank for source in found] == pytest.approx(expected, abs=1e-4)


def test_batches_and_length_are_those_of_the_model(cross_encoder: Path) -> None:
    """A passage of another batch, or of 500 tokens, must not change a score; no progress bars in between."""
    from FlagEmbedding import FlagReranker
    from FlagEmbedding.inference.reranker.encoder_only import base

    pairs = [(QUESTION, "отпуск " * length) for length in (3, 600, 40, 7, 511, 100, 1)]
    one_by_one = FlagReranker(str(cross_encoder), use_fp16=False, max_length=512, devices="cpu")
    expected = [one_by_one.compute_score_single_gpu([pair])[0] for pair in pairs]
    for size in (1, 3, 50):
        made = RERANKERS.build("flag_embedding", model=str(cross_encoder), batch_size=size)
        assert made is not None
        assert made._model._model.max_length == 512
        drawn: list[Any] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(base, "tqdm", lambda steps, disable, drawn=drawn, **_: drawn.append(disable) or steps)
            assert made._model.compute_score(pairs) == pytest.approx(expected, abs=1e-4)
        assert drawn
        assert all(drawn)


def test_reranker_reads_only_what_its_asker_may_read(assistant: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    rerank = type(assistant.reranker())._postprocess_nodes  # type: ignore[union-attr]

    def note(self: BaseNodePostprocessor, nodes: list[NodeWithScore], *rest: Any) -> list[NodeWithScore]:  # noqa: ANN401
        seen.extend(node.node.get_content() for node in nodes)
        return rerank(self, nodes, *rest)

    monkeypatch.setattr(type(assistant.reranker()), "_postprocess_nodes", note)
    company.search(assistant, QUESTION, Principal("n", "Nobody"))
    assert seen
    assert not [text for text in seen if "Скидка" in text or "Перенос отпуска" in text]


def test_many_ask_at_once(assistant: Assistant) -> None:
    """Tokenizers are not made for several threads: no question may fail or get another's scores."""
    questions = [f"{word} согласует" for word in ("Отпуск", "Скидку", "Перенос отпуска начальник", "Hiring contract")]
    alone = {asked: _order(company.search(assistant, asked)) for asked in questions}

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(assistant.search(asked, LOCAL_OPERATOR) for asked in questions * 8))

    for asked, found in zip(questions * 8, asyncio.run(all_at_once()), strict=True):
        assert found.notices == ()
        assert _order(found) == pytest.approx(alone[asked])


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (RuntimeError("CUDA out of memory.\nTried to allocate"), "CUDA out of memory."),
        (RuntimeError(), "RuntimeError"),
        (IndexError("index out of range in self"), "index out of range in self"),
    ],
    ids=["memory", "wordless", "index"],
)
def test_reranker_that_fails_leaves_the_fused_order(
    place: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, detail: str
) -> None:
    class Failing(BaseNodePostprocessor):
        def _postprocess_nodes(
            self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
        ) -> list[NodeWithScore]:
            raise error

    def failing(*, model: str, device: str, use_fp16: bool, candidates: int, batch_size: int) -> BaseNodePostprocessor:  # noqa: ARG001
        return Failing()

    monkeypatch.setitem(RERANKERS._factories, "failing", failing)
    with build(company.settings(place / "storage", reranker=Reranker(provider="failing"))) as assistant:
        fused = company.search(assistant, QUESTION, method="hybrid")
        found = company.search(assistant, QUESTION)
    assert [(notice.kind, notice.detail) for notice in found.notices] == [("rerank_failed", detail)]
    assert found.sources == fused.sources
    assert assistant.retriever.reranking.counts == {"failed": 1}


def test_model_that_is_not_there_is_a_sentence(place: Path) -> None:
    reranker = Reranker(provider="flag_embedding", model="no/such-model")
    with (
        build(company.settings(place / "storage", reranker=reranker)) as assistant,
        pytest.raises(
            ConfigError, match=r"reranker.model 'no/such-model' is not .*assistant models pull no/such-model"
        ),
    ):
        company.search(assistant, QUESTION)


def _order(found: Any) -> dict[str, float]:  # noqa: ANN401
    return {source.passage.chunk: source.score for source in found.sources}
