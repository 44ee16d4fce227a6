"""Charts of office files as tables: their titles, categories and figures; and the texts of a DOCX's diagrams."""

from __future__ import annotations

import io
import re
import zipfile
from xml.etree import ElementTree

from assistant.parts.readers.tables import markdown_table

_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_TEXT = "{http://schemas.openxmlformats.org/drawingml/2006/main}t"
_PARAGRAPH = "{http://schemas.openxmlformats.org/drawingml/2006/main}p"
_LARGEST = 4 << 20  # bytes of a chart


def charts_of(raw: bytes) -> str:
    """Markdown of a DOCX's charts and diagrams (SmartArt), empty without any; a damaged one is left out."""
    if b"word/charts/chart" not in raw and b"word/diagrams/data" not in raw:
        return ""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        names = [name for name in sizes if re.fullmatch(r"word/(charts/chart|diagrams/data)\d*\.xml", name)]
        found = []
        for name in sorted(names):
            read = _chart if "/charts/" in name else _diagram
            try:
                found.append(read(ElementTree.fromstring(archive.read(name))) if sizes[name] <= _LARGEST else "")
            except (ElementTree.ParseError, zipfile.BadZipFile, RuntimeError, OSError, EOFError):
                continue
    return "\n\n".join(chart for chart in found if chart)


def chart_names(chart: ElementTree.Element) -> str:
    """The titles of a chart and of its axes, and what its series are called, where the figures stand elsewhere."""
    series = [name for each in chart.iter(f"{_CHART}ser") for name in _values(each, "tx")[:1]]
    return ", ".join(name for name in dict.fromkeys([*_titles(chart), *series]) if name.strip())


def _chart(root: ElementTree.Element) -> str:
    columns = [_values(series, "tx")[:1] or [""] for series in root.iter(f"{_CHART}ser")]
    figures = [_values(series, "val") or _values(series, "yVal") for series in root.iter(f"{_CHART}ser")]
    categories = next(
        (names for s in root.iter(f"{_CHART}ser") if (names := _values(s, "cat") or _values(s, "xVal"))), []
    )
    rows = [["", *(name for (name,) in columns)]]
    for number in range(max((len(values) for values in [categories, *figures]), default=0)):
        rows.append([values[number] if number < len(values) else "" for values in [categories, *figures]])
    return "\n\n".join(piece for piece in [*_titles(root), markdown_table(rows)] if piece)


def _titles(root: ElementTree.Element) -> list[str]:
    return ["".join(text.text or "" for text in title.iter(_TEXT)) for title in root.iter(f"{_CHART}title")]


def _diagram(root: ElementTree.Element) -> str:
    """Its boxes as a list."""
    texts = (" ".join("".join(text.text or "" for text in p.iter(_TEXT)).split()) for p in root.iter(_PARAGRAPH))
    return "\n".join(f"- {text}" for text in texts if text)


def _values(series: ElementTree.Element, part: str) -> list[str]:
    inside = series.find(f"{_CHART}{part}")
    return [] if inside is None else [value.text or "" for value in inside.iter(f"{_CHART}v")]
