"""CSV and TSV with any separator and encoding, as Markdown tables."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from assistant.errors import DocumentError
from assistant.parts.readers.base import READERS, CorporateReader, Part, ReadContext, Reading, clean
from assistant.parts.readers.by_content import ByContent
from assistant.parts.readers.decoding import decode

_SEPARATORS = (";", "\t", ",", "|")  # a comma is also the decimal sign of Russian figures: it comes late
_LOOKED_AT = 50  # lines
_CELL = 1 << 20  # characters


class CsvReader(ByContent):
    """A table of text; an .xls without Excel in it is read as one too."""

    name = "csv"
    leaves_to = frozenset({"office", "epub", "pdf", "html"})

    def parse(self, raw: bytes, file: Path, context: ReadContext) -> Reading:
        return Reading([Part(read_csv(raw, context.limits.text_chars))])


@READERS.register("csv")
def csv_table() -> CorporateReader:
    """CSV and TSV: separator and encoding are found out."""
    return CsvReader()


def read_csv(raw: bytes, text_chars: int) -> str:
    """A Markdown table. Raises `DocumentError`."""
    text = decode(raw)
    if len(text) > text_chars:
        raise DocumentError(f"it holds more than {text_chars} characters (ingest.limits.text_chars)")
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's own note of the separator
        text, separator = rest, first.strip()[4]
    else:
        separator = separator_of(text)
    csv.field_size_limit(_CELL)
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    except csv.Error as error:
        raise DocumentError(f"it is not a table of values ({error})") from error
    return markdown_table(rows)


def separator_of(text: str) -> str:
    """The sign that cuts the first lines into the same number of cells, the more the better."""
    lines = text[:200_000].split("\n")[:_LOOKED_AT]

    def fit(separator: str) -> tuple[float, int]:
        widths = [len(row) for row in _rows(lines, separator) if row]
        width, count = Counter(widths).most_common(1)[0] if widths else (1, 0)
        return (count / len(widths), width) if width > 1 else (0.0, 1)

    # a little irregularity is forgiven where the cells are many
    return max(_SEPARATORS, key=lambda separator: (round(fit(separator)[0], 1), fit(separator)[1]))


def _rows(lines: Iterable[str], separator: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=separator))
    except csv.Error:
        return []


def markdown_table(rows: Iterable[Iterable[str]]) -> str:
    """The rows that hold something, the first as the header; every row as wide as the widest."""
    cells = [[_cell(value) for value in row] for row in rows]
    cells = [row for row in cells if any(row)]
    width = max((len(row) for row in cells), default=0)
    lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in cells]
    if lines:
        lines.insert(1, "|" + " --- |" * width)
    return "\n".join(lines)


def _cell(value: str) -> str:
    return clean(" ".join(value.split())).replace("|", "\\|")
