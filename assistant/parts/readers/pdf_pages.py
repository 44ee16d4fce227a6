"""Pages of a PDF as PDFium sees them: their plain text, what is only a picture, and drawn for recognition."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from assistant.parts import text_layer

if TYPE_CHECKING:
    from PIL.Image import Image
    from pypdfium2 import PdfDocument, PdfPage, PdfTextPage

MAX_SIDE = 5000  # pixels of a drawn page
_POINTS = 72  # an inch
_FEW_LETTERS = 30  # on a page that also has pictures or drawings: it may be a scan with a number stamped on it
_MUCH_TEXT = 1500  # letters: a page that has them is no scan with a header
_MOST_OF_PAGE = 0.5  # share of the page that a scan covers
_TEXT_OVER_SCAN = 100  # letters over a picture: more of them are its text layer
_MANY_OBJECTS = 20_000  # a map or a drawing: the rest of it is not looked at
_MANY_NOTES = 200
_LEAST_DPI = 150  # a coarser picture is drawn finer than it is
_TURNED = (90, 270)

Why = Literal["picture", "garbled"]
Box = tuple[float, float, float, float]  # left, bottom, right, top in points


@dataclass(frozen=True)
class Page:
    """Plain text, put right if its encoding was wrong; `why` it needs OCR, if it does."""

    text: str
    why: Why | None = None
    unscrambled: int = 0  # words whose encoding was put right
    turned: int = 0  # degrees clockwise by which most of its lines are seen turned
    aside: tuple[str, ...] = ()  # lines that run another way than most


def page_of(document: PdfDocument, number: int) -> Page:
    """What page `number` (from 0) holds. A page that PDFium can't load is empty."""
    from pypdfium2 import PdfiumError

    try:
        page = document[number]
    except PdfiumError:
        return Page("")
    try:
        textpage = page.get_textpage()
        raw = textpage.get_text_range()
        turned, aside = _directions(page, textpage, raw)
        textpage.close()
        text, words = text_layer.unscrambled(_without_marks(raw))
        return Page(text, _why(page, text), words, turned, aside)
    finally:
        page.close()


def _text_within(page: PdfPage, **box: float) -> str:
    """Text of a part of the page: `left`, `bottom`, `right`, `top` in points."""
    textpage = page.get_textpage()
    text = textpage.get_text_bounded(**box)
    textpage.close()
    return _without_marks(text).strip()


def _without_marks(text: str) -> str:
    """PDFium marks a hyphen at a line's end with U+0002 or U+FFFE."""
    if "\x02" in text or "\ufffe" in text:
        text = re.sub("[\x02\ufffe](?:\r?\n)?", lambda found: "" if len(found[0]) > 1 else "-", text)
    return text.replace("\r", "")


def _directions(page: PdfPage, textpage: PdfTextPage, text: str) -> tuple[int, tuple[str, ...]]:
    """Degrees clockwise by which most lines are seen turned (0, 90, 180, 270), and the lines that run another way."""
    import pypdfium2.raw as pdfium

    lines: dict[int, list[str]] = {}
    start = 0
    for line in text.split("\n"):
        angle = math.degrees(pdfium.FPDFText_GetCharAngle(textpage, start + len(line) // 2)) if line.strip() else -1.0
        if angle >= 0:
            lines.setdefault(round(angle / 15) * 15 % 360, []).append(line)
        start += len(line) + 1
    if not lines:
        return 0, ()
    most = max(lines, key=lambda angle: sum(map(len, lines[angle])))
    aside = [_without_marks(line) for angle, found in lines.items() if angle != most for line in found]
    return int(page.get_rotation() + most) % 360, tuple(aside)


def _why(page: PdfPage, text: str) -> Why | None:
    letters = _solid(text)
    if letters >= _MUCH_TEXT:
        return "garbled" if text_layer.garbled(text) else None
    if letters < _FEW_LETTERS:
        return "picture" if _drawn(page) else None
    if text_layer.garbled(text):
        return "garbled"
    boxes = [box for box, _ in _pictures(page)]
    width, height = _size(page)
    if sum(_area(box) for box in boxes) < _MOST_OF_PAGE * width * height:
        return None
    left, bottom, right, top = _around(boxes)
    over = _text_within(page, left=left, bottom=bottom, right=right, top=top)
    return "picture" if _solid(over) < _TEXT_OVER_SCAN else None


def draw(document: PdfDocument, number: int, dpi: int, *, keep_text: bool) -> tuple[Image, str, str]:
    """Page `number` (from 0) in grey, and its own text above and below the middle of its pictures.

    A scan is drawn no finer than it is, and no page larger than 5000 pixels a side. Unless `keep_text`, text that the
    page has as such is left out of the picture, so that nobody reads it twice.
    """
    page = document[number]
    pictures = list(_pictures(page))
    scale = min(dpi, _own_dpi(page, pictures, dpi)) / _POINTS
    scale = min(scale, MAX_SIDE / max(1.0, *page.get_size()))
    above, below = ("", "") if keep_text else _texts_around(page, [box for box, _ in pictures])
    if not keep_text:
        _remove_text(page)
    picture = page.render(scale=scale, grayscale=True).to_pil()
    page.close()
    return picture, above, below


def _own_dpi(page: PdfPage, pictures: list[tuple[Box, tuple[int, int]]], dpi: int) -> float:
    """Resolution of the picture that makes up the page; `dpi` if it is made of more than one, or of drawings."""
    width, height = _size(page)
    scans = [
        (box, pixels) for box, pixels in pictures if _area(box) >= _MOST_OF_PAGE * width * height and min(pixels) > 0
    ]
    if len(scans) != 1:
        return dpi
    (left, bottom, right, top), pixels = scans[0]
    longest, points = max(pixels), max(right - left, top - bottom)
    return max(_LEAST_DPI, longest * _POINTS / points)


def _texts_around(page: PdfPage, boxes: list[Box]) -> tuple[str, str]:
    if not boxes or page.get_rotation():
        return _text_within(page), ""
    _, bottom, _, top = _around(boxes)
    middle = (bottom + top) / 2
    return _text_within(page, bottom=middle), _text_within(page, top=middle)


def _remove_text(page: PdfPage) -> None:
    import pypdfium2.raw as pdfium

    texts = [found for found, kind in _objects(page) if kind == pdfium.FPDF_PAGEOBJ_TEXT]
    for found in texts:
        if pdfium.FPDFPage_RemoveObject(page, found):
            pdfium.FPDFPageObj_Destroy(found)


def _drawn(page: PdfPage) -> bool:
    """Anything but text on it: pictures, lines, or stamps and fields laid over it."""
    import pypdfium2.raw as pdfium

    if any(kind != pdfium.FPDF_PAGEOBJ_TEXT for _, kind in _objects(page)):
        return True
    shown = (pdfium.FPDF_ANNOT_STAMP, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_INK, pdfium.FPDF_ANNOT_WIDGET)
    for number in range(min(pdfium.FPDFPage_GetAnnotCount(page), _MANY_NOTES)):
        note = pdfium.FPDFPage_GetAnnot(page, number)
        kind = pdfium.FPDFAnnot_GetSubtype(note)
        pdfium.FPDFPage_CloseAnnot(note)
        if kind in shown:
            return True
    return False


def _objects(page: PdfPage) -> Iterator[tuple[Any, int]]:
    import pypdfium2.raw as pdfium

    for number in range(min(pdfium.FPDFPage_CountObjects(page), _MANY_OBJECTS)):
        found = pdfium.FPDFPage_GetObject(page, number)
        yield found, pdfium.FPDFPageObj_GetType(found)


def _pictures(page: PdfPage) -> Iterator[tuple[Box, tuple[int, int]]]:
    """Where raster pictures lie, within the page, and their size in pixels; also those inside one form object."""
    import pypdfium2.raw as pdfium

    for found, kind in _objects(page):
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            yield _bounds(found), _pixels(found)
        elif kind == pdfium.FPDF_PAGEOBJ_FORM:
            for number in range(min(pdfium.FPDFFormObj_CountObjects(found), 100)):
                inner = pdfium.FPDFFormObj_GetObject(found, number)
                if pdfium.FPDFPageObj_GetType(inner) == pdfium.FPDF_PAGEOBJ_IMAGE:
                    yield _moved(_bounds(inner), found), _pixels(inner)


def _bounds(found: Any) -> Box:  # noqa: ANN401 - a pointer
    import pypdfium2.raw as pdfium

    edges = [ctypes.c_float() for _ in range(4)]
    pdfium.FPDFPageObj_GetBounds(found, *edges)
    left, bottom, right, top = (edge.value for edge in edges)
    return left, bottom, right, top


def _pixels(found: Any) -> tuple[int, int]:  # noqa: ANN401 - a pointer
    import pypdfium2.raw as pdfium

    width, height = ctypes.c_uint(), ctypes.c_uint()
    pdfium.FPDFImageObj_GetImagePixelSize(found, width, height)
    return width.value, height.value


def _moved(box: Box, form: Any) -> Box:  # noqa: ANN401 - a pointer
    """A box inside a form object, on the page."""
    import pypdfium2.raw as pdfium

    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(form, matrix)
    corners = [(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    across = [matrix.a * x + matrix.c * y + matrix.e for x, y in corners]
    upward = [matrix.b * x + matrix.d * y + matrix.f for x, y in corners]
    return min(across), min(upward), max(across), max(upward)


def _size(page: PdfPage) -> tuple[float, float]:
    """Points, as its objects lie: before the page is turned."""
    width, height = page.get_size()
    return (height, width) if page.get_rotation() in _TURNED else (width, height)


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _around(boxes: list[Box]) -> Box:
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def _solid(text: str) -> int:
    return len("".join(text.split()))
