"""What the repositories of one generation have in common: every query says whose rows it means."""

from __future__ import annotations

from sqlalchemy import ColumnElement

from assistant.records.database import Database
from assistant.records.tables import ChunkRow, DocumentRow, VectorWriteRow

FIRST = 1  # the generation of a store that was never built anew


class GenerationScope:
    """A database, and the number of the generation whose rows are read and written."""

    def __init__(self, database: Database, generation: int = FIRST) -> None:
        self._database = database
        self.generation = generation

    def _is_mine(self, table: type[DocumentRow | ChunkRow | VectorWriteRow]) -> ColumnElement[bool]:
        return table.generation == self.generation
