"""Readers by file extension: LlamaIndex `BaseReader`s that give Markdown, one `Document` a page where there are pages.

They run in worker processes (`assistant.ingest.reading`) and raise `DocumentError` with a reason for a person.
Which library reads what was measured: liteparse with a pypdfium2 guard for PDF, xberg from bytes for office and HTML.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document

from assistant.errors import DocumentError
from assistant.registry import Registry

READERS: Registry[BaseReader] = Registry("reader")

# Raise it when what a reader makes of a file changes: every document is then read again.
VERSION = 1

_EMPTY_FENCE = re.compile(r"```\w*\s*```")
_FRONT_MATTER = re.compile(r"\A---\n\s*(?:(?:## )?[\w:.-]+: .*\n)+(?:---\n)?")  # what xberg makes of <title> and <meta>
_ESCAPED = re.compile(r"\\([.\-+()\[\]{}#!_*>|`~])")


class CorporateReader(BaseReader):
    """A function from a file to its pages (label or None, Markdown), as a LlamaIndex reader."""

    def __init__(self, read: Callable[[Path], list[tuple[str | None, str]]]) -> None:
        self._read = read

    def load_data(self, file: Path, extra_info: dict[str, Any] | None = None) -> list[Document]:
        """Raises `DocumentError`. Pages without text are left out; no text at all is an error."""
        pages = [(label, _clean(text)) for label, text in self._read(Path(file))]
        documents = [
            Document(text=text, metadata={**(extra_info or {}), **({"page_label": label} if label else {})})
            for label, text in pages
            if text
        ]
        if not documents:
            raise DocumentError("no text was found in it (empty, or a scan without a text layer)")
        return documents


@READERS.register("pdf")
def pdf() -> BaseReader:
    """PDF with a text layer: Markdown by liteparse; a page that it lost words of is taken from pypdfium2."""
    return CorporateReader(_read_pdf)


@READERS.register("office")
def office() -> BaseReader:
    """DOCX: Markdown with headings and tables. Pages exist only once it is printed, so none are given."""
    return CorporateReader(lambda file: [(None, _xberg(file.read_bytes(), _MIME[file.suffix.lower()]))])


@READERS.register("html")
def html() -> BaseReader:
    """HTML in any encoding, decoded before it is parsed (xberg alone breaks windows-1251)."""

    def read(file: Path) -> list[tuple[str | None, str]]:
        source = decode(file.read_bytes())
        source = re.sub(r"<meta[^>]+charset[^>]*>", "", source, flags=re.IGNORECASE)
        return [(None, _FRONT_MATTER.sub("", _xberg(source.encode(), "text/html")))]

    return CorporateReader(read)


@READERS.register("markdown")
def markdown() -> BaseReader:
    """Markdown as it is."""
    return CorporateReader(lambda file: [(None, decode(file.read_bytes()))])


@READERS.register("text")
def text() -> BaseReader:
    """Plain text in any encoding; a line that starts with # is not a heading here."""
    return CorporateReader(lambda file: [(None, re.sub(r"^(#+\s)", r"\\\1", decode(file.read_bytes()), flags=re.M))])


_MIME = {".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document"}


def decode(raw: bytes) -> str:
    """Text of unknown encoding. Raises `DocumentError` for binary data."""
    from charset_normalizer import from_bytes

    if not raw.strip():
        raise DocumentError("the file is empty")
    for encoding in ("utf-8-sig", "utf-16") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            decoded = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in decoded:
            return decoded
    best = from_bytes(
        raw, cp_isolation=["cp1251", "koi8_r", "cp866", "cp1252", "mac_cyrillic", "utf_16", "utf_8"]
    ).best()
    if best is None or "\0" in str(best):
        raise DocumentError("it is not text (binary data, or an unknown encoding)")
    return str(best)


def _read_pdf(file: Path) -> list[tuple[str | None, str]]:
    from liteparse import LiteParse, ParseError
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        with PdfDocument(file) as pdf_document:
            plain = [page.get_textpage().get_text_bounded() for page in pdf_document]
    except PdfiumError as error:
        reason = "it needs a password" if "password" in str(error).lower() else "it is damaged or not a PDF"
        raise DocumentError(f"{reason} ({error})") from error
    parser = LiteParse(
        ocr_enabled=False, output_format="markdown", keep_headers_footers=True, quiet=True, num_workers=1
    )
    try:
        marked = {page.page_num: page.markdown or page.text for page in parser.parse(file.read_bytes()).pages}
    except ParseError as error:
        raise DocumentError(f"its layout could not be read ({error})") from error
    pages = [_complete(marked.get(number) or "", text) for number, text in enumerate(plain, start=1)]
    return [(str(number), text) for number, text in enumerate(_without_running_lines(pages), start=1)]


def _without_running_lines(pages: list[str]) -> list[str]:
    """Pages without the first and last lines that stand on most of them (company, document number, page number).

    Only at the edges, and only repeated ones: liteparse's own removal also takes lines from the body.
    """
    if len(pages) < 3:
        return pages
    edges = [{_shape(line) for line in _edge_lines(page)} for page in pages]
    counts = Counter(shape for shapes in edges for shape in shapes)
    running = {shape for shape, count in counts.items() if count > len(pages) / 2}
    return ["\n".join(_kept(page.split("\n"), running)) for page in pages]


def _edge_lines(page: str) -> list[str]:
    lines = [line for line in page.split("\n") if line.strip()]
    return lines[:2] + lines[-2:]


def _kept(lines: list[str], running: set[str]) -> list[str]:
    edges = set(_edge_lines("\n".join(lines)))
    return [line for line in lines if line not in edges or _shape(line) not in running]


def _shape(line: str) -> str:
    """A line without its numbers and marks: "page 3 of 12" is the same line on every page."""
    return re.sub(r"\d+|[#*_\s]", "", line).lower() or "number"


def _complete(marked: str, plain: str) -> str:
    """The Markdown, unless it lost words that the plain text layer has (rotated text, damaged structure)."""
    marked = _EMPTY_FENCE.sub("", marked)
    wanted = set(re.findall(r"\w{3,}", plain))
    kept = set(re.findall(r"\w{3,}", marked))
    return marked if len(wanted & kept) >= 0.85 * len(wanted) else plain.replace("\r", "")


def _xberg(raw: bytes, mime_type: str) -> str:
    """Markdown of an office file or page, from bytes: paths and URLs are never handed over."""
    import xberg

    if not raw:
        raise DocumentError("the file is empty")
    config = xberg.ExtractionConfig(use_cache=False, output_format="markdown", disable_ocr=True, escape_markdown=False)

    async def extract() -> Any:  # noqa: ANN401 - a class of the extension module
        return await xberg.extract(xberg.ExtractInput(kind="bytes", bytes=raw, mime_type=mime_type), config)

    try:
        found = asyncio.run(extract())
    except (xberg.XbergError, RuntimeError, ValueError, OSError) as error:
        raise DocumentError(f"it is damaged or not what its name says ({_first_line(error)})") from error
    if not found.results:
        reason = _first_line(found.errors[0]) if found.errors else "nothing was extracted"
        raise DocumentError(f"it is damaged or not what its name says ({reason})")
    return _ESCAPED.sub(r"\1", found.results[0].content)


def _first_line(error: object) -> str:
    return str(getattr(error, "message", error)).strip().splitlines()[0][:200]


def _clean(text: str) -> str:
    """Without NUL and lone surrogates, which databases and JSON refuse."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip()
