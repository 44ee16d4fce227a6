"""Dense and sparse search inside the permitted classes; nothing here can be asked without class ids."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.errors import ChromaUnavailable, IndexNotReady
from assistant.index.catalog import Catalog
from assistant.index.chroma_server import QUESTION_SECONDS, ChromaServer
from assistant.index.glossary import Glossary
from assistant.index.keyword import KeywordIndex
from assistant.index.terms import Term, searched, terms

if TYPE_CHECKING:
    from assistant.index.keyword_retriever import KeywordRetriever
    from assistant.parts.chroma_http import ChromaQueries

_PARALLEL = 8  # questions; each has up to eight requests under way
_DEADLINE_SECONDS = 5.0  # words answer in milliseconds: nobody waits longer for vectors of a server that hangs
_START_SECONDS = 45.0  # the first question of a process may have to start the server
_REST_SECONDS = 5.0  # after a failure others go without at once instead of queueing for the same failure

# Chunk id and cosine similarity; None for a collection that is not there.
_Part = list[tuple[str, float]] | None


@dataclass(frozen=True)
class Dense:
    """Chunk id → cosine similarity, best first. `is_whole` is False when some permitted documents have no vectors."""

    found: dict[str, float]
    is_whole: bool = True


class Search:
    """Finds chunk ids by words and by vectors."""

    def __init__(
        self,
        catalog: Catalog,
        chroma: ChromaServer,
        keyword: KeywordIndex,
        collection_name: Callable[[int], str],
        glossary: Callable[[], Glossary],
    ) -> None:
        self._catalog = catalog
        self._chroma = chroma
        self._keyword = keyword
        self._collection_name = collection_name
        self.glossary = glossary  # read at its first use: most commands ask nothing
        self._paths: dict[str, str] = {}
        self._queries: ChromaQueries | None = None
        self._pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="chroma")
        self._lock = threading.Lock()  # over what follows; never held while waiting
        self._limit = _START_SECONDS
        self._late: set[Future[dict[str, _Part]]] = set()
        self._failed: tuple[float, str] | None = None

    def keyword_retriever(self) -> KeywordRetriever:
        """Raises `IndexNotReady` before the first ingest."""
        found = self._keyword.current()
        if found is None or not len(found.chunks):
            raise IndexNotReady("no documents have been loaded yet: run `assistant ingest`")
        return found

    def terms(self, question: str, class_ids: frozenset[int]) -> tuple[Term, ...]:
        """What the question names, in the words of the permitted classes. Raises `IndexNotReady`, `ConfigError`."""
        return terms(question, self.keyword_retriever().vocabulary(class_ids), self.glossary())

    def sparse(self, terms: Sequence[Term], class_ids: frozenset[int], k: int) -> dict[str, float]:
        """Chunk id → BM25 score, best first."""
        return self.keyword_retriever().search(searched(terms), class_ids, k)

    def dense(self, vector: list[float], class_ids: frozenset[int], k: int) -> Dense:
        """The nearest chunks of every permitted collection: the best `k` of each, so the best `k` of all are among them.

        Raises `ChromaUnavailable` at the deadline at the latest, and at once while another question's failure is new.
        """
        from assistant.parts.chroma_http import request_of

        names = {self._collection_name(number): number for number in sorted(class_ids)}
        request = request_of(vector, k)
        parts = self._ask(list(names), request)
        is_whole = True
        for again in (True, False):
            gone = {name for name, part in parts.items() if part is None}
            # Most classes without a collection have no documents.
            if not gone or not self._catalog.has_lost_vectors([names[name] for name in gone], gone):
                break
            if again:  # it may have been made meanwhile
                parts |= self._ask(list(gone), request)
            else:
                is_whole = False
        pairs = (pair for part in parts.values() for pair in part or [])
        return Dense(dict(heapq.nlargest(k, pairs, key=lambda pair: pair[1])), is_whole)

    def _ask(self, names: list[str], request: bytes) -> dict[str, _Part]:
        limit = self._checked_limit()
        asked = self._pool.submit(self._query, names, request)
        late = bool(wait([asked], limit).not_done)
        try:
            if late:
                raise ChromaUnavailable(f"the vector store gave no answer in {limit:.0f} s; see `assistant doctor`")
            parts = asked.result()
        except ChromaUnavailable as error:
            with self._lock:
                self._failed = (time.monotonic(), str(error))
                if late and not asked.cancel():
                    self._late.add(asked)
            raise
        with self._lock:
            self._failed = None
        return parts

    def _checked_limit(self) -> float:
        """How long this question may wait. Raises `ChromaUnavailable` while the last failure is new, or still hangs.

        When it is old, one question tries, and the others go without until that one has had an answer.
        """
        with self._lock:
            self._late = {future for future in self._late if not future.done()}
            if self._failed and (self._late or time.monotonic() - self._failed[0] < _REST_SECONDS):
                raise ChromaUnavailable(self._failed[1])
            if self._failed:
                self._failed = (time.monotonic(), self._failed[1])
            limit, self._limit = self._limit, _DEADLINE_SECONDS
            return limit

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._queries:
            self._queries.close()

    def _query(self, names: list[str], request: bytes) -> dict[str, _Part]:
        import httpx
        from chromadb.errors import ChromaError

        for is_last in (False, True):
            try:
                paths = {name: path for name in names if (path := self._path(name))}
                found = self._connections().nearest(paths.values(), request) if paths else {}
            except (httpx.HTTPError, ChromaError) as error:
                self._paths.clear()
                if is_last:
                    raise ChromaUnavailable(f"the vector store failed: {error}; see `assistant doctor`") from error
                continue
            stale = [name for name, path in paths.items() if found[path] is None]
            for name in stale:  # the collection was made anew, or the server was restarted elsewhere
                self._paths.pop(name, None)
            if not stale or is_last:
                return {name: found.get(paths.get(name, "")) for name in names}
        raise AssertionError("the last attempt returns or raises")

    def _connections(self) -> ChromaQueries:
        from assistant.parts.chroma_http import ChromaQueries

        server = self._chroma.client(QUESTION_SECONDS)._server
        if self._queries is None or self._queries.server is not server:
            self._queries = ChromaQueries(server)
        return self._queries

    def _path(self, name: str) -> str | None:
        """Where a collection is asked; None when it is not there."""
        from chromadb.errors import NotFoundError

        from assistant.parts.chroma_http import path_of

        if known := self._paths.get(name):
            return known
        client = self._chroma.client(QUESTION_SECONDS)
        try:
            found = path_of(client.get_collection(name, embedding_function=None))
        except NotFoundError:
            return None
        self._paths[name] = found
        return found
