"""A PDF opened by PDFium, with a password if it needs one. Apart from the readers, which take seconds to import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import DocumentError

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument


class Refused(DocumentError):
    """PDFium can't open it, for another reason than a password."""


@contextmanager
def opened(file: Path | bytes, passwords: Sequence[str]) -> Iterator[tuple[PdfDocument, str | None]]:
    """The document and the password that opened it. Raises `DocumentError` for a password, `Refused` for damage."""
    document, password = _open(file, passwords)
    try:
        yield document, password
    finally:
        document.close()


def _open(file: Path | bytes, passwords: Sequence[str]) -> tuple[PdfDocument, str | None]:
    import pypdfium2.raw as pdfium
    from pypdfium2 import PdfDocument, PdfiumError

    for password in (None, *passwords):
        try:
            document = PdfDocument(file, password=password)
            if document.get_formtype() == pdfium.FORMTYPE_ACRO_FORM:
                document.init_forms()  # what is filled in is drawn as well
            return document, password
        except PdfiumError as error:
            reason = str(error)
            if "password" not in reason.lower():
                raise Refused(f"it is damaged or not a PDF ({reason})") from error
    raise DocumentError("it needs a password (ingest.passwords)")
