"""Small office files and letters, made byte by byte: only what a reader looks at."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage
from xml.sax.saxutils import escape

_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_ODF = "urn:oasis:names:tc:opendocument:xmlns"
_ODF_NAMES = " ".join(
    f'xmlns:{name}="{_ODF}:{space}:1.0"'
    for name, space in [
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("draw", "drawing"),
        ("presentation", "presentation"),
    ]
)


def archive(entries: dict[str, str | bytes]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return raw.getvalue()


def _relations(*targets: tuple[str, str]) -> str:
    links = "".join(
        f'<Relationship Id="rId{number}" Type="{_REL}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, start=1)
    )
    return f'<?xml version="1.0"?><Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'


def _types(**parts: str) -> str:
    overrides = "".join(f'<Override PartName="{part}" ContentType="{kind}"/>' for part, kind in parts.items())
    defaults = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    defaults += '<Default Extension="xml" ContentType="application/xml"/>'
    return f'<?xml version="1.0"?><Types xmlns="{_PACKAGE}/content-types">{defaults}{overrides}</Types>'


def xlsx(sheets: dict[str, list[list[str]]]) -> bytes:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    paths = [f"xl/worksheets/sheet{number}.xml" for number in range(1, len(sheets) + 1)]
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(sheets, start=1)
    )
    entries: dict[str, str | bytes] = {
        "[Content_Types].xml": _types(
            **{"/xl/workbook.xml": f"{kind}.sheet.main+xml"}, **{f"/{path}": f"{kind}.worksheet+xml" for path in paths}
        ),
        "_rels/.rels": _relations(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{_SPREADSHEET}" xmlns:r="{_REL}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _relations(*(("worksheet", path.removeprefix("xl/")) for path in paths)),
    }
    for path, rows in zip(paths, sheets.values(), strict=True):
        lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
        entries[path] = f'<worksheet xmlns="{_SPREADSHEET}"><sheetData>{lines}</sheetData></worksheet>'
    return archive(entries)


def _cell(text: str) -> str:
    return f'<c t="inlineStr"><is><t>{escape(text)}</t></is></c>'


def pptx(slides: list[tuple[str, list[str], str]]) -> bytes:
    """Slides with a title, the runs of one paragraph, and the speaker's notes."""
    kind = "application/vnd.openxmlformats-officedocument.presentationml"
    numbers = range(1, len(slides) + 1)
    types = {f"/ppt/slides/slide{n}.xml": f"{kind}.slide+xml" for n in numbers}
    types |= {f"/ppt/notesSlides/notesSlide{n}.xml": f"{kind}.notesSlide+xml" for n in numbers}
    listed = "".join(f'<p:sldId id="{255 + n}" r:id="rId{n}"/>' for n in numbers)
    entries: dict[str, str | bytes] = {
        "[Content_Types].xml": _types(**{"/ppt/presentation.xml": f"{kind}.presentation.main+xml"}, **types),
        "_rels/.rels": _relations(("officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{_SLIDES}" xmlns:r="{_REL}">'
        f"<p:sldIdLst>{listed}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": _relations(*(("slide", f"slides/slide{n}.xml") for n in numbers)),
    }
    for number, (title, runs, notes) in enumerate(slides, start=1):
        entries[f"ppt/slides/slide{number}.xml"] = _slide("sld", _shape("title", [title]) + _shape("body", runs))
        entries[f"ppt/slides/_rels/slide{number}.xml.rels"] = _relations(
            ("notesSlide", f"../notesSlides/notesSlide{number}.xml")
        )
        entries[f"ppt/notesSlides/notesSlide{number}.xml"] = _slide("notes", _shape("body", [notes]))
    return archive(entries)


def _slide(name: str, shapes: str) -> str:
    group = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
    names = f'xmlns:p="{_SLIDES}" xmlns:a="{_DRAWING}"'
    return f"<p:{name} {names}><p:cSld><p:spTree>{group}{shapes}</p:spTree></p:cSld></p:{name}>"


def _shape(kind: str, runs: list[str]) -> str:
    texts = "".join(f'<a:r><a:rPr lang="ru-RU" dirty="0"/><a:t>{escape(run)}</a:t></a:r>' for run in runs)
    name = f'<p:nvSpPr><p:cNvPr id="2" name="x"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>'
    return f"<p:sp>{name}<p:spPr/><p:txBody><a:bodyPr/><a:p>{texts}</a:p></p:txBody></p:sp>"


def open_document(kind: str, body: str) -> bytes:
    """ODT, ODS or ODP: `kind` is text, spreadsheet or presentation; `body` is what stands inside that element."""
    mime = f"application/vnd.oasis.opendocument.{kind}"
    entry = f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mime}"/>'
    manifest = f'<manifest:manifest xmlns:manifest="{_ODF}:manifest:1.0">{entry}</manifest:manifest>'
    content = f"<office:document-content {_ODF_NAMES}><office:body><office:{kind}>{body}</office:{kind}></office:body>"
    return archive(
        {
            "mimetype": mime,
            "content.xml": f"{content}</office:document-content>",
            "META-INF/manifest.xml": manifest,
        }
    )


def epub(chapters: list[str]) -> bytes:
    items = "".join(
        f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    dc = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    entries: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        "book.opf": f'<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata {dc}><dc:title>Книга правил'
        f"</dc:title></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for number, chapter in enumerate(chapters):
        page = f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{chapter}</body></html>'
        entries[f"c{number}.xhtml"] = page
    return archive(entries)


def letter(subject: str, text: str, *, attached: dict[str, bytes | EmailMessage] | None = None) -> EmailMessage:
    """A letter with text in the body and files or letters attached."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "Анна Петрова <anna@example.org>", "all@example.org"
    message["Date"] = "Mon, 02 Sep 2024 10:00:00 +0300"
    message.set_content(text)
    for name, content in (attached or {}).items():
        if isinstance(content, bytes):
            message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
        else:
            message.add_attachment(content)
    return message
