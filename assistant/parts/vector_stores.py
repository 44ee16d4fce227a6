"""Vector stores: one Chroma collection as a LlamaIndex store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.vector_stores.chroma import ChromaVectorStore

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from llama_index.core.schema import BaseNode


class ClassVectorStore(ChromaVectorStore):
    """The collection of one access class and generation.

    Subclassed because the stock store keeps every text and all metadata a second time, and adds more nodes at once than
    Chroma's batch limit allows. Questions do not come by it (chroma_http.py).
    """

    def add(self, nodes: list[BaseNode], **add_kwargs: Any) -> list[str]:
        """Add nodes that have embeddings, in batches; ids that are already there stay as they are."""
        batch = self._collection._client.get_max_batch_size()
        added: list[str] = []
        for start in range(0, len(nodes), batch):
            part = nodes[start : start + batch]
            self._collection.add(
                ids=[node.node_id for node in part],
                embeddings=[node.get_embedding() for node in part],
                metadatas=[{"document_id": node.ref_doc_id or ""} for node in part],
            )
            added += [node.node_id for node in part]
        return added

    def present(self, ids: list[str]) -> set[str]:
        """Those of the ids that are there."""
        batch = self._collection._client.get_max_batch_size()
        found: set[str] = set()
        for start in range(0, len(ids), batch):
            found.update(self._collection.get(ids=ids[start : start + batch], include=[])["ids"])
        return found

    def embeddings(self, ids: list[str]) -> dict[str, list[float]]:
        """The stored vectors of those ids."""
        batch = self._collection._client.get_max_batch_size()
        vectors: dict[str, list[float]] = {}
        for start in range(0, len(ids), batch):
            found = self._collection.get(ids=ids[start : start + batch], include=["embeddings"])
            vectors.update(zip(found["ids"], (vector.tolist() for vector in found["embeddings"]), strict=True))
        return vectors

    def delete_nodes(self, node_ids: list[str] | None = None, filters: object = None, **delete_kwargs: Any) -> None:
        """Delete by id, in batches; an empty list is nothing to do (Chroma raises on it)."""
        ids = node_ids or []
        batch = self._collection._client.get_max_batch_size() if ids else 1
        for start in range(0, len(ids), batch):
            self._collection.delete(ids=ids[start : start + batch])


def open_collection(client: ClientAPI, name: str) -> ClassVectorStore:
    """The collection of that name, made with cosine distance when it is new."""
    collection = client.get_or_create_collection(
        name, configuration={"hnsw": {"space": "cosine", "ef_search": 100}}, embedding_function=None
    )
    return ClassVectorStore(chroma_collection=collection)
