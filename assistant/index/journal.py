"""The journal of vector writes: what may be in Chroma, noted before it is added and struck out after it is deleted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, or_, select

from assistant.index.scope import GenerationScope
from assistant.records.tables import DocumentRow, VectorWriteRow


@dataclass(frozen=True)
class Write:
    """Vectors of one version of a document that may be in a Chroma collection."""

    document: str
    collection: str
    version: str
    chunks: int

    def chunk_ids(self) -> list[str]:
        return [chunk_id(self.document, self.version, position) for position in range(self.chunks)]


def chunk_id(document: str, version: str, position: int) -> str:
    """Derived from document, version and position, so that doing a document twice changes nothing."""
    return f"{document}-{version}-{position}"


_TABLE = cast(Table, VectorWriteRow.__table__)
_KEY = ("generation", "document_id", "collection", "version")
_BATCH = 500  # ids in one IN (…): SQLite's oldest limit is 999


def _key(write: Write) -> tuple[str, str, str]:
    return write.document, write.collection, write.version


def _write(row: Any) -> Write:  # noqa: ANN401 - a row of the table
    return Write(row.document_id, row.collection, row.version, row.chunks)


class WriteJournal(GenerationScope):
    """Repository of one generation's vector writes."""

    def begin_writes(self, writes: list[Write]) -> None:
        """One that was noted before by a killed run stays noted with its larger number of chunks."""
        known = {_key(write): write for write in self.writes_of([write.document for write in writes])}
        with self._database.transaction() as session:
            for write in writes:
                before = known.get(_key(write))
                if before is None:
                    session.add(VectorWriteRow(**self._key_columns(write), chunks=write.chunks))
                elif before.chunks < write.chunks:
                    session.merge(VectorWriteRow(**self._key_columns(write), chunks=write.chunks))

    def end_writes(self, writes: list[Write]) -> None:
        statement = delete(_TABLE).where(*(_TABLE.c[name] == bindparam(f"old_{name}") for name in _KEY))
        values = [{f"old_{name}": value for name, value in self._key_columns(write).items()} for write in writes]
        with self._database.transaction() as session:
            session.connection().execute(statement, values)

    def writes(self) -> list[Write]:
        with self._database.transaction() as session:
            return [_write(row) for row in session.execute(select(_TABLE).where(self._is_mine(VectorWriteRow)))]

    def writes_of(self, documents: list[str]) -> list[Write]:
        found: list[Write] = []
        with self._database.transaction() as session:
            for start in range(0, len(documents), _BATCH):
                wanted = _TABLE.c.document_id.in_(documents[start : start + _BATCH])
                query = select(_TABLE).where(self._is_mine(VectorWriteRow), wanted)
                found += [_write(row) for row in session.execute(query)]
        return found

    def orphaned_writes(self) -> list[Write]:
        """Writes whose document is gone: a removal that was killed half way."""
        known = select(DocumentRow.id).where(self._is_mine(DocumentRow))
        query = select(_TABLE).where(self._is_mine(VectorWriteRow), _TABLE.c.document_id.not_in(known))
        with self._database.transaction() as session:
            return [_write(row) for row in session.execute(query)]

    def has_lost_vectors(self, class_ids: Collection[int], collections: Collection[str]) -> bool:
        """Whether a document of those classes has its vectors in none but those collections, which are not there,
        or in those of another embedding model. One that is just being moved still has them where it was.
        """
        generations = {f"{name.rpartition('-')[0]}-c" for name in collections}
        elsewhere = select(VectorWriteRow.document_id).where(
            self._is_mine(VectorWriteRow),
            or_(*(VectorWriteRow.collection.startswith(prefix, autoescape=True) for prefix in generations)),
            VectorWriteRow.collection.not_in(collections),
        )
        query = select(DocumentRow.id).where(
            self._is_mine(DocumentRow),
            DocumentRow.class_id.in_(class_ids),
            DocumentRow.chunks > 0,
            DocumentRow.id.not_in(elsewhere),
        )
        with self._database.transaction() as session:
            return session.scalar(query.limit(1)) is not None

    def _key_columns(self, write: Write) -> dict[str, Any]:
        return dict(zip(_KEY, (self.generation, *_key(write)), strict=True))
