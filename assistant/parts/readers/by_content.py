"""Readers that look at the content first: a file of another kind than its name says goes to the reader of that kind."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from assistant.parts.readers.base import READERS, CorporateReader, Part, ReadContext, Reading
from assistant.parts.readers.sniff import reader_for


class ByContent(CorporateReader):
    """`parse` gets the bytes of files of its own kind, and those of which nothing better is known."""

    name: str  # under which it is registered
    leaves_to: frozenset[str] = frozenset(
        {"office", "epub", "pdf"}
    )  # other readers; a picture is not a text's business

    @abstractmethod
    def parse(self, raw: bytes, file: Path, context: ReadContext) -> Reading:
        """Raises `DocumentError`."""

    def read(self, file: Path, context: ReadContext) -> Reading:
        """By the reader of what is in the file. Raises `DocumentError`."""
        raw = file.read_bytes()
        other = self._other(raw, file)
        return other.read(file, context) if other else self.parse(raw, file, context)

    def recognise(self, file: Path, pictures: Sequence[int], context: ReadContext) -> list[Part]:
        """By the reader of what is in the file. Raises `DocumentError`."""
        other = self._other(file.read_bytes(), file)
        return other.recognise(file, pictures, context) if other else super().recognise(file, pictures, context)

    def _other(self, raw: bytes, file: Path) -> CorporateReader | None:
        name = reader_for(raw, file.name)
        if name == self.name or name not in self.leaves_to or name not in READERS.names():
            return None
        return READERS.build(name)
