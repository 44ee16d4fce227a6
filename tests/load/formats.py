"""One document of the made corpus as Markdown, DOCX or PDF. Same bytes for the same document: no clock, no random ids."""

from __future__ import annotations

import html
import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

FONTS = Path(os.environ.get("SAMPLE_FONTS", "/usr/share/fonts/truetype")) / "dejavu"


@dataclass(frozen=True)
class Block:
    """A heading (with its level), a paragraph, a list or a table."""

    kind: str
    text: str = ""
    level: int = 0
    items: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def markdown(blocks: list[Block]) -> bytes:
    return ("\n\n".join(_markdown(block) for block in blocks) + "\n").encode()


def _markdown(block: Block) -> str:
    if block.kind == "heading":
        return f"{'#' * block.level} {block.text}"
    if block.kind == "list":
        return "\n".join(f"- {item}" for item in block.items)
    if block.kind == "table":
        head, *rest = [f"| {' | '.join(row)} |" for row in block.rows]
        return "\n".join([head, "|" + " --- |" * len(block.rows[0]), *rest])
    return block.text


# --- DOCX: the parts of the archive that Word and every parser want, written directly: python-docx takes 20 times longer

_MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_TYPES = f"""{_HEAD}<Types xmlns="{_PACKAGE}/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/word/document.xml" ContentType="{_WORD}.document.main+xml"/>
<Override PartName="/word/styles.xml" ContentType="{_WORD}.styles+xml"/></Types>"""
_RELATIONS = (
    '{head}<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{type}" Target="{to}"/>'
)
_STYLES = f"""{_HEAD}<w:styles xmlns:w="{_MAIN}">
<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>
{{headings}}
<w:style w:type="paragraph" w:styleId="ListBullet"><w:name w:val="List Bullet"/><w:basedOn w:val="Normal"/></w:style>
</w:styles>"""
_HEADING = (
    '<w:style w:type="paragraph" w:styleId="Heading{n}"><w:name w:val="heading {n}"/><w:basedOn w:val="Normal"/>'
    '<w:pPr><w:outlineLvl w:val="{outline}"/></w:pPr></w:style>'
)


def docx(blocks: list[Block]) -> bytes:
    body = "".join(_word(block) for block in blocks)
    document = f'{_HEAD}<w:document xmlns:w="{_MAIN}"><w:body>{body}<w:sectPr/></w:body></w:document>'
    headings = "\n".join(_HEADING.format(n=number, outline=number - 1) for number in range(1, 7))
    parts = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": _relations("officeDocument", "word/document.xml"),
        "word/_rels/document.xml.rels": _relations("styles", "styles.xml"),
        "word/styles.xml": _STYLES.format(headings=headings),
        "word/document.xml": document,
    }
    return zipped({name: text.encode() for name, text in parts.items()})


def zipped(parts: dict[str, bytes]) -> bytes:
    """An archive without the clock in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 3, 2, 9, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def word_paragraph(text: str, style: str = "Normal") -> str:
    run = f'<w:r><w:t xml:space="preserve">{html.escape(text, quote=False)}</w:t></w:r>'
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{run}</w:p>'


def _relations(kind: str, target: str) -> str:
    opened = _RELATIONS.format(head=_HEAD, package=_PACKAGE, type=f"{_OFFICE}/{kind}", to=target)
    return opened + "</Relationships>"


def _word(block: Block) -> str:
    if block.kind == "heading":
        return word_paragraph(block.text, f"Heading{block.level}")
    if block.kind == "list":
        return "".join(word_paragraph(item, "ListBullet") for item in block.items)
    if block.kind == "table":
        rows = "".join(
            "<w:tr>" + "".join(f"<w:tc><w:tcPr/>{word_paragraph(cell)}</w:tc>" for cell in row) + "</w:tr>"
            for row in block.rows
        )
        grid = "<w:gridCol/>" * len(block.rows[0])
        return f"<w:tbl><w:tblPr/><w:tblGrid>{grid}</w:tblGrid>{rows}</w:tbl>" + word_paragraph("")
    return word_paragraph(block.text)


# --- PDF, with a text layer in a font that has Cyrillic

_MARGIN, _WIDTH, _HEIGHT = 56, 595, 842  # points of A4


def pdf(blocks: list[Block]) -> bytes:
    """Lines set by hand, because platypus takes five times longer."""
    from reportlab.pdfgen.canvas import Canvas

    _fonts()
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(_WIDTH, _HEIGHT), invariant=1)
    canvas.setTitle(next((block.text for block in blocks if block.kind == "heading"), ""))
    height = float(_HEIGHT - _MARGIN)
    page = 1
    for text, font, size, indent in _lines(blocks):
        if height < _MARGIN + size:
            canvas.drawCentredString(_WIDTH / 2, _MARGIN / 2, str(page))
            canvas.showPage()
            page += 1
            height = _HEIGHT - _MARGIN
        height -= size * 1.35
        if text:
            canvas.setFont(font, size)
            canvas.drawString(_MARGIN + indent, height, text)
    canvas.save()
    return out.getvalue()


@cache
def _fonts() -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    for name, file in (("Text", "DejaVuSans.ttf"), ("Heading", "DejaVuSans-Bold.ttf")):
        if not (FONTS / file).exists():
            raise SystemExit(f"{file} is missing: install fonts-dejavu-core, or name its folder in SAMPLE_FONTS")
        pdfmetrics.registerFont(TTFont(name, str(FONTS / file)))


def _lines(blocks: list[Block]) -> list[tuple[str, str, float, float]]:
    """Text, font, size and indent of each line; an empty one after each block."""
    lines: list[tuple[str, str, float, float]] = []
    for block in blocks:
        font, size, indent = "Text", 10.0, 0.0
        texts = [block.text]
        if block.kind == "heading":
            font, size = "Heading", {1: 16.0, 2: 13.0}.get(block.level, 11.0)
        elif block.kind == "list":
            texts, indent = [f"• {item}" for item in block.items], 12.0
        elif block.kind == "table":
            texts, size = ["   ".join(row) for row in block.rows], 9.0
        for text in texts:
            lines += [(line, font, size, indent) for line in _wrapped(text, font, size, _WIDTH - 2 * _MARGIN - indent)]
        lines.append(("", font, 6.0, 0.0))
    return lines


def _wrapped(text: str, font: str, size: float, width: float) -> list[str]:
    lines: list[str] = []
    line: list[str] = []
    used = 0.0
    for word in text.split():
        needed = _width(word + " ", font) * size
        if line and used + needed > width:
            lines.append(" ".join(line))
            line, used = [], 0.0
        line.append(word)
        used += needed
    return [*lines, " ".join(line)]


@cache
def _width(word: str, font: str) -> float:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    return float(stringWidth(word, font, 1.0))


WRITERS: dict[str, Callable[[list[Block]], bytes]] = {".md": markdown, ".docx": docx, ".pdf": pdf}
