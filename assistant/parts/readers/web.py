"""Web pages in any encoding, decoded before they are parsed (xberg alone breaks windows-1251)."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path

from assistant.errors import DocumentError
from assistant.parts.readers.base import READERS, CorporateReader, Part, ReadContext, Reading, clean
from assistant.parts.readers.by_content import ByContent
from assistant.parts.readers.decoding import decode
from assistant.parts.readers.extraction import extract
from assistant.parts.readers.properties import file_properties
from assistant.parts.readers.tables import markdown_table
from assistant.settings import IngestLimits

# xberg makes front matter of them, and a wrong charset would win over the right decoding.
_HEAD = re.compile(r"<meta\b[^>]*>|<title\b[^>]*>.*?</title\s*>|<\?xml[^>]*\?>", re.IGNORECASE | re.DOTALL)
_ROW = re.compile(r"^\|.*$", re.MULTILINE)
_TITLE = re.compile(r"<title\b[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_AUTHOR = re.compile(r"<meta\s+name=[\"']?author[\"']?\s+content=[\"']([^\"']{2,200})[\"']", re.IGNORECASE)


class HtmlReader(ByContent):
    """HTML, and pages saved with their pictures as MHT."""

    name = "html"
    leaves_to = frozenset({"office", "epub", "pdf", "mail"})

    def parse(self, raw: bytes, file: Path, context: ReadContext) -> Reading:
        source = decode(raw)
        title, author = _TITLE.search(source[:50_000]), _AUTHOR.search(source[:50_000])
        said = file_properties(html.unescape(title[1]) if title else None, author and author[1], None)
        return Reading([Part(from_html(source, context.limits))], said)


@READERS.register("html")
def html_page() -> CorporateReader:
    """HTML in any encoding, and pages saved as MHT."""
    return HtmlReader()


def from_html(source: str, limits: IngestLimits) -> str:
    """Markdown of a decoded page. Raises `DocumentError`."""
    body = _HEAD.sub("", source)
    try:
        return _ROW.sub(_unpadded, extract(body.encode("utf-8", "replace"), "text/html", limits).text)
    except DocumentError:  # some pages of LibreOffice break html-to-markdown
        plain = _PlainPage()
        plain.feed(body)
        plain.close()
        return plain.text()


def _unpadded(row: re.Match[str]) -> str:
    """A row of a table without the blanks that only align its columns."""
    return re.sub(r"-{4,}", "---", re.sub(r" {2,}", " ", row[0])) if "|" in row[0][1:] else row[0]


class _PlainPage(HTMLParser):
    """Headings, paragraphs, list items and the rows of tables: enough for a page that breaks the better converter."""

    _BLOCKS = frozenset(
        ("p", "div", "br", "ul", "ol", "section", "article", "blockquote", "pre", "dl", "dt", "dd", "hr")
    )
    _HIDDEN = frozenset(("script", "style", "head", "template", "noscript"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._done: list[str] = []
        self._line: list[str] = []
        self._hidden = 0
        self._tables: list[list[list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._HIDDEN:
            self._hidden += 1
        elif tag == "table":
            self._end_line()
            self._tables.append([])
        elif tag == "tr" and self._tables:
            self._tables[-1].append([])
        elif tag in ("td", "th") and self._tables:
            self._line.clear()
        elif tag == "li" or re.fullmatch(r"h[1-6]", tag):
            self._end_line()
            self._line.append("- " if tag == "li" else "#" * int(tag[1]) + " ")
        elif tag in self._BLOCKS:
            self._end_line()

    def handle_endtag(self, tag: str) -> None:
        if tag in self._HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in ("td", "th") and self._tables and self._tables[-1]:
            self._tables[-1][-1].append("".join(self._line))
            self._line.clear()
        elif tag == "table" and self._tables:
            table = markdown_table(self._tables.pop())
            (self._line if self._tables else self._done).append(table)  # one inside another is a cell's text
        elif tag in self._BLOCKS or tag == "li" or re.fullmatch(r"h[1-6]", tag):
            self._end_line()

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._line.append(re.sub(r"\s+", " ", data))

    def text(self) -> str:
        """All of it; a table that the page never closed as well."""
        self._done += [markdown_table(rows) for rows in self._tables]
        self._end_line(inside_table=False)
        return clean("\n\n".join(self._done))

    def _end_line(self, *, inside_table: bool = True) -> None:
        if inside_table and self._tables:
            self._line.append(" ")
            return
        if line := "".join(self._line).strip():
            self._done.append(line)
        self._line.clear()
