"""Puts document versions into Chroma and the chunk table so that a kill at any moment loses and doubles nothing.

Order: note the intended write → add new ids → commit the catalog → delete stale ids. What a search sees is decided
by the catalog alone, so vectors that are not in the chunk table are never shown, and until the commit the old version
is whole: deleting first would leave it without vectors when the run is killed and the file is put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from assistant.errors import ChromaUnavailable
from assistant.index.catalog import Catalog, Write
from assistant.index.chroma_server import ChromaServer

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

    from assistant.parts.vector_stores import ClassVectorStore
    from assistant.records.tables import ChunkColumns, DocumentRow

R = TypeVar("R")


@contextmanager
def translated() -> Iterator[None]:
    """Chroma's own errors become `ChromaUnavailable`: the run stops, and the next one goes on from there."""
    import httpx
    from chromadb.errors import ChromaError

    try:
        yield
    except (httpx.HTTPError, ChromaError) as error:
        raise ChromaUnavailable(f"the vector store failed: {error}; run the same command again") from error


@dataclass(frozen=True)
class Version:
    """A document as it shall be found: its row, and its chunks in reading order."""

    row: DocumentRow
    chunks: list[ChunkColumns]


class Writer:
    """Replaces, moves and removes documents."""

    def __init__(self, catalog: Catalog, chroma: ChromaServer, collection_name: Callable[[int], str]) -> None:
        self._catalog = catalog
        self._chroma = chroma
        self._collection_name = collection_name
        self._opened: dict[str, ClassVectorStore] = {}

    # --- replacing, many documents at once: begin, add (in any number of pieces), commit

    def begin(self, versions: list[Version]) -> None:
        """Note what is about to be added."""
        self._catalog.begin_writes([self._wanted(version.row) for version in versions])

    @translated()
    def add(self, class_id: int, nodes: list[BaseNode]) -> None:
        """Nodes with embeddings, of documents that were begun; ids that are there already stay as they are."""
        self._at(self._collection_name(class_id), lambda store: store.add(nodes))

    @translated()
    def commit(self, versions: list[Version]) -> None:
        """Make those versions, whose vectors have all been added, the ones that are found."""
        self._catalog.commit_versions([(version.row, version.chunks) for version in versions])
        self._delete_stale([version.row.id for version in versions], keep=[self._wanted(v.row) for v in versions])

    # --- one document

    def unsettled(self, rows: list[DocumentRow]) -> list[DocumentRow]:
        """Rows whose vectors are not exactly where the catalog says: a run was killed, or the model was changed."""
        present: dict[str, list[Write]] = {}
        for write in self._catalog.writes():
            present.setdefault(write.document, []).append(write)
        return [row for row in rows if present.get(row.id, []) != ([self._wanted(row)] if row.chunks else [])]

    @translated()
    def settle(self, row: DocumentRow) -> bool:
        """Make Chroma hold exactly this row's version in this row's class. True if it does now.

        False when the vectors are not there to be moved (another embedding model): read the document anew.
        """
        if not row.chunks:
            self._delete_stale([row.id])
            return True
        wanted = self._wanted(row)
        present = self._catalog.writes_of([row.id])
        if present == [wanted]:
            return True
        # A write that was noted need not have been made.
        if wanted not in present or not self._is_complete(wanted):
            prefix = wanted.collection.rpartition("-")[0]
            donors = [w for w in present if w.version == row.version and w.collection.rpartition("-")[0] == prefix]
            if not any(self._copy(donor, wanted) for donor in donors if donor != wanted):
                return False
        self._delete_stale([row.id], keep=[wanted])
        return True

    def remove(self, documents: list[str]) -> int:
        """Remove documents everywhere; returns how many chunks they had."""
        if not documents:
            return 0
        chunks = self._catalog.forget(documents)
        self._delete_stale(documents)
        return chunks

    def sweep(self) -> None:
        """Finish removals that were killed half way."""
        if orphaned := self._catalog.orphaned_writes():
            self._delete(orphaned)

    def _wanted(self, row: DocumentRow) -> Write:
        assert row.class_id is not None
        return Write(row.id, self._collection_name(row.class_id), row.version, row.chunks)

    def _is_complete(self, write: Write) -> bool:
        return len(self._at(write.collection, lambda store: store.present(write.chunk_ids()))) == write.chunks

    def _copy(self, source: Write, target: Write) -> bool:
        from llama_index.core.schema import TextNode

        vectors = self._at(source.collection, lambda store: store.embeddings(source.chunk_ids()))
        if len(vectors) != target.chunks:
            return False
        self._catalog.begin_writes([target])
        nodes: list[BaseNode] = [TextNode(id_=key, text="", embedding=vector) for key, vector in vectors.items()]
        self._at(target.collection, lambda store: store.add(nodes))
        return True

    def _delete_stale(self, documents: list[str], keep: Iterable[Write] = ()) -> None:
        kept = {(write.document, write.collection, write.version) for write in keep}
        writes = self._catalog.writes_of(documents)
        if stale := [write for write in writes if (write.document, write.collection, write.version) not in kept]:
            self._delete(stale)

    @translated()
    def _delete(self, writes: list[Write]) -> None:
        by_collection: dict[str, list[str]] = {}
        for write in writes:
            by_collection.setdefault(write.collection, []).extend(write.chunk_ids())
        for collection, ids in by_collection.items():
            self._at(collection, lambda store, ids=ids: store.delete_nodes(ids))  # type: ignore[misc]
        self._catalog.end_writes(writes)

    def _at(self, collection: str, act: Callable[[ClassVectorStore], R]) -> R:
        """Once more when the server died in the middle, or the collection was made anew: ids make it harmless."""
        import httpx
        from chromadb.errors import NotFoundError

        try:
            return act(self._open(collection))
        except httpx.TransportError:
            self._chroma.restart_if_dead()
        except NotFoundError:  # somebody restored or emptied the server meanwhile
            pass
        self._opened.clear()
        return act(self._open(collection))

    def _open(self, collection: str) -> ClassVectorStore:
        from assistant.parts.vector_stores import open_collection

        client = self._chroma.client()
        store = self._opened.get(collection)
        if store is None or store.client._client is not client:
            store = self._opened[collection] = open_collection(client, collection)
        return store
