"""PDF: Markdown by liteparse, checked page by page against PDFium; pages without usable text are recognised."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.errors import DocumentError
from assistant.parts import text_layer
from assistant.parts.pdf_files import Refused, opened
from assistant.parts.readers import lookalikes
from assistant.parts.readers.base import READERS, CorporateReader, Part, ReadContext, Reading, clean
from assistant.parts.readers.pdf_markdown import Marked, complete, markdown_of
from assistant.parts.readers.pdf_pages import Page, draw, page_of
from assistant.parts.readers.pdf_properties import properties_of

_WORD = re.compile(r"[^\W_]{2,}")
_SAME = 0.6  # share of a recognised line's words that the page's own text has
_LEAST_GAIN = 0.3  # what OCR must give, in letters of a garbled text layer, to be better than it


class PdfReader(CorporateReader):
    """PDF: a page that liteparse lost words of is taken from PDFium, one that is only a picture from OCR."""

    def read(self, file: Path, context: ReadContext) -> Reading:
        try:
            with opened(file, context.passwords) as (document, password):
                _check_pages(len(document), context)
                pages = [page_of(document, number) for number in range(len(document))]
                properties = properties_of(document, file)
        except Refused as refused:
            return Reading(_from_damaged(file, refused, context))
        marked = markdown_of(file, password, pages) if any(page.text.strip() for page in pages) else {}
        return Reading(_parts(pages, marked), properties)

    def recognise(self, file: Path, pictures: Sequence[int], context: ReadContext) -> list[Part]:
        with opened(file, context.passwords) as (document, _):
            return [_recognised(document, number, context) for number in pictures]


@READERS.register("pdf")
def pdf() -> CorporateReader:
    """PDF: a page that liteparse lost words of is taken from PDFium, one that is only a picture from OCR."""
    return PdfReader()


def _check_pages(pages: int, context: ReadContext) -> None:
    """Before any page is looked at: counting is quick, reading is not."""
    if pages > context.limits.pages:
        raise DocumentError(f"it has {pages} pages, more than {context.limits.pages} (ingest.limits.pages)")


def _parts(pages: list[Page], marked: dict[int, Marked]) -> list[Part]:
    texts = []
    for number, page in enumerate(pages):
        found = marked.get(number)
        text = complete(found.markdown if found else "", page)
        extras = [extra for extra in found.extras if not _holds(text, extra)] if found else []
        texts.append("\n\n".join(filter(None, [text, *extras])))
    parts = []
    for number, text in enumerate(_without_running_lines(texts)):
        repaired_text, repaired = lookalikes.repair(text)
        page = pages[number]
        picture = number if page.why else None
        parts.append(Part(clean(repaired_text), str(number + 1), picture=picture, repaired=repaired + page.unscrambled))
    return parts


def _holds(text: str, extra: str) -> bool:
    return " ".join(extra.rsplit(": ", 1)[-1].split()) in " ".join(text.split())


def _recognised(document: Any, number: int, context: ReadContext) -> Part:  # noqa: ANN401 - pypdfium2's
    """One page by OCR; text that the page has as such is kept, and put where it stands beside the picture."""
    from assistant.parts.readers.ocr import recognise_picture

    page = page_of(document, number)
    garbled = page.why == "garbled"
    picture, above, below = draw(document, number, context.ocr.dpi, keep_text=garbled)
    found = recognise_picture(picture, context)
    label = str(number + 1)
    worse = garbled and (text_layer.garbled(found.text) or len(found.text) < _LEAST_GAIN * len(page.text))
    if not found.text or worse:
        return Part("", label, picture=number, confidence=found.confidence)
    text = clean("\n\n".join(filter(None, [above, _beyond(f"{above} {below}", found.text), below])))
    return Part(text, label, picture=number, confidence=found.confidence, repaired=found.repaired)


def _beyond(own: str, recognised: str) -> str:
    """Recognised lines without those that the page's own text has: PDFium can't leave all text out of a drawing."""
    have = set(_WORD.findall(own.lower()))
    lines = []
    for line in recognised.split("\n") if have else ():
        words = _WORD.findall(line.lower())
        if not words or sum(word in have for word in words) < _SAME * len(words):
            lines.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() if have else recognised


def _from_damaged(file: Path, refused: Refused, context: ReadContext) -> list[Part]:
    """What xberg's own parser saves of a file that PDFium refuses: plain text, for its Markdown breaks Cyrillic."""
    import xberg

    raw = file.read_bytes()
    if b"%PDF" not in raw[:1024]:
        raise DocumentError("it is damaged or not a PDF")
    config = xberg.ExtractionConfig(
        use_cache=False, output_format="plain", disable_ocr=True, pages=xberg.PageConfig(extract_pages=True)
    )

    async def extract() -> Any:  # noqa: ANN401 - a class of the extension module
        return await xberg.extract(xberg.ExtractInput(kind="bytes", bytes=raw, mime_type="application/pdf"), config)

    try:
        found = asyncio.run(extract()).results
    except (xberg.XbergError, RuntimeError, ValueError, OSError) as error:
        raise DocumentError(str(refused)) from error
    pages = (found[0].pages or []) if found else []
    if not any(page.content.strip() for page in pages):
        raise DocumentError(str(refused))
    _check_pages(len(pages), context)
    return [Part(clean(text_layer.unscrambled(page.content)[0]), str(page.page_number)) for page in pages]


def _without_running_lines(pages: list[str]) -> list[str]:
    """Pages without the first and last lines that stand on most of them (company, document number, page number).

    Only at the edges, and only repeated ones: liteparse's own removal also takes lines from the body. A page that would
    lose half of its text is no page with a header: receipts and forms differ in their numbers only.
    """
    if len(pages) < 3:
        return pages
    edges = [{_shape(line) for line in _edge_lines(page)} for page in pages]
    counts = Counter(shape for shapes in edges for shape in shapes)
    running = {shape for shape, count in counts.items() if count > len(pages) / 2}
    shorter = ["\n".join(_kept(page.split("\n"), running)) if running else page for page in pages]
    return [short if 2 * len(short) > len(page) else page for short, page in zip(shorter, pages, strict=True)]


def _edge_lines(page: str) -> list[str]:
    lines = page.split("\n")
    return [lines[number] for number in _edges(lines)]


def _edges(lines: list[str]) -> list[int]:
    """Places of the first two and the last two lines that hold anything."""
    filled = [number for number, line in enumerate(lines) if line.strip()]
    return filled[:2] + filled[2:][-2:]


def _kept(lines: list[str], running: set[str]) -> list[str]:
    edges = set(_edges(lines))
    return [line for number, line in enumerate(lines) if number not in edges or _shape(line) not in running]


def _shape(line: str) -> str:
    """A line without its numbers and marks: "page 3 of 12" is the same line on every page; "# Annex 3" is not."""
    if line.startswith("#"):
        return line.strip("#* ").lower()
    return re.sub(r"\d+|[#*_\s]", "", line).lower() or "number"
