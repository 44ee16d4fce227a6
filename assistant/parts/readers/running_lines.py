"""What stands at the head and foot of every page of a DOCX or XLSX, said once: a standard's number, whose form it is."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PART = re.compile(r"word/(?:header|footer)\d*\.xml")
_LARGEST = 1 << 20  # bytes of a header
_HEADS = re.compile(r"<(?:\w+:)?(?:odd|even|first)(?:Header|Footer)\b[^>]*>([^<]*)<")
# Fonts, sizes, colours, and fields such as the page's number, as a workbook's header has them.
_CODES = re.compile(r'&(?:"[^"]*"|K[0-9A-Fa-f]{6}|K\d\d[+-]\d{3}|\d+|[A-Z])')
_SIDES = re.compile(r"&[LCR]")
_OWN_WORDS = re.compile(r"(?i)\b(?!(?:стр|страница|лист|page|sheet)\b)[^\W\d_]{3,}")  # not "Page 2" alone


def of_document(raw: bytes, text: str) -> str:
    """Of a DOCX: a paragraph for each different header and footer, without what its `text` says too."""
    found: list[str] = []
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
                if _PART.fullmatch(entry.filename) and entry.file_size <= _LARGEST:
                    lines = _paragraphs(ElementTree.fromstring(archive.read(entry)))
                    found.append("\n".join(line for line in lines if _OWN_WORDS.search(line) and line not in text))
    except (ElementTree.ParseError, zipfile.BadZipFile, RuntimeError, OSError, NotImplementedError, EOFError):
        pass  # damaged: there is what was found until then
    return "\n\n".join(dict.fromkeys(piece for piece in found if piece))


def of_sheet(end: str) -> str:
    """Of a sheet of an XLSX, in the `end` of its XML: one line."""
    sides = (side for head in _HEADS.findall(end) for side in _SIDES.split(html.unescape(head)))
    said = (" ".join(_CODES.sub(" ", side).split()).lstrip("# ") for side in sides)  # no heading of Markdown
    return ", ".join(dict.fromkeys(side for side in said if _OWN_WORDS.search(side)))


def _paragraphs(part: ElementTree.Element) -> Iterator[str]:
    for parent in list(part.iter()):
        for child in list(parent):
            if child.tag.endswith("}Fallback"):  # the same text once more, for older programs
                parent.remove(child)
    for paragraph in part.iter(f"{_WORD}p"):
        inner = {text for box in paragraph.iter(f"{_WORD}p") if box is not paragraph for text in box.iter(f"{_WORD}t")}
        yield " ".join("".join(text.text or "" for text in paragraph.iter(f"{_WORD}t") if text not in inner).split())
