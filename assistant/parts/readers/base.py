"""What every reader shares: the registry, what comes out of a file, and the LlamaIndex reader around it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document

from assistant.errors import DocumentError
from assistant.parts import versions
from assistant.registry import Registry
from assistant.settings import IngestLimits, Ocr

VERSION = versions.READERS

PartKind = Literal["page", "sheet", "slide", "attachment"]


@dataclass(frozen=True)
class Part:
    """Markdown of one page, sheet or slide, or of a whole document that has none (label None)."""

    text: str
    label: str | None = None
    kind: PartKind = "page"
    picture: int | None = None  # it needs OCR: the number that `recognise` takes; `text` is what there is without
    confidence: float | None = None  # of OCR, 0-100; None: not by OCR
    repaired: int = 0  # words whose Latin look-alikes were put back into Cyrillic


@dataclass(frozen=True)
class Reading:
    """What a file holds. `properties` is what it says of itself: title, author, date (ISO), version …"""

    parts: list[Part]
    properties: dict[str, Any] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()  # what is not in `parts` for a reason that settings may change: no password, no OCR


@dataclass(frozen=True)
class ReadContext:
    """What a reader may use beside the file."""

    limits: IngestLimits = field(default_factory=IngestLimits)
    ocr: Ocr = field(default_factory=Ocr)
    passwords: Sequence[str] = ()
    cache: Path | None = None  # folder for recognised pages, so that none is recognised twice


class CorporateReader(BaseReader):
    """From a file to its parts. Runs in a worker process (`assistant.ingest.reading`)."""

    @abstractmethod
    def read(self, file: Path, context: ReadContext) -> Reading:
        """Everything but OCR. Raises `DocumentError` with a reason for a person."""

    def recognise(self, file: Path, pictures: Sequence[int], context: ReadContext) -> list[Part]:
        """OCR of those parts, in that order. Raises `DocumentError`."""
        raise DocumentError("it has no pictures to be recognised")

    def load_data(self, file: Path, extra_info: dict[str, Any] | None = None) -> list[Document]:
        """As a LlamaIndex reader, for notebooks: one `Document` a part, OCR included. Raises `DocumentError`."""
        context = ReadContext()
        reading = self.read(Path(file), context)
        parts = reading.parts
        if pictures := [part.picture for part in parts if part.picture is not None]:
            parts = with_recognised(parts, self.recognise(Path(file), pictures, context))
        documents = [_document(part, reading.properties, extra_info or {}) for part in parts if part.text.strip()]
        if not documents:
            raise DocumentError("no text was found in it")
        return documents


READERS: Registry[CorporateReader] = Registry("reader")


def with_recognised(parts: list[Part], recognised: list[Part]) -> list[Part]:
    """The parts with those that OCR has read put in their places; one that it found nothing in stays as it was."""
    found = {part.picture: replace(part, picture=None) for part in recognised if part.text.strip()}
    return [
        found.get(part.picture, replace(part, picture=None)) if part.picture is not None else part for part in parts
    ]


def _document(part: Part, properties: dict[str, Any], extra_info: dict[str, Any]) -> Document:
    technical = {"page_kind": part.kind, "ocr_confidence": part.confidence} if part.label or part.confidence else {}
    label = {"page_label": part.label} if part.label else {}
    return Document(
        text=part.text,
        metadata={**extra_info, **properties, **label, **technical},
        excluded_embed_metadata_keys=[*label, *technical],
        excluded_llm_metadata_keys=[*technical],
    )


def clean(text: str) -> str:
    """Without NUL and lone surrogates, which databases and JSON refuse."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip()
