"""What runs inside a reading worker: limits on the process, then one file, or a few pages of one, at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import DocumentError

if TYPE_CHECKING:
    from assistant.parts.readers import Part, ReadContext, Reading


@dataclass(frozen=True)
class Job:
    """Sent to a worker: plain values only, for no class of a parser library may cross the border."""

    location: str
    reader: str
    options: dict[str, Any]
    limits: dict[str, Any]
    ocr: dict[str, Any]
    passwords: tuple[str, ...]
    cache: str | None


def read(job: Job) -> Reading:
    """The text of a file, and which of its parts need OCR. Raises `DocumentError`."""
    from assistant.parts.readers import READERS
    from assistant.parts.readers.guards import check_size

    context = _context(job)
    check_size(Path(job.location), context.limits)
    reading = READERS.build(job.reader, **job.options).read(Path(job.location), context)
    if len(reading.parts) > context.limits.pages:
        raise DocumentError(f"it has more than {context.limits.pages} pages (ingest.limits.pages)")
    if sum(len(part.text) for part in reading.parts) > context.limits.text_chars:
        raise DocumentError(f"it holds more than {context.limits.text_chars} characters (ingest.limits.text_chars)")
    return reading


def recognise(job: Job, pictures: list[int]) -> list[Part]:
    """OCR of some parts of a file. Raises `DocumentError`."""
    from assistant.parts.readers import READERS

    return READERS.build(job.reader, **job.options).recognise(Path(job.location), pictures, _context(job))


def _context(job: Job) -> ReadContext:
    from assistant.parts.readers import ReadContext
    from assistant.settings import IngestLimits, Ocr

    return ReadContext(
        limits=IngestLimits.model_validate(job.limits),
        ocr=Ocr.model_validate(job.ocr),
        passwords=job.passwords,
        cache=Path(job.cache) if job.cache else None,
    )
