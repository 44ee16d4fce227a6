"""A page of a PDF as people see it: a picture of bounded size, and boxes over a passage's text. Runs in a worker process."""

from __future__ import annotations

import ctypes
import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.errors import DocumentError, NotFound
from assistant.parts import text_layer
from assistant.parts.pdf_files import opened
from assistant.parts.pdf_marks import Letters, Marks, letters_of, marks, rest_of, wanted_letters

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage, PdfTextPage

_WIDTH, _HEIGHT = 1500, 3000  # pixels of a picture, at most: twice what the page gives it, and sharp when enlarged
_FINEST = 4.0  # pixels a point: a page the size of a stamp is not drawn as a poster
_QUALITY = 80  # of WebP
_FOUND_ALL = 0.9  # share of a passage's words, from which on the pages beside it are not looked at
_LEAST_BESIDE = 0.5  # share of what was left that such a page must have, to hold a part of it …
_LEAST_LETTERS = 12  # … and letters that were left: a number stands everywhere
_MOST_LETTERS = 100_000  # of a page: a drawing made of letters
_MOST_BOXES = 400
_SHARED, _APART = 0.5, 2.0  # boxes of a line overlap by that share of their height, and are that many heights apart

Box = tuple[float, float, float, float]  # left, top, right, bottom as shares of the page as it is seen


@dataclass(frozen=True)
class PageView:
    """One page, and where the passage is on it. `marked` are the pages (from 1) that hold it, `share` of its words found."""

    number: int
    pages: int
    width: int
    height: int
    boxes: tuple[Box, ...]
    marked: tuple[int, ...]
    share: float
    has_text: bool  # False: the page is a picture only, and nothing can be found on it


def look(raw: bytes, passwords: Sequence[str], shown: int, place: int, passage: str) -> PageView:
    """Page `shown`, with the passage that begins on page `place`, both from 1. Raises `DocumentError`, `NotFound`."""
    with opened(raw, passwords) as (document, _):
        with _page(document, shown) as page:
            width, height = _size(page)
        found: dict[int, tuple[Box, ...]] = {}
        share, has_text = 0.0, False
        if passage and 1 <= place <= len(document):
            found, share, has_text = _find(document, place, wanted_letters(passage))
        boxes = found.get(shown, ())
        return PageView(shown, len(document), width, height, boxes, tuple(sorted(found)), share, has_text)


def picture_of(raw: bytes, passwords: Sequence[str], number: int) -> bytes:
    """Page `number` (from 1) as WebP. Raises `DocumentError`, `NotFound`."""
    with opened(raw, passwords) as (document, _), _page(document, number) as page:
        picture = page.render(scale=_scale(page)).to_pil().convert("RGB")
    target = io.BytesIO()
    picture.save(target, "WEBP", quality=_QUALITY, method=2)
    return target.getvalue()


@contextmanager
def _page(document: PdfDocument, number: int) -> Iterator[PdfPage]:
    from pypdfium2 import PdfiumError

    if not 1 <= number <= len(document):
        raise NotFound("the document has no such page")
    try:
        page = document[number - 1]
    except PdfiumError as error:
        raise DocumentError(f"page {number} is damaged ({error})") from error
    try:
        yield page
    finally:
        page.close()


def _scale(page: PdfPage) -> float:
    width, height = page.get_size()
    return float(min(_FINEST, _WIDTH / max(1.0, width), _HEIGHT / max(1.0, height)))


def _size(page: PdfPage) -> tuple[int, int]:
    """Pixels of the picture, as pypdfium2 rounds them."""
    width, height = (max(1, math.ceil(side * _scale(page))) for side in page.get_size())
    return width, height


def _find(document: PdfDocument, place: int, wanted: Letters) -> tuple[dict[int, tuple[Box, ...]], float, bool]:
    """Boxes by page, the share of words that were found, and whether the first page has any text."""
    boxes, found, has_text = _on_page(document, place, wanted)
    by_page = {place: boxes} if boxes else {}
    share = found.share
    for beside in (place + 1, place - 1):  # a passage may end on the next page, a heading stand on the one before
        if share >= _FOUND_ALL or not has_text or not 1 <= beside <= len(document):
            continue
        wanted = rest_of(wanted, found)
        if len(wanted.text) < _LEAST_LETTERS:
            break
        boxes, found, _ = _on_page(document, beside, wanted)
        if boxes and found.share >= _LEAST_BESIDE:
            by_page[beside] = boxes
            share += (1 - share) * found.share
        else:
            found = Marks([], [False] * len(wanted.text), 0.0)
    return by_page, share, has_text


def _on_page(document: PdfDocument, number: int, wanted: Letters) -> tuple[tuple[Box, ...], Marks, bool]:
    with _page(document, number) as page:
        textpage = page.get_textpage()
        try:
            given = letters_of(_text(textpage))
            found = marks(wanted, given)
            return tuple(_boxes(page, textpage, found.places)), found, bool(given.text)
        finally:
            textpage.close()


def _text(textpage: PdfTextPage) -> str:
    """One sign for each of PDFium's characters, in their order; a wrong encoding put right as the reader does."""
    import pypdfium2.raw as pdfium

    count = min(textpage.count_chars(), _MOST_LETTERS)
    codes = (pdfium.FPDFText_GetUnicode(textpage, number) for number in range(count))
    raw = "".join(chr(code) if 0 < code < 0x110000 else " " for code in codes)
    # PDFium marks a hyphen at a line's end; the line break behind it then parts no word.
    lines = [
        fixed if len(fixed) == len(line) else _stretched(fixed, len(line))
        for line, fixed in zip(raw.split("\n"), text_layer.unscrambled(raw)[0].split("\n"), strict=True)
    ]
    return "\n".join(lines)


def _stretched(text: str, length: int) -> str:
    """A line that was read in two signs for each letter, at its old length: each letter where it begins."""
    places = [" "] * length
    for number, letter in enumerate(text[:length]):
        places[number * length // max(1, len(text))] = letter
    return "".join(places)


def _boxes(page: PdfPage, textpage: PdfTextPage, places: Sequence[int]) -> Iterator[Box]:
    """Letters in their order, joined to pieces of lines."""
    current: Box | None = None
    count = 0
    for place in places:
        box = _seen(page, textpage.get_charbox(place, loose=True))
        if box is None:
            continue
        if current is not None and _continues(current, box, upright=_is_upright(page, textpage, place)):
            current = _around(current, box)
            continue
        if current is not None:
            yield current
            count += 1
            if count == _MOST_BOXES:
                return
        current = box
    if current is not None:
        yield current


def _is_upright(page: PdfPage, textpage: PdfTextPage, place: int) -> bool:
    """Whether the line runs across the page as it is seen, and not up or down."""
    import pypdfium2.raw as pdfium

    angle = math.degrees(max(0.0, pdfium.FPDFText_GetCharAngle(textpage, place))) + float(page.get_rotation())
    return round(angle / 90) % 2 == 0


def _seen(page: PdfPage, corners: tuple[float, float, float, float]) -> Box | None:
    """A box in points as shares of the page as it is turned and cut; None if it is outside."""
    import pypdfium2.raw as pdfium

    whole = 100_000
    seen = []
    for x, y in (corners[:2], corners[2:]):
        across, down = ctypes.c_int(), ctypes.c_int()
        pdfium.FPDF_PageToDevice(page, 0, 0, whole, whole, 0, x, y, across, down)
        seen.append((min(max(across.value / whole, 0.0), 1.0), min(max(down.value / whole, 0.0), 1.0)))
    (x1, y1), (x2, y2) = seen
    box = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
    return box if box[2] > box[0] and box[3] > box[1] else None


def _continues(line: Box, box: Box, *, upright: bool) -> bool:
    """Whether a letter goes on a piece of a line."""
    along, high = (0, 1) if upright else (1, 0)
    height = min(line[high + 2] - line[high], box[high + 2] - box[high])
    shared = min(line[high + 2], box[high + 2]) - max(line[high], box[high])
    apart = max(line[along], box[along]) - min(line[along + 2], box[along + 2])
    return shared >= _SHARED * height and apart <= _APART * height


def _around(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
