"""Office files of every age by their content: Markdown, one part a sheet or slide where there are such."""

from __future__ import annotations

import re
from pathlib import Path

from assistant.errors import DocumentError
from assistant.parts.readers import running_lines
from assistant.parts.readers.base import READERS, CorporateReader, Part, ReadContext, Reading
from assistant.parts.readers.by_content import ByContent
from assistant.parts.readers.charts import charts_of
from assistant.parts.readers.clause_numbers import with_numbers
from assistant.parts.readers.extraction import Extracted, Leaf, extract
from assistant.parts.readers.guards import decrypted
from assistant.parts.readers.old_office import master_text, text_boxes
from assistant.parts.readers.slides import odp_slides, with_whole_words
from assistant.parts.readers.sniff import OFFICE, kind_of
from assistant.parts.readers.workbooks import beside_cells
from assistant.settings import IngestLimits

_OOXML = "application/vnd.openxmlformats-officedocument."
_MIME = {
    "docx": f"{_OOXML}wordprocessingml.document",
    "xlsx": f"{_OOXML}spreadsheetml.sheet",
    "pptx": f"{_OOXML}presentationml.presentation",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "rtf": "application/rtf",
    "epub": "application/epub+zip",
}
_SAME = {".docm": "docx", ".dotx": "docx", ".xlsm": "xlsx", ".pptm": "pptx", ".ppsx": "pptx"}
_SHEETS = frozenset({"xlsx", "xls", "ods"})
_SLIDES = frozenset({"pptx", "ppt", "odp"})
_NO_NAME = re.compile(r"(?i)(sheet|лист|таблица|table)[ _]?\d*")  # a program's: as a heading it says nothing
_COMMENT_MARK = re.compile(r"\[cmt:\d+\]|(?m:^\[\^cmt\d+\]:\n\s+)")  # xberg's, of reviewers' comments
_SECTORS = 128 * 512  # bytes that a sector of the old format's allocation table speaks of


class OfficeReader(ByContent):
    """Documents whole, for their pages exist only once they are printed; workbooks by sheet, slides by slide."""

    name = "office"
    leaves_to = frozenset({"epub", "pdf", "image", "html", "mail"})

    def parse(self, raw: bytes, file: Path, context: ReadContext) -> Reading:
        raw = decrypted(raw, context.passwords)
        suffix = file.suffix.lower()
        kind = kind_of(raw) or _kind_of_text(raw, suffix)
        if kind == "text":
            from assistant.parts.readers.tables import read_csv
            from assistant.parts.readers.text import decode

            is_table = suffix == ".xls"
            return Reading([Part(read_csv(raw, context.limits.text_chars) if is_table else decode(raw))])
        if kind not in OFFICE:
            raise DocumentError("it is damaged or not what its name says")
        if kind in _SHEETS or kind in _SLIDES:
            return _by_leaf(raw, kind, context.limits)
        return _whole(raw, kind, context.limits)


@READERS.register("office")
def office() -> CorporateReader:
    """Word, Excel, PowerPoint and their OpenDocument relatives of every age, and RTF, by content."""
    return OfficeReader()


class EpubReader(ByContent):
    """Books: the chapters with their headings."""

    name = "epub"
    leaves_to = frozenset({"office", "pdf"})

    def parse(self, raw: bytes, file: Path, context: ReadContext) -> Reading:
        return _whole(raw, "epub", context.limits)


@READERS.register("epub")
def epub() -> CorporateReader:
    """Books: the chapters with their headings."""
    return EpubReader()


def _kind_of_text(raw: bytes, suffix: str) -> str:
    """What a file without a known beginning is: by its name, or text with an old program's name."""
    kind = _SAME.get(suffix, suffix.lstrip("."))
    old = kind in ("doc", "xls", "rtf", "ppt") and not raw.startswith((b"\xd0\xcf\x11\xe0", b"PK"))
    return "text" if old and b"\0" not in raw[:4096] else kind


def _whole(raw: bytes, kind: str, limits: IngestLimits) -> Reading:
    try:
        found = extract(with_numbers(raw) if kind == "docx" else raw, _MIME[kind], limits)
    except DocumentError as error:
        if kind != "doc" or "FAT" not in str(error):
            raise
        # a file that lost its end, or was never padded: its table of sectors speaks of more than there are
        found = extract(raw.ljust(-(-len(raw) // _SECTORS) * _SECTORS + 512, b"\0"), _MIME[kind], limits)
    if kind != "docx":
        return Reading([Part(found.text)], found.properties)
    text = _COMMENT_MARK.sub("", found.text)
    pieces = [text, charts_of(raw), running_lines.of_document(raw, text)]  # the last two xberg leaves out
    return Reading([Part("\n\n".join(piece for piece in pieces if piece).strip())], found.properties)


def _by_leaf(raw: bytes, kind: str, limits: IngestLimits) -> Reading:
    found = extract(with_whole_words(raw) if kind == "pptx" else raw, _MIME[kind], limits, leaves=True)
    beside = beside_cells(raw) if kind == "xlsx" else {}
    parts = (
        [_sheet(leaf, beside.pop(leaf.name or "", "")) for leaf in found.leaves]
        if kind in _SHEETS
        else _slides(raw, kind, found)
    )
    parts += [_sheet(Leaf("", name, None), text) for name, text in beside.items()]  # sheets without cells
    if kind == "xls":
        parts.append(Part(text_boxes(raw), None, "sheet"))
    parts = [part for part in parts if re.search(r"\w", part.text)]
    return Reading(parts or [Part(master_text(raw) if kind == "ppt" else "")], found.properties)


def _sheet(leaf: Leaf, beside: str) -> Part:
    name = leaf.name or ""
    text = f"{leaf.text.removeprefix(f'## {name}').strip()}\n\n{beside}".strip()
    named = text and name and not _NO_NAME.fullmatch(name)
    return Part(f"## {name}\n\n{text}" if named else text, name or None, "sheet")


def _slides(raw: bytes, kind: str, found: Extracted) -> list[Part]:
    """Slide by slide, the speaker's notes last."""
    if kind == "odp":
        texts = odp_slides(raw)
    elif kind == "ppt":  # parted by a ruling line
        texts = re.split(r"(?m)^-----$", found.text)[1:]
    else:
        texts = ["\n\n".join(piece for piece in (leaf.text, leaf.notes) if piece) for leaf in found.leaves]
    return [Part(text.strip(), str(number), "slide") for number, text in enumerate(texts, start=1)]
