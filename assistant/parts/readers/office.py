"""Office files and web pages, by xberg from bytes: paths and URLs are never handed over."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from assistant.errors import DocumentError
from assistant.parts.readers.base import READERS, CorporateReader, Part, ReadContext, Reading, clean
from assistant.parts.readers.text import decode

_FRONT_MATTER = re.compile(r"\A---\n\s*(?:(?:## )?[\w:.-]+: .*\n)+(?:---\n)?")  # what xberg makes of <title> and <meta>
_ESCAPED = re.compile(r"\\([.\-+()\[\]{}#!_*>|`~])")
_MIME = {".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document"}


class OfficeReader(CorporateReader):
    """DOCX: Markdown with headings and tables. Pages exist only once it is printed, so none are given."""

    def read(self, file: Path, context: ReadContext) -> Reading:
        return Reading([Part(clean(_xberg(file.read_bytes(), _MIME[file.suffix.lower()])))])


@READERS.register("office")
def office() -> CorporateReader:
    """DOCX: Markdown with headings and tables. Pages exist only once it is printed, so none are given."""
    return OfficeReader()


class HtmlReader(CorporateReader):
    """HTML in any encoding, decoded before it is parsed (xberg alone breaks windows-1251)."""

    def read(self, file: Path, context: ReadContext) -> Reading:
        source = decode(file.read_bytes())
        source = re.sub(r"<meta[^>]+charset[^>]*>", "", source, flags=re.IGNORECASE)
        return Reading([Part(clean(_FRONT_MATTER.sub("", _xberg(source.encode(), "text/html"))))])


@READERS.register("html")
def html() -> CorporateReader:
    """HTML in any encoding, decoded before it is parsed (xberg alone breaks windows-1251)."""
    return HtmlReader()


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
