"""PDF: Markdown by liteparse, checked page by page against pypdfium2."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from assistant.errors import DocumentError
from assistant.parts.readers.base import READERS, CorporateReader, Part, ReadContext, Reading, clean

_EMPTY_FENCE = re.compile(r"```\w*\s*```")


class PdfReader(CorporateReader):
    """PDF with a text layer: Markdown by liteparse; a page that it lost words of is taken from pypdfium2."""

    def read(self, file: Path, context: ReadContext) -> Reading:
        return Reading([Part(clean(text), label) for label, text in _read_pdf(file)])


@READERS.register("pdf")
def pdf() -> CorporateReader:
    """PDF with a text layer: Markdown by liteparse; a page that it lost words of is taken from pypdfium2."""
    return PdfReader()


def _read_pdf(file: Path) -> list[tuple[str, str]]:
    from liteparse import LiteParse, ParseError
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        with PdfDocument(file) as pdf_document:
            plain = [page.get_textpage().get_text_bounded() for page in pdf_document]
    except PdfiumError as error:
        reason = "it needs a password" if "password" in str(error).lower() else "it is damaged or not a PDF"
        raise DocumentError(f"{reason} ({error})") from error
    parser = LiteParse(
        ocr_enabled=False, output_format="markdown", keep_headers_footers=True, quiet=True, num_workers=1
    )
    try:
        marked = {page.page_num: page.markdown or page.text for page in parser.parse(file.read_bytes()).pages}
    except ParseError as error:
        raise DocumentError(f"its layout could not be read ({error})") from error
    pages = [_complete(marked.get(number) or "", text) for number, text in enumerate(plain, start=1)]
    return [(str(number), text) for number, text in enumerate(_without_running_lines(pages), start=1)]


def _without_running_lines(pages: list[str]) -> list[str]:
    """Pages without the first and last lines that stand on most of them (company, document number, page number).

    Only at the edges, and only repeated ones: liteparse's own removal also takes lines from the body.
    """
    if len(pages) < 3:
        return pages
    edges = [{_shape(line) for line in _edge_lines(page)} for page in pages]
    counts = Counter(shape for shapes in edges for shape in shapes)
    running = {shape for shape, count in counts.items() if count > len(pages) / 2}
    return ["\n".join(_kept(page.split("\n"), running)) for page in pages]


def _edge_lines(page: str) -> list[str]:
    lines = [line for line in page.split("\n") if line.strip()]
    return lines[:2] + lines[-2:]


def _kept(lines: list[str], running: set[str]) -> list[str]:
    edges = set(_edge_lines("\n".join(lines)))
    return [line for line in lines if line not in edges or _shape(line) not in running]


def _shape(line: str) -> str:
    """A line without its numbers and marks: "page 3 of 12" is the same line on every page."""
    return re.sub(r"\d+|[#*_\s]", "", line).lower() or "number"


def _complete(marked: str, plain: str) -> str:
    """The Markdown, unless it lost words that the plain text layer has (rotated text, damaged structure)."""
    marked = _EMPTY_FENCE.sub("", marked)
    wanted = set(re.findall(r"\w{3,}", plain))
    kept = set(re.findall(r"\w{3,}", marked))
    return marked if len(wanted & kept) >= 0.85 * len(wanted) else plain.replace("\r", "")
