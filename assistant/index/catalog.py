"""The catalog: every document, its class, its chunks and what became of it. The truth that searches are checked against."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, inspect, or_, select, update
from sqlalchemy.orm import Session

from assistant.access.principal import AccessClass
from assistant.errors import NotFound, StorageError
from assistant.index.journal import Write, WriteJournal, chunk_id
from assistant.index.succession import DocumentRecords, batches
from assistant.records.tables import (
    AccessClassRow,
    ChunkColumns,
    ChunkRow,
    CounterRow,
    DocumentRow,
    GenerationRow,
    VectorWriteRow,
)

__all__ = ["FAILED", "INDEXED", "Catalog", "Passage", "Write", "chunk_id", "now", "page_label"]

INDEXED, FAILED = "indexed", "failed"
_LABEL = 100  # characters
_BATCH = 500  # ids in one IN (…): SQLite's oldest limit is 999


@dataclass(frozen=True)
class Passage:
    """A chunk as people see it: its text, where it is from, and its access class."""

    chunk: str
    document: str
    path: str
    title: str
    section: str
    page: str | None
    position: int
    text: str
    class_id: int
    access_class: AccessClass
    page_kind: str = "page"  # what `page` labels: page, sheet, slide or attachment

    @property
    def version(self) -> str:
        """Of the document: it is part of the chunk's id."""
        return self.chunk.removeprefix(f"{self.document}-").rpartition("-")[0]

    @property
    def indexed_text(self) -> str:
        """What BM25 indexes and the embedding model reads: title, section, text."""
        return "\n".join(part for part in (self.title, self.section, self.text) if part)


class Catalog(WriteJournal, DocumentRecords):
    """Repository of one generation's documents, chunks and (inherited) vector writes and editions; of the classes of all."""

    # --- access classes

    def classes(self) -> dict[int, AccessClass]:
        with self._database.transaction() as session:
            rows = session.execute(select(AccessClassRow.id, AccessClassRow.department, AccessClassRow.level))
            return {number: AccessClass(department, level) for number, department, level in rows}

    def class_id(self, access_class: AccessClass) -> int:
        """The number of a class, made at first use."""
        wanted = select(AccessClassRow.id).where(
            AccessClassRow.department == access_class.department, AccessClassRow.level == access_class.level
        )
        for _ in range(2):
            with self._database.transaction() as session:
                found = session.scalar(wanted)
            if found is not None:
                return found
            with suppress(StorageError), self._database.transaction() as session:  # another process may be first
                session.add(AccessClassRow(department=access_class.department, level=access_class.level))
        with self._database.transaction() as session:
            return session.scalars(wanted).one()

    # --- documents

    def documents(self, *, pipeline: str | None = None, source: str | None = None) -> list[DocumentRow]:
        query = select(DocumentRow).where(self._is_mine(DocumentRow))
        query = query.order_by(DocumentRow.pipeline, DocumentRow.source, DocumentRow.path)
        if pipeline is not None:
            query = query.where(DocumentRow.pipeline == pipeline)
        if source is not None:
            query = query.where(DocumentRow.source == source)
        with self._database.transaction() as session:
            return list(session.scalars(query))

    def loaded_elsewhere(self, locations: list[str], *, pipeline: str, source: str) -> list[tuple[str, str]]:
        """(Pipeline, source) pairs of which one of those files is a document too; only the first files are asked for."""
        others = or_(DocumentRow.pipeline != pipeline, DocumentRow.source != source)
        query = select(DocumentRow.pipeline, DocumentRow.source).where(
            self._is_mine(DocumentRow), DocumentRow.location.in_(locations[:_BATCH]), others
        )
        with self._database.transaction() as session:
            return [(row[0], row[1]) for row in session.execute(query.distinct())]

    def document(self, document: str) -> DocumentRow:
        """By id. Raises `NotFound`."""
        with self._database.transaction() as session:
            row = session.get(DocumentRow, (self.generation, document))
        if row is None:
            raise NotFound("there is no such document")
        return row

    def save(self, row: DocumentRow) -> None:
        """Insert or update a document's row as it is."""
        self.save_all([row])

    def save_all(self, rows: Iterable[DocumentRow]) -> None:
        """In one transaction."""
        with self._database.transaction() as session:
            for row in rows:
                self._keep(session, row)

    def read_again(self, documents: list[str]) -> None:
        """The next run reads those that failed once more, though neither file nor recipe has changed."""
        failed = and_(self._is_mine(DocumentRow), DocumentRow.status == FAILED)
        with self._database.transaction() as session:
            for part in batches(documents):
                session.execute(update(DocumentRow).where(failed, DocumentRow.id.in_(part)).values(fingerprint=""))

    def commit_versions(self, versions: list[tuple[DocumentRow, list[ChunkColumns]]]) -> None:
        """In one transaction: documents' rows and their chunks; vector writes stay until vectors are deleted."""
        ids = [row.id for row, _ in versions]
        chunks = [{**chunk, "generation": self.generation} for _, chunks in versions for chunk in chunks]
        with self._database.transaction() as session:
            for row, _ in versions:
                self._keep(session, row)
            session.flush()
            for part in batches(ids):
                session.execute(delete(ChunkRow).where(self._chunks_of(part)))
            if chunks:
                session.execute(insert(ChunkRow), chunks)
            self._count_change(session)

    def change_class(self, moves: Collection[tuple[DocumentRow, int]]) -> None:
        """From this one commit on only the new classes' readers find the documents."""
        with self._database.transaction() as session:
            for row, class_id in moves:
                row.class_id = class_id
                session.merge(row)
                session.execute(update(ChunkRow).where(self._chunks_of([row.id])).values(class_id=class_id))
            if moves:
                self._count_change(session)

    def forget(self, documents: list[str]) -> int:
        """Remove rows and chunks, and return how many chunks; the vector writes stay until their vectors are deleted."""
        chunks = 0
        with self._database.transaction() as session:
            for part in batches(documents):
                deleted = session.execute(delete(ChunkRow).where(self._chunks_of(part)))
                chunks += deleted.rowcount  # type: ignore[attr-defined]  # a CursorResult for a DELETE
                session.execute(delete(DocumentRow).where(self._is_mine(DocumentRow), DocumentRow.id.in_(part)))
            if documents:
                self._count_change(session)
        return chunks

    def taken_ids(self) -> set[str]:
        """Ids that documents have or that vector writes mention: those vectors are to be deleted."""
        with self._database.transaction() as session:
            documents = session.scalars(select(DocumentRow.id).where(self._is_mine(DocumentRow)))
            noted = select(VectorWriteRow.document_id).where(self._is_mine(VectorWriteRow)).distinct()
            return {*documents, *session.scalars(noted)}

    # --- chunks

    def passages(self, ids: Iterable[str]) -> dict[str, Passage]:
        """The chunks of those ids that are in force now; the others are left out."""
        found: dict[str, Passage] = {}
        with self._database.transaction() as session:
            for part in batches(ids):
                mine = {"generation": self.generation, "ids": part}
                rows = (
                    session.connection().execute(_PASSAGES_BY_ID, mine).all()
                )  # row by row lets other threads in at each
                found.update((row[0], _passage(row)) for row in rows)
        return found

    def passages_of(self, document: str) -> list[Passage]:
        """All chunks of a document in reading order."""
        with self._database.transaction() as session:
            query = _PASSAGES.where(self._chunks_of([document])).order_by(ChunkRow.position)
            return [_passage(row) for row in session.execute(query)]

    def chunk_classes(self) -> tuple[list[str], list[int]]:
        """Ids of all chunks in force, in no order, and their class ids."""
        with self._database.transaction() as session:
            query = select(ChunkRow.id, ChunkRow.class_id).where(self._is_mine(ChunkRow))
            rows = session.connection().execute(query).all()
        return [row[0] for row in rows], [row[1] for row in rows]

    def indexed_texts(self, ids: list[str]) -> Iterator[str]:
        """What BM25 indexes of those chunks, in their order; "" for one that is gone by now."""
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            found = self.passages(part)
            yield from (found[key].indexed_text if key in found else "" for key in part)

    def chunk_counts(self) -> dict[int, int]:
        """Chunks by class id."""
        with self._database.transaction() as session:
            query = select(ChunkRow.class_id, func.count()).where(self._is_mine(ChunkRow))
            rows = session.execute(query.group_by(ChunkRow.class_id))
            return {number: count for number, count in rows.all()}

    def status_counts(self) -> dict[str, int]:
        """Documents by status."""
        with self._database.transaction() as session:
            query = select(DocumentRow.status, func.count()).where(self._is_mine(DocumentRow))
            rows = session.execute(query.group_by(DocumentRow.status))
            return {status: count for status, count in rows.all()}

    def chunks_version(self) -> int:
        """Grows with every change of the chunk table."""
        with self._database.transaction() as session:
            return session.scalar(select(GenerationRow.changes).where(GenerationRow.number == self.generation)) or 0

    def store_id(self) -> str:
        """A random number that only this database has, in hex; made at its first use."""
        found = self._store_number()
        if found is None:
            with suppress(StorageError), self._database.transaction() as session:  # another process may be first
                session.add(CounterRow(name="store", value=secrets.randbits(62)))
            found = self._store_number()
        if found is None:
            raise StorageError("the database can't be written (database.url, storage.path)")
        return f"{found:016x}"

    def _store_number(self) -> int | None:
        with self._database.transaction() as session:
            return session.scalar(select(CounterRow.value).where(CounterRow.name == "store"))

    def _chunks_of(self, documents: list[str]) -> ColumnElement[bool]:
        return and_(self._is_mine(ChunkRow), ChunkRow.document_id.in_(documents))

    def _keep(self, session: Session, row: DocumentRow) -> None:
        """Insert a new row, update a known one; a merge would ask the database for each of a hundred thousand new ones."""
        if inspect(row).transient:
            row.generation = self.generation
            session.add(row)
        else:
            session.merge(row)

    def _count_change(self, session: Session) -> None:
        changes = GenerationRow.changes + 1
        session.execute(update(GenerationRow).where(GenerationRow.number == self.generation).values(changes=changes))


_PASSAGES = (  # columns: an object of the session for each row would cost a question 2 ms
    select(
        ChunkRow.id,
        ChunkRow.document_id,
        DocumentRow.path,
        DocumentRow.title,
        ChunkRow.section,
        ChunkRow.page,
        ChunkRow.position,
        ChunkRow.text,
        ChunkRow.class_id,
        ChunkRow.page_kind,
        AccessClassRow.department,
        AccessClassRow.level,
    )
    .join(DocumentRow, and_(ChunkRow.generation == DocumentRow.generation, ChunkRow.document_id == DocumentRow.id))
    .join(AccessClassRow, ChunkRow.class_id == AccessClassRow.id)
)


_PASSAGES_BY_ID = _PASSAGES.where(
    ChunkRow.generation == bindparam("generation"), ChunkRow.id.in_(bindparam("ids", expanding=True))
)


def _passage(row: Sequence[Any]) -> Passage:
    chunk, document, path, title, section, page, position, text, class_id, page_kind, department, level = row
    access_class = AccessClass(department, level)
    return Passage(chunk, document, path, title, section, page, position, text, class_id, access_class, page_kind)


def page_label(given: object) -> str | None:
    """As there is room for: an attachment's is made of the names of files. Some readers give a number."""
    text = "" if given is None else str(given)
    return f"{text[: _LABEL - 1]}…" if len(text) > _LABEL else text or None


def now() -> datetime:
    return datetime.now(UTC)
