"""Whether catalog, chunk table, Chroma and the word index hold the same, and making them: `assistant doctor index`.

The chunk table is what counts: it has every text, so vectors and word index are made anew from it without a file being
read. Only what the chunk table itself lacks has to wait for the next ingest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, select, update

from assistant.errors import IndexNotReady
from assistant.index.catalog import INDEXED, Catalog
from assistant.index.chroma_server import ChromaServer
from assistant.index.journal import Write
from assistant.index.keyword import KeywordIndex
from assistant.index.scope import GenerationScope
from assistant.index.writer import translated
from assistant.records.database import Database
from assistant.records.tables import ChunkRow, DocumentRow

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

    from assistant.parts.vector_stores import ClassVectorStore

_PAGE = 5_000  # ids asked of Chroma at once
_EMBEDDED = 500  # passages embedded and added at once
_BATCH = 500  # ids in one IN (…)

Lock = Callable[[Callable[[], None] | None], AbstractContextManager[None]]
Embed = Callable[[list[str]], list[list[float]]]


class _Document(NamedTuple):
    id: str
    path: str
    class_id: int | None
    chunks: int
    status: str
    version: str


@dataclass
class Findings:
    """What does not agree. Documents are id → path; vectors are named by their passage's id, by collection."""

    documents: int = 0
    chunks: int = 0
    vectors: int = 0
    chunk_count: dict[str, str] = field(default_factory=dict)  # the catalog says another number than there are
    class_differs: dict[str, str] = field(default_factory=dict)  # none, or passages of another one
    classes: dict[str, set[int]] = field(default_factory=dict)  # of each document's passages
    chunks_without_document: list[str] = field(default_factory=list)
    vectors_missing: dict[str, set[str]] = field(default_factory=dict)
    vectors_surplus: dict[str, set[str]] = field(default_factory=dict)  # of no passage
    vectors_misplaced: dict[str, set[str]] = field(default_factory=dict)  # of a passage of another class
    writes_orphaned: list[Write] = field(default_factory=list)  # of documents that are gone
    writes_stale: list[Write] = field(default_factory=list)  # of other versions and classes than those in force
    writes_not_noted: list[Write] = field(default_factory=list)  # the journal does not know of vectors in force
    keyword: str = ""  # what is wrong with the word index

    def mixed(self) -> list[str]:
        """The documents with passages of several classes."""
        return [document for document in self.class_differs if len(self.classes.get(document, ())) > 1]

    def counts(self) -> dict[str, int]:
        """Problem → how many; those that are not there are left out."""
        found = {
            "chunk_count": len(self.chunk_count),
            "class_differs": len(self.class_differs),
            "chunks_without_document": len(self.chunks_without_document),
            "vectors_missing": sum(map(len, self.vectors_missing.values())),
            "vectors_surplus": sum(map(len, self.vectors_surplus.values())),
            "vectors_misplaced": sum(map(len, self.vectors_misplaced.values())),
            "writes_orphaned": len(self.writes_orphaned),
            "writes_stale": len(self.writes_stale),
            "writes_not_noted": len(self.writes_not_noted),
            "keyword": int(bool(self.keyword)),
        }
        return {name: count for name, count in found.items() if count}


class Consistency(GenerationScope):
    """Compares the parts of the index and repairs them; no ingest runs meanwhile."""

    def __init__(
        self,
        *,
        database: Database,
        catalog: Catalog,
        chroma: ChromaServer,
        keyword: KeywordIndex,
        collection_name: Callable[[int], str],
        embed: Embed,
        lock: Lock,
        is_own_server: bool,
    ) -> None:
        super().__init__(database, catalog.generation)
        self._catalog = catalog
        self._chroma = chroma
        self._keyword = keyword
        self._collection_name = collection_name
        self._embed = embed
        self._lock = lock
        self._is_own_server = is_own_server

    def compare(self, *, waiting: Callable[[], None] | None = None) -> Findings:
        """Raises `ChromaUnavailable`, `StorageError`. `waiting` is called once if an ingest has to finish first."""
        with self._lock(waiting), translated():
            return self._compare()

    def repair(self, *, waiting: Callable[[], None] | None = None) -> tuple[Findings, Findings]:
        """What was found, and what is left of it: documents that the next ingest has to read again."""
        with self._lock(waiting), translated():
            before = self._compare()
            if before.counts():
                self._repair(before)
            return before, self._compare() if before.counts() else before

    def renew_words(self, *, waiting: Callable[[], None] | None = None) -> bool:
        """Build the word index anew if it has a `problem`; True if it was built. Raises `IndexSwitched`, `StorageError`."""
        if not self._keyword.problem():
            return False
        with self._lock(waiting):
            return self._keyword.refresh()

    # --- comparing

    def _compare(self) -> Findings:
        documents, expected, found = self._chunk_table()
        self._compare_vectors(documents, expected, found)
        self._compare_journal(documents, found)
        found.keyword = self._keyword_problem({key: number for number, ids in expected.items() for key in ids})
        return found

    def _chunk_table(self) -> tuple[dict[str, _Document], dict[int, set[str]], Findings]:
        """The documents, the ids of their passages by class, and what is wrong with them."""
        columns = (DocumentRow.class_id, DocumentRow.chunks, DocumentRow.status, DocumentRow.version)
        found = Findings()
        counts: dict[str, int] = {}
        classes: dict[int, set[str]] = {}
        with self._database.transaction() as session:
            rows = session.execute(select(DocumentRow.id, DocumentRow.path, *columns).where(self._is_mine(DocumentRow)))
            documents = {row[0]: _Document(*row) for row in rows}
            query = select(ChunkRow.id, ChunkRow.document_id, ChunkRow.class_id).where(self._is_mine(ChunkRow))
            query = query.execution_options(yield_per=_PAGE)
            for key, document, class_id in session.execute(query):
                if document not in documents:
                    found.chunks_without_document.append(key)
                    continue
                counts[document] = counts.get(document, 0) + 1
                classes.setdefault(class_id, set()).add(key)
                found.classes.setdefault(document, set()).add(class_id)
        found.documents, found.chunks = len(counts), sum(counts.values())
        for one in documents.values():
            if one.chunks != counts.get(one.id, 0) or (one.status == INDEXED and not one.chunks):
                found.chunk_count[one.id] = one.path
            if found.classes.get(one.id, {one.class_id}) != {one.class_id} or (
                one.status == INDEXED and not one.class_id
            ):
                found.class_differs[one.id] = one.path
        return documents, classes, found

    def _compare_vectors(self, documents: dict[str, _Document], expected: dict[int, set[str]], found: Findings) -> None:
        wanted = {self._collection_name(number): ids for number, ids in expected.items()}
        prefix = self._collection_name(0).rpartition("-c")[0] + "-c"
        mixed = set(found.mixed())  # which of their classes is right is for the next ingest to say
        everywhere = set().union(*wanted.values())
        ours = {*documents, *(write.document for write in self._catalog.writes())}
        present = {one.name for one in self._chroma.client().list_collections() if one.name.startswith(prefix)}
        for name in sorted(present | set(wanted)):
            held = set(self._held(name)) if name in present else set()
            if not self._is_own_server:  # those of documents that were never ours may be another installation's
                held = {key for key in held if key.rsplit("-", 2)[0] in ours}
            held = {key for key in held if key.rsplit("-", 2)[0] not in mixed}
            here = {key for key in wanted.get(name, set()) if key.rsplit("-", 2)[0] not in mixed}
            found.vectors += len(held)
            for part, ids in (
                (found.vectors_missing, here - held),
                (found.vectors_misplaced, (held - here) & everywhere),
                (found.vectors_surplus, held - here - everywhere),
            ):
                if ids:
                    part[name] = ids

    def _compare_journal(self, documents: dict[str, _Document], found: Findings) -> None:
        unsure = {**found.chunk_count, **found.class_differs}  # the next ingest settles theirs
        in_force = {
            Write(one.id, self._collection_name(one.class_id), one.version, one.chunks)
            for one in documents.values()
            if one.chunks and one.class_id is not None and one.id not in unsure
        }
        writes = {write for write in self._catalog.writes() if write.document not in unsure}
        generation = self._collection_name(0).rpartition("-c")[0]
        found.writes_orphaned = sorted((one for one in writes if one.document not in documents), key=_order)
        found.writes_not_noted = sorted(in_force - writes, key=_order)
        others = writes - in_force - set(found.writes_orphaned)
        # Those of another embedding model are the only vectors a document has until it is embedded anew.
        found.writes_stale = sorted((w for w in others if w.collection.startswith(f"{generation}-c")), key=_order)

    def _keyword_problem(self, expected: dict[str, int]) -> str:
        try:
            index = self._keyword.current()
        except IndexNotReady as error:
            return str(error)
        if index is None:
            return "there is no word index" if expected else ""
        is_other = index.store != self._catalog.store_id()
        if problem := "the word index is of another database" if is_other else self._keyword.problem():
            return problem
        held = dict(zip((key.decode() for key in index.chunks), map(int, index.classes), strict=True))
        if held != expected:
            same = sum(expected.get(key) == number for key, number in held.items())
            return f"the word index has {same} of {len(expected)} passages as they are, and {len(held) - same} others"
        return ""

    def _held(self, collection: str) -> Iterator[str]:
        """Every id of a collection, in pages: a hundred thousand at once is more than a request should carry."""
        store = self._store(collection)
        for start in range(0, store.client.count(), _PAGE):
            yield from store.client.get(include=[], limit=_PAGE, offset=start)["ids"]

    # --- repairing

    def _repair(self, found: Findings) -> None:
        """Away with what is too much, then what is lacking; each vector is in the journal for as long as it is there."""
        if found.chunks_without_document:
            self._forget_chunks(found.chunks_without_document)
        for write in found.writes_orphaned:  # also of another embedding model
            self._store(write.collection).delete_nodes(write.chunk_ids())
        for part in (found.vectors_misplaced, found.vectors_surplus):
            for collection, ids in part.items():
                self._store(collection).delete_nodes(sorted(ids))
        if ended := found.writes_orphaned + found.writes_stale:
            self._catalog.end_writes(ended)
        self._catalog.begin_writes(found.writes_not_noted)
        for collection, missing in found.vectors_missing.items():
            self._add(collection, sorted(missing))
        self._take_classes(found)
        self._read_again([*found.chunk_count, *found.mixed()])
        if found.keyword or found.chunks_without_document:
            self._keyword.refresh(anew=True)

    def _add(self, collection: str, ids: list[str]) -> None:
        """Embed passages from the chunk table, the same text as an ingest does, and add their vectors."""
        from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

        for start in range(0, len(ids), _EMBEDDED):
            passages = list(self._catalog.passages(ids[start : start + _EMBEDDED]).values())
            vectors = self._embed([passage.indexed_text for passage in passages])
            nodes: list[BaseNode] = [
                TextNode(
                    id_=passage.chunk,
                    embedding=vector,
                    relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=passage.document)},
                )
                for passage, vector in zip(passages, vectors, strict=True)
            ]
            self._store(collection).add(nodes)

    def _take_classes(self, found: Findings) -> None:
        """The document gets the class of its passages, in which their vectors are: so the next ingest moves them all."""
        with self._database.transaction() as session:
            for document in set(found.class_differs) - set(found.mixed()):
                values: dict[str, int] = {"class_id": min(found.classes[document])} if document in found.classes else {}
                if not values and document in found.chunk_count:
                    values = {"chunks": 0}
                if values:
                    chosen = DocumentRow.id == document
                    session.execute(update(DocumentRow).where(self._is_mine(DocumentRow), chosen).values(values))

    def _read_again(self, documents: Iterable[str]) -> None:
        """The next ingest reads their files, whatever it knows of them."""
        wanted = list(documents)
        with self._database.transaction() as session:
            for start in range(0, len(wanted), _BATCH):
                chosen = DocumentRow.id.in_(wanted[start : start + _BATCH])
                mine = self._is_mine(DocumentRow)
                session.execute(update(DocumentRow).where(mine, chosen).values(fingerprint=""))

    def _forget_chunks(self, ids: list[str]) -> None:
        with self._database.transaction() as session:
            for start in range(0, len(ids), _BATCH):
                chosen = ChunkRow.id.in_(ids[start : start + _BATCH])
                session.execute(delete(ChunkRow).where(self._is_mine(ChunkRow), chosen))

    def _store(self, collection: str) -> ClassVectorStore:
        from assistant.parts.vector_stores import open_collection

        return open_collection(self._chroma.client(), collection)


def _order(write: Write) -> tuple[str, str, str]:
    return write.document, write.collection, write.version
