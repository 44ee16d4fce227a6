"""The charts of a DOCX as tables: their titles, categories and figures."""

from __future__ import annotations

import io
import re
import zipfile
from xml.etree import ElementTree

from assistant.parts.readers.tables import markdown_table

_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_TEXT = "{http://schemas.openxmlformats.org/drawingml/2006/main}t"
_LARGEST = 4 << 20  # bytes of a chart


def charts_of(raw: bytes) -> str:
    """Markdown of the charts, empty without any; a damaged one is left out."""
    if b"word/charts/chart" not in raw:
        return ""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        names = [name for name in sizes if re.fullmatch(r"word/charts/chart\d*\.xml", name)]
        found = []
        for name in sorted(names):
            try:
                found.append(_chart(archive.read(name)) if sizes[name] <= _LARGEST else "")
            except (ElementTree.ParseError, zipfile.BadZipFile, RuntimeError, OSError, EOFError):
                continue
    return "\n\n".join(chart for chart in found if chart)


def _chart(xml: bytes) -> str:
    root = ElementTree.fromstring(xml)
    titles = ["".join(text.text or "" for text in title.iter(_TEXT)) for title in root.iter(f"{_CHART}title")]
    columns = [_values(series, "tx")[:1] or [""] for series in root.iter(f"{_CHART}ser")]
    figures = [_values(series, "val") or _values(series, "yVal") for series in root.iter(f"{_CHART}ser")]
    categories = next(
        (names for s in root.iter(f"{_CHART}ser") if (names := _values(s, "cat") or _values(s, "xVal"))), []
    )
    rows = [["", *(name for (name,) in columns)]]
    for number in range(max((len(values) for values in [categories, *figures]), default=0)):
        rows.append([values[number] if number < len(values) else "" for values in [categories, *figures]])
    return "\n\n".join(piece for piece in [*titles, markdown_table(rows)] if piece)


def _values(series: ElementTree.Element, part: str) -> list[str]:
    inside = series.find(f"{_CHART}{part}")
    return [] if inside is None else [value.text or "" for value in inside.iter(f"{_CHART}v")]
