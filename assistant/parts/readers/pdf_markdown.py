"""Markdown of a PDF's pages by liteparse, and what PDFium's plain text has beyond it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.parts import text_layer
from assistant.parts.readers.pdf_pages import Page

_EMPTY_FENCE = re.compile(r"```\w*\s*```")
_LONG_WORD = re.compile(r"\w{3,}")
_ENOUGH = 0.85  # share of a page's words: with fewer its structure is not to be trusted
_SPOKEN = ("text", "freetext", "highlight", "underline", "squiggly", "strikeout", "stamp", "caret")  # annotations
_ANGLES = (90, 180, 270)
_TICKED = ("checkbox", "radiobutton")


@dataclass(frozen=True)
class Marked:
    """Markdown of a page, and what stands in its form fields and comments."""

    markdown: str
    extras: tuple[str, ...]


def markdown_of(file: Path, password: str | None, pages: list[Page]) -> dict[int, Marked]:
    """Pages by number from 0; none if liteparse fails, for PDFium's plain text is better than no text.

    liteparse drops text that lies on its side: pages full of it are put upright and read once more.
    """
    found = _parsed(file, password)
    lying = [
        (number + 1, page.turned)
        for number, page in enumerate(pages)
        if page.turned in _ANGLES and number in found and _share(found[number].markdown, page) < _ENOUGH
    ]
    if lying:
        chosen = ",".join(str(number) for number, _ in lying)
        upright = _parsed(file, password, target_pages=chosen, page_orientation_corrections=lying)
        found.update({number: page for number, page in upright.items() if page.markdown})
    return found


def complete(marked: str, page: Page) -> str:
    """The Markdown with the lines that only the plain text has (notes up the margin); that text if most is missing."""
    marked = _EMPTY_FENCE.sub("", marked)
    if page.unscrambled:
        marked, _ = text_layer.unscrambled(marked)
    if _share(marked, page) < _ENOUGH:
        return page.text
    if not page.aside:
        return marked
    kept = " ".join(_LONG_WORD.findall(marked))
    lost = [line.strip() for line in page.aside if " ".join(_LONG_WORD.findall(line)) not in kept]
    return "\n\n".join([marked.rstrip(), *lost])


def _share(marked: str, page: Page) -> float:
    wanted = set(_LONG_WORD.findall(page.text))
    return len(wanted & set(_LONG_WORD.findall(marked))) / len(wanted) if wanted else 1.0


def _parsed(file: Path, password: str | None, **options: Any) -> dict[int, Marked]:
    from liteparse import LiteParse, ParseError

    parser = LiteParse(
        ocr_enabled=False,
        output_format="markdown",
        image_mode="off",  # else each picture is a line "![](img_p1_1.png)", and a passage of nothing
        keep_headers_footers=True,
        extract_form_fields=True,
        extract_annotations=True,
        continue_on_page_error=True,
        password=password,
        quiet=True,
        num_workers=1,
        **options,
    )
    try:
        pages = parser.parse(file.read_bytes()).pages
    except ParseError:
        return {}
    return {page.page_num - 1: Marked(page.markdown or "", _extras(page)) for page in pages}


def _extras(page: Any) -> tuple[str, ...]:  # noqa: ANN401 - a class of the extension module
    found = [_filled_in(field) for field in page.form_fields or []]
    found += [note.contents for note in page.annotations or [] if note.subtype.lower() in _SPOKEN]
    return tuple(dict.fromkeys(text.strip() for text in found if text and text.strip()))


def _filled_in(field: Any) -> str:  # noqa: ANN401 - a class of the extension module
    """What somebody put into a form field, after the field's own words if it has any."""
    if field.type in _TICKED:
        return field.alternate_name or "" if field.checked else ""
    if field.type == "pushbutton" or not field.value:
        return ""
    return f"{field.alternate_name}: {field.value}" if field.alternate_name else str(field.value)
