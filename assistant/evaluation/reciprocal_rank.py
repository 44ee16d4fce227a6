"""Reciprocal rank fusion by LlamaIndex, to compare the weighted sum with. Imports LlamaIndex."""

from __future__ import annotations

from collections.abc import Mapping

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode


def fusion(retrievers: list[BaseRetriever], k: int) -> QueryFusionRetriever:
    """Of the first `k` of each; no query is generated, and the language model is given because it asks for OpenAI's."""
    return QueryFusionRetriever(
        retrievers,
        llm=MockLLM(),
        mode=FUSION_MODES.RECIPROCAL_RANK,
        similarity_top_k=k,
        num_queries=1,
        use_async=False,
    )


def reciprocal_rank(*rankings: Mapping[str, float]) -> list[str]:
    """Ids, best first, of several lists (id → score, best first)."""
    both: list[BaseRetriever] = [_Listed(found) for found in rankings]
    fused = fusion(both, sum(len(found) for found in rankings) or 1).retrieve("-")
    return [found.node.node_id for found in fused]


class _Listed(BaseRetriever):
    """Returns a list that was found before."""

    def __init__(self, found: Mapping[str, float]) -> None:
        # A node's hash, by which the fusion knows it again, is of its text and not of its id.
        self._found = [NodeWithScore(node=TextNode(id_=key, text=key), score=score) for key, score in found.items()]
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._found
