"""Hybrid retrieval as LlamaIndex's documentation has it, in its defaults, to compare with.

`SentenceSplitter` (1,024 tokens, overlap 200) → the given embedding → `ChromaVectorStore` on a Chroma server;
`BM25Retriever` with its English stemmer over the same nodes; `QueryFusionRetriever` (reciprocal rank, no generated
queries). Only how many results are asked for is ours: its default of two could not be measured at ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.evaluation.datasets import CorpusDocument, Question
from assistant.evaluation.reciprocal_rank import fusion
from assistant.index.chroma_server import ChromaServer

if TYPE_CHECKING:
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.schema import BaseNode

BATCH = 5_000  # Chroma takes 5,461 at once


def plain_rankings(
    corpus: Sequence[CorpusDocument],
    questions: Sequence[Question],
    embed_model: BaseEmbedding,
    k: int,
    folder: Path,
) -> dict[str, list[list[str]]]:
    """By retriever, for each question: the documents of its passages, best first, as often as they were found."""
    from llama_index.core import Document
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.retrievers.bm25 import BM25Retriever

    texts = [(one.id, f"{one.title}\n\n{one.text}" if one.title else one.text) for one in corpus]
    nodes = SentenceSplitter().get_nodes_from_documents([Document(id_=key, text=text) for key, text in texts])
    k = min(k, len(nodes))
    server = ChromaServer(mode="managed", host="127.0.0.1", port=0, path=folder)
    try:
        vector = _vector(nodes, embed_model, server, k)
        words = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=k)
        retrievers = {"plain_bm25": words, "plain_vector": vector, "plain": fusion([vector, words], k)}
        return {
            name: [[str(found.node.ref_doc_id) for found in retriever.retrieve(one.text)] for one in questions]
            for name, retriever in retrievers.items()
        }
    finally:
        server.close()


def _vector(nodes: Sequence[BaseNode], embed_model: BaseEmbedding, server: ChromaServer, k: int) -> BaseRetriever:
    from llama_index.core import StorageContext, VectorStoreIndex
    from llama_index.vector_stores.chroma import ChromaVectorStore

    space: Any = {"hnsw": {"space": "cosine", "ef_search": 100}}
    collection = server.client().get_or_create_collection("plain", configuration=space, embedding_function=None)
    storage = StorageContext.from_defaults(vector_store=ChromaVectorStore(chroma_collection=collection))
    index = VectorStoreIndex(nodes[:BATCH], storage_context=storage, embed_model=embed_model)
    for start in range(BATCH, len(nodes), BATCH):
        index.insert_nodes(list(nodes[start : start + BATCH]))
    return index.as_retriever(similarity_top_k=k)
