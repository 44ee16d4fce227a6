"""What runs inside a worker process, one at a time: reading a file, recognising a few of its pages, drawing one page."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import DocumentError, FileChanged, NotFound

if TYPE_CHECKING:
    from assistant.parts.pdf_view import PageView
    from assistant.parts.readers import Part, ReadContext, Reading


_CHANGED = "the file was moved, changed or deleted since it was loaded: the next ingest brings it up to date"


class PassingTrouble(DocumentError):
    """A disk that is full, a share that is gone: the system's doing and not the file's, so the next run tries again."""


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


@dataclass(frozen=True)
class Sheet:
    """A PDF of which a page is to be shown, as long as its content is still `sha256`."""

    location: str
    sha256: str
    passwords: tuple[str, ...]


def read(job: Job) -> Reading:
    """The text of a file, and which of its parts need OCR. Raises `DocumentError`, `MemoryError`."""
    with _plain_errors():
        return _read(job)


def recognise(job: Job, pictures: list[int]) -> list[Part]:
    """OCR of some parts of a file. Raises `DocumentError`, `MemoryError`."""
    with _plain_errors():
        from assistant.parts.readers import READERS

        return READERS.build(job.reader, **job.options).recognise(Path(job.location), pictures, _context(job))


def look(sheet: Sheet, shown: int, place: int, passage: str) -> PageView:
    """Where a passage is on a page. Raises `DocumentError`, `NotFound`, `MemoryError`."""
    with _plain_errors():
        from assistant.parts.pdf_view import look

        return look(_content(sheet), sheet.passwords, shown, place, passage)


def draw(sheet: Sheet, number: int) -> bytes:
    """A page as WebP. Raises `DocumentError`, `NotFound`, `MemoryError`."""
    with _plain_errors():
        from assistant.parts.pdf_view import picture_of

        return picture_of(_content(sheet), sheet.passwords, number)


def _content(sheet: Sheet) -> bytes:
    """What was loaded and nothing else: checked here, on the very bytes that are drawn."""
    try:
        raw = Path(sheet.location).read_bytes()
    except OSError as error:
        raise FileChanged(_CHANGED) from error
    if hashlib.sha256(raw).hexdigest() != sheet.sha256:
        raise FileChanged(_CHANGED)
    return raw


def _read(job: Job) -> Reading:
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


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Whatever a parser raises, in words: one of its own classes need not come through the pipe whole, which stops the
    reading of all files, and a `SystemExit` or a panic in Rust, which is no `Exception`, would end the run.
    """
    try:
        yield
    except MemoryError:
        raise MemoryError from None
    except (DocumentError, NotFound) as error:
        raise type(error)(_printable(str(error))) from None
    except BaseException as error:  # noqa: BLE001 - one file's failure, whatever it is, must not stop the others
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            raise MemoryError from None
        passing = isinstance(error, OSError) and error.errno not in (None, errno.EFBIG)
        reason = _printable(f"{type(error).__name__}: {error}")[:450]
        if passing:
            raise PassingTrouble(f"it could not be read ({reason}); the next run tries again") from None
        raise DocumentError(f"the reader failed on it: {reason}") from None


def _printable(text: str) -> str:
    """Without NUL and lone surrogates, which databases refuse."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _context(job: Job) -> ReadContext:
    from assistant.parts.readers import ReadContext
    from assistant.settings import IngestLimits, Ocr

    return ReadContext(
        limits=IngestLimits.model_validate(job.limits),
        ocr=Ocr.model_validate(job.ocr),
        passwords=job.passwords,
        cache=Path(job.cache) if job.cache else None,
    )
