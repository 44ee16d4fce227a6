"""Dense and sparse search inside the permitted classes; nothing here can be asked without class ids."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from assistant.errors import ChromaUnavailable, IndexNotReady
from assistant.index.catalog import Catalog
from assistant.index.chroma_server import ChromaServer
from assistant.index.keyword import KeywordIndex, KeywordRetriever

if TYPE_CHECKING:
    from assistant.parts.vector_stores import ClassVectorStore

_PARALLEL = 8  # queries to Chroma side by side: measured best at 4 to 8


class Search:
    """Finds chunk ids by words and by vectors."""

    def __init__(
        self, catalog: Catalog, chroma: ChromaServer, keyword: KeywordIndex, collection_name: Callable[[int], str]
    ) -> None:
        self._catalog = catalog
        self._chroma = chroma
        self._keyword = keyword
        self._collection_name = collection_name
        self._stores: dict[str, ClassVectorStore] = {}
        self._pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="chroma")

    def keyword_retriever(self) -> KeywordRetriever:
        """Raises `IndexNotReady` before the first ingest."""
        found = self._keyword.current()
        if found is None or not len(found.chunks):
            raise IndexNotReady("no documents have been loaded yet: run `assistant ingest`")
        return found

    def sparse(self, question: str, class_ids: frozenset[int], k: int) -> dict[str, float]:
        """Chunk id → BM25 score, best first."""
        return self.keyword_retriever().search(question, class_ids, k)

    def dense(self, vector: list[float], class_ids: frozenset[int], k: int) -> dict[str, float]:
        """Chunk id → cosine similarity, best first: every permitted collection is asked side by side."""
        names = [self._collection_name(number) for number in sorted(class_ids)]
        found = self._pool.map(lambda name: self._query(name, vector, k), names)
        best = heapq.nlargest(k, (pair for part in found for pair in part), key=lambda pair: pair[1])
        return dict(best)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _query(self, name: str, vector: list[float], k: int) -> list[tuple[str, float]]:
        import httpx
        from chromadb.errors import ChromaError, NotFoundError
        from llama_index.core.vector_stores.types import VectorStoreQuery

        query = VectorStoreQuery(query_embedding=vector, similarity_top_k=k)
        for attempt in (1, 2):
            try:
                found = self._store(name).query(query)
            except NotFoundError:
                self._stores.pop(name, None)  # the collection was made anew, or the server was restarted elsewhere
                if attempt == 2:
                    return []
            except (httpx.HTTPError, ChromaError) as error:
                self._stores.clear()
                if attempt == 2:
                    raise ChromaUnavailable(f"the vector store failed: {error}; see `assistant doctor`") from error
            else:
                return list(zip(found.ids or [], found.similarities or [], strict=True))
        return []

    def _store(self, name: str) -> ClassVectorStore:
        from assistant.parts.vector_stores import ClassVectorStore

        client = self._chroma.client()
        if name not in self._stores:
            self._stores[name] = ClassVectorStore(
                chroma_collection=client.get_collection(name, embedding_function=None)
            )
        return self._stores[name]
