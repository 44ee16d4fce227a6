"""Build the sample PDF, DOCX and HTML documents from plain text sources.

``samples_src/<path>.<ext>.md`` becomes ``docs/<path>.<ext>``. The output is the
same, byte for byte, on every run with the same library and font versions. MD and
TXT documents are kept in ``docs`` directly.

Usage: ``python data/make_samples.py`` (needs reportlab, python-docx and the DejaVu
fonts; ``SAMPLE_FONTS`` names another font folder).
"""

from __future__ import annotations

import html
import io
import os
import re
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import docx
from docx.document import Document
from docx.shared import Pt
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate, Spacer
from reportlab.platypus import Table as PdfTable

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "samples_src"
TARGET = HERE / "docs"
FONT_DIR = Path(os.environ.get("SAMPLE_FONTS", "/usr/share/fonts/truetype"))
FONTS = {
    "sans": ("dejavu/DejaVuSans.ttf", "dejavu/DejaVuSans-Bold.ttf"),
    "serif": ("dejavu/DejaVuSerif.ttf", "dejavu/DejaVuSerif-Bold.ttf"),
}
COMPANY = "Северный ветер"
STAMP = datetime(2026, 3, 2, 9, 0, 0)
PAGE_WIDTH = A4[0] - 44 * mm - 12


@dataclass
class Block:
    """One piece of a document: heading, paragraph, list, table or page break."""

    kind: str
    text: str = ""
    level: int = 0
    items: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


@dataclass
class Source:
    """A parsed source file: front matter and blocks."""

    meta: dict[str, str]
    blocks: list[Block]

    @property
    def title(self) -> str:
        return next(b.text for b in self.blocks if b.kind == "heading")


def parse_group(lines: list[str]) -> Block:
    """Turn the lines between two blank lines into one block."""
    first = lines[0]
    if first == r"\newpage":
        return Block("break")
    if match := re.match(r"(#+) (.+)", first):
        return Block("heading", match[2], len(match[1]))
    if first.startswith("|"):
        cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
        return Block("table", rows=[row for row in cells if set("".join(row)) - {"-"}])
    if first.startswith("- "):
        return Block("bullets", items=[line.removeprefix("- ") for line in lines])
    if re.match(r"\d+\. ", first):
        return Block("numbers", items=[re.sub(r"^\d+\. ", "", line) for line in lines])
    return Block("text", " ".join(lines))


def parse(path: Path) -> Source:
    """Read a source file."""
    _, front, body = path.read_text("utf-8").split("---\n", 2)
    meta = dict(line.split(": ", 1) for line in front.splitlines())
    groups = [g.splitlines() for g in re.split(r"\n\s*\n", body.strip())]
    return Source(meta, [parse_group(g) for g in groups])


def pdf_styles(face: str) -> dict[str, ParagraphStyle]:
    """Register the font pair and return the paragraph styles."""
    for name, file in zip((face, f"{face}-bold"), FONTS[face], strict=True):
        pdfmetrics.registerFont(TTFont(name, FONT_DIR / file))
    body = ParagraphStyle("body", None, fontName=face, fontSize=10, leading=14)
    body.spaceAfter = 6
    styles = {"body": body}
    for level, scale in ((1, 1.7), (2, 1.3), (3, 1.12)):
        styles[f"h{level}"] = ParagraphStyle(
            f"h{level}", parent=body, fontName=f"{face}-bold", fontSize=10 * scale,
            leading=12.5 * scale, spaceBefore=10, spaceAfter=5, keepWithNext=1,
        )  # fmt: skip
    styles["item"] = ParagraphStyle(
        "item", parent=body, leftIndent=18, bulletIndent=2, spaceAfter=3,
        bulletFontName=face, bulletFontSize=10,
    )  # fmt: skip
    cell = ParagraphStyle("cell", body, fontSize=9, leading=12, spaceAfter=0)
    styles["cell"] = cell
    styles["head"] = ParagraphStyle("head", parent=cell, fontName=f"{face}-bold")
    return styles


def pdf_text(text: str, style: ParagraphStyle, bullet: str | None = None) -> Paragraph:
    """A paragraph whose sums and percentages do not break over a line end."""
    text = re.sub(r"(?<=\d) (?=\d{3}\b|[₽%°]|кН|млн|тыс)", "\N{NO-BREAK SPACE}", text)
    return Paragraph(html.escape(text), style, bulletText=bullet)


def pdf_table(rows: list[list[str]], styles: dict[str, ParagraphStyle]) -> PdfTable:
    """A ruled table whose column widths follow the length of the text."""
    weights = [min(max(len(r[i]) for r in rows), 45) + 6 for i in range(len(rows[0]))]
    widths = [PAGE_WIDTH * w / sum(weights) for w in weights]
    data = [[pdf_text(c, styles["cell" if n else "head"]) for c in row] for n, row in enumerate(rows)]
    table = PdfTable(data, colWidths=widths, repeatRows=1, spaceBefore=2, spaceAfter=8)
    grid = ("GRID", (0, 0), (-1, -1), 0.5, colors.grey)
    shade = ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#e6edf3"))
    table.setStyle([grid, shade, ("VALIGN", (0, 0), (-1, -1), "TOP")])
    return table


def pdf_story(source: Source, styles: dict[str, ParagraphStyle]) -> list[Flowable]:
    """The flowables of all blocks."""
    story: list[Flowable] = []
    for block in source.blocks:
        if block.kind == "break":
            story.append(PageBreak())
        elif block.kind == "heading":
            story.append(pdf_text(block.text, styles[f"h{block.level}"]))
        elif block.kind == "table":
            story.append(pdf_table(block.rows, styles))
        elif block.text:
            story.append(pdf_text(block.text, styles["body"]))
        else:
            for n, item in enumerate(block.items, 1):
                mark = f"{n}." if block.kind == "numbers" else "•"
                story.append(pdf_text(item, styles["item"], mark))
            story.append(Spacer(1, 4))
    return story


def make_pdf(source: Source) -> bytes:
    """Render a PDF with a text layer, a running header and page numbers."""
    face = source.meta["font"]
    styles = pdf_styles(face)
    page_word = "стр." if source.meta["lang"] == "ru" else "page"

    def furniture(canvas: Canvas, doc: SimpleDocTemplate) -> None:
        canvas.setFont(face, 8)
        canvas.setFillGray(0.35)
        canvas.drawString(22 * mm, A4[1] - 13 * mm, source.meta["header"])
        canvas.drawRightString(A4[0] - 22 * mm, 11 * mm, f"{page_word} {doc.page}")

    buffer = io.BytesIO()
    template = SimpleDocTemplate(
        buffer, pagesize=A4, invariant=1, title=source.title, author=COMPANY,
        lang=source.meta["lang"], leftMargin=22 * mm, rightMargin=22 * mm,
        topMargin=20 * mm, bottomMargin=20 * mm,
    )  # fmt: skip
    template.build(pdf_story(source, styles), onFirstPage=furniture, onLaterPages=furniture)
    return buffer.getvalue()


def add_numbers(document: Document, items: list[str]) -> None:
    """A numbered list that starts again at 1."""
    style = document.styles["List Number"]
    numbering = document.part.numbering_part.element
    base = numbering.num_having_numId(style.element.pPr.numPr.numId.val)
    num = numbering.add_num(base.abstractNumId.val)
    num.add_lvlOverride(ilvl=0).add_startOverride(1)
    for item in items:
        paragraph = document.add_paragraph(item, style=style)
        properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
        properties.get_or_add_ilvl().val = 0
        properties.get_or_add_numId().val = num.numId


def add_table(document: Document, rows: list[list[str]]) -> None:
    """A ruled table with a bold header row."""
    table = document.add_table(rows=len(rows), cols=len(rows[0]), style="Table Grid")
    for n, row in enumerate(rows):
        for cell, text in zip(table.rows[n].cells, row, strict=True):
            cell.paragraphs[0].add_run(text).bold = n == 0
    document.add_paragraph()


def fixed_zip(data: bytes) -> bytes:
    """Write the archive again with fixed timestamps."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name, STAMP.timetuple()[:6])
            new.writestr(info, old.read(name), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def make_docx(source: Source) -> bytes:
    """Render a DOCX with heading styles, real lists and tables."""
    document = docx.Document()
    document.styles["Normal"].font.name = "Arial"
    document.styles["Normal"].font.size = Pt(11)
    document.sections[0].header.paragraphs[0].text = source.meta["header"]
    core = document.core_properties
    core.title, core.author, core.last_modified_by = source.title, COMPANY, COMPANY
    core.created = core.modified = STAMP
    core.language, core.comments, core.revision = source.meta["lang"], "", 1
    for block in source.blocks:
        if block.kind == "heading":
            document.add_heading(block.text, level=block.level)
        elif block.kind == "table":
            add_table(document, block.rows)
        elif block.kind == "numbers":
            add_numbers(document, block.items)
        elif block.kind == "text":
            document.add_paragraph(block.text)
        for item in block.items if block.kind == "bullets" else []:
            document.add_paragraph(item, style="List Bullet")
    buffer = io.BytesIO()
    document.save(buffer)
    return fixed_zip(buffer.getvalue())


def html_block(block: Block) -> str:
    """One block as HTML."""
    if block.kind == "heading":
        return f"<h{block.level}>{html.escape(block.text)}</h{block.level}>"
    if block.kind == "table":
        head, *rest = [[html.escape(c) for c in row] for row in block.rows]
        lines = ["<tr>" + "".join(f"<th>{c}</th>" for c in head) + "</tr>"]
        for row in rest:
            lines.append("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>")
        return '<table border="1">\n' + "\n".join(lines) + "\n</table>"
    if block.items:
        tag = "ol" if block.kind == "numbers" else "ul"
        inner = "\n".join(f"  <li>{html.escape(item)}</li>" for item in block.items)
        return f"<{tag}>\n{inner}\n</{tag}>"
    return f"<p>{html.escape(block.text)}</p>"


def make_html(source: Source) -> bytes:
    """Render a portal page in the encoding named by the front matter."""
    encoding, language = source.meta["encoding"], source.meta["lang"]
    body = "\n".join(html_block(b) for b in source.blocks)
    page = f"""<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="{encoding}">
<title>{html.escape(source.title)}</title>
<style>body {{ font-family: sans-serif; max-width: 50em }} nav {{ color: #666 }}</style>
</head>
<body>
<nav>{html.escape(source.meta["header"])}</nav>
<main>
{body}
</main>
</body>
</html>
"""
    return page.encode(encoding, "xmlcharrefreplace")


Maker = Callable[[Source], bytes]
MAKERS: dict[str, Maker] = {".pdf": make_pdf, ".docx": make_docx, ".html": make_html}


def main() -> None:
    """Build every document."""
    for path in sorted(SOURCES.rglob("*.md")):
        name = path.relative_to(SOURCES).with_suffix("")
        target = TARGET / unicodedata.normalize("NFC", str(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(MAKERS[target.suffix](parse(path)))
        print(name)


if __name__ == "__main__":
    main()
