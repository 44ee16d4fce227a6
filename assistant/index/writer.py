"""Puts document versions into Chroma and the chunk table so that a kill at any moment loses and doubles nothing.

Order: note the intended write → add new ids → commit the catalog → delete stale ids. What a search sees is decided
by the catalog alone, so vectors that are not in the chunk table are never shown, and until the commit the old version
is whole: deleting first would leave it without vectors when the run is killed and the file is put back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from assistant.errors import ChromaUnavailable
from assistant.index.catalog import Catalog, Write
from assistant.index.chroma_server import ChromaServer

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

    from assistant.parts.vector_stores import ClassVectorStore
    from assistant.records.tables import ChunkRow, DocumentRow

P = ParamSpec("P")
R = TypeVar("R")


def _translated(write: Callable[P, R]) -> Callable[P, R]:
    """Chroma's own errors become `ChromaUnavailable`: the run stops, and the next one goes on from there."""

    @wraps(write)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        import httpx
        from chromadb.errors import ChromaError

        try:
            return write(*args, **kwargs)
        except (httpx.HTTPError, ChromaError) as error:
            raise ChromaUnavailable(f"the vector store failed: {error}; run the same command again") from error

    return call


class Writer:
    """Replaces, moves and removes documents."""

    def __init__(self, catalog: Catalog, chroma: ChromaServer, collection_name: Callable[[int], str]) -> None:
        self._catalog = catalog
        self._chroma = chroma
        self._collection_name = collection_name

    @_translated
    def replace(self, row: DocumentRow, nodes: list[BaseNode], chunks: list[ChunkRow]) -> None:
        """Make this version of the document (its row, nodes with embeddings, chunks) the one that is found."""
        write = self._wanted(row)
        self._catalog.begin_write(write)
        if nodes:
            self._at(write.collection, lambda store: store.add(nodes))
        self._catalog.commit_version(row, chunks)
        self._delete_stale(row.id, keep=write)

    @_translated
    def move(self, row: DocumentRow, class_id: int) -> None:
        """Move a document to another access class: the old readers lose it before the new ones get it."""
        self._catalog.change_class(row, class_id)
        self.settle(row)

    def unsettled(self, rows: list[DocumentRow]) -> list[DocumentRow]:
        """Rows whose vectors are not exactly where the catalog says: a run was killed, or the model was changed."""
        present: dict[str, list[Write]] = {}
        for write in self._catalog.writes():
            present.setdefault(write.document, []).append(write)
        return [row for row in rows if present.get(row.id, []) != ([self._wanted(row)] if row.chunks else [])]

    @_translated
    def settle(self, row: DocumentRow) -> bool:
        """Make Chroma hold exactly this row's version in this row's class. True if it does now.

        False when the vectors are not there to be moved (another embedding model): read the document anew.
        """
        if not row.chunks:
            self._delete_stale(row.id, keep=None)
            return True
        wanted = self._wanted(row)
        present = self._catalog.writes(row.id)
        if present == [wanted]:
            return True
        # A write that was noted need not have been made.
        if wanted not in present or not self._is_complete(wanted):
            prefix = wanted.collection.rpartition("-")[0]
            donors = [w for w in present if w.version == row.version and w.collection.rpartition("-")[0] == prefix]
            if not any(self._copy(donor, wanted) for donor in donors if donor != wanted):
                return False
        self._delete_stale(row.id, keep=wanted)
        return True

    @_translated
    def remove(self, document: str) -> int:
        """Remove a document everywhere; returns how many chunks it had."""
        chunks = len(self._catalog.passages_of(document))
        self._catalog.forget(document)
        self._delete_stale(document, keep=None)
        return chunks

    @_translated
    def sweep(self) -> None:
        """Finish removals that were killed half way."""
        for write in self._catalog.orphaned_writes():
            self._delete(write)

    def _wanted(self, row: DocumentRow) -> Write:
        assert row.class_id is not None
        return Write(row.id, self._collection_name(row.class_id), row.version, row.chunks)

    def _is_complete(self, write: Write) -> bool:
        return len(self._at(write.collection, lambda store: store.embeddings(write.chunk_ids()))) == write.chunks

    def _copy(self, source: Write, target: Write) -> bool:
        from llama_index.core.schema import TextNode

        vectors = self._at(source.collection, lambda store: store.embeddings(source.chunk_ids()))
        if len(vectors) != target.chunks:
            return False
        self._catalog.begin_write(target)
        nodes: list[BaseNode] = [TextNode(id_=key, text="", embedding=vector) for key, vector in vectors.items()]
        self._at(target.collection, lambda store: store.add(nodes))
        return True

    def _delete_stale(self, document: str, keep: Write | None) -> None:
        for write in self._catalog.writes(document):
            if keep is None or (write.collection, write.version) != (keep.collection, keep.version):
                self._delete(write)

    def _delete(self, write: Write) -> None:
        self._at(write.collection, lambda store: store.delete_nodes(write.chunk_ids()))
        self._catalog.end_write(write)

    def _at(self, collection: str, act: Callable[[ClassVectorStore], R]) -> R:
        """Once more when the server died in the middle: a managed one is started anew, and ids make it harmless."""
        import httpx

        from assistant.parts.vector_stores import open_collection

        try:
            return act(open_collection(self._chroma.client(), collection))
        except httpx.TransportError:
            self._chroma.restart_if_dead()
            return act(open_collection(self._chroma.client(), collection))
