"""What stands in an XLSX beside its cells: notes on them, text boxes, titles of charts, headers and footers. xberg reads the
cells only.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree

from assistant.parts.readers import running_lines
from assistant.parts.readers.base import clean
from assistant.parts.readers.charts import chart_names

_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_LARGEST = 4 << 20  # bytes of a part
_END = 20_000  # bytes
_ERRORS = (ElementTree.ParseError, zipfile.BadZipFile, KeyError, RuntimeError, OSError, NotImplementedError, EOFError)
# Excel's own words in the older form of a conversation, for programs that don't know conversations.
_EXPLAINED = re.compile(r"\A\[[^\]]*\].*?go\.microsoft\.com/fwlink\S*\s+\S+:\s*", re.DOTALL)


def beside_cells(raw: bytes) -> dict[str, str]:
    """Markdown by the sheet's name, only of sheets that have such; what is damaged is left out."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return {name: text for name, part in _sheets(archive) if (text := _beside(archive, part))}
    except _ERRORS:
        return {}


def _sheets(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Names of sheets and the parts that hold them."""
    parts = dict(_related(archive, "xl/workbook.xml"))
    for sheet in _xml(archive, "xl/workbook.xml").iter(f"{_SHEET}sheet"):
        if part := parts.get(sheet.get(_RELATION, "")):
            yield sheet.get("name", ""), part


def _beside(archive: zipfile.ZipFile, sheet: str) -> str:
    found: list[str] = []
    for _, part in _related(archive, sheet):
        try:
            if re.search(r"/comments[^/]*\.xml$", part):
                found += _notes(_xml(archive, part))
            elif re.search(r"/drawing[^/]*\.xml$", part):
                found += _boxes(_xml(archive, part))
                charts = [chart for _, chart in _related(archive, part) if "/charts/chart" in chart]
                found += [names for chart in charts if (names := chart_names(_xml(archive, chart)))]
        except _ERRORS:
            continue
    if head := running_lines.of_sheet(_end(archive, sheet)):
        found.append(head)
    return "\n\n".join(found)


def _notes(comments: ElementTree.Element) -> Iterator[str]:
    for note in comments.iter(f"{_SHEET}comment"):
        text = clean(_EXPLAINED.sub("", "".join(part.text or "" for part in note.iter(f"{_SHEET}t"))))
        if text:
            yield f"{note.get('ref', '')}: {' '.join(text.split())}"


def _boxes(drawing: ElementTree.Element) -> Iterator[str]:
    """Text boxes and shapes with text, each a paragraph of its lines."""
    for body in (element for element in drawing.iter() if element.tag.endswith("}txBody")):
        lines = ("".join(run.text or "" for run in line.iter(f"{_DRAWING}t")) for line in body.iter(f"{_DRAWING}p"))
        if text := "\n".join(line for line in map(clean, lines) if line):
            yield text


def _related(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[str, str]]:
    """Id and target of a part's relations to other parts of the file."""
    folder, _, name = part.rpartition("/")
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in archive.namelist():
        return
    for relation in _xml(archive, relations):
        target = relation.get("Target", "")
        if relation.get("TargetMode") != "External":
            yield relation.get("Id", ""), posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")


def _end(archive: zipfile.ZipFile, sheet: str) -> str:
    """What comes after the cells, which may be many megabytes."""
    end = b""
    with archive.open(sheet) as content:
        while piece := content.read(1 << 20):
            end = (end + piece)[-_END:]
    return end.decode("utf-8", "replace")


def _xml(archive: zipfile.ZipFile, part: str) -> ElementTree.Element:
    if archive.getinfo(part).file_size > _LARGEST:
        raise KeyError(part)
    return ElementTree.fromstring(archive.read(part))
