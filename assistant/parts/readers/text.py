"""Text of any encoding: Markdown and plain text."""

from __future__ import annotations

import re
from pathlib import Path

from assistant.errors import DocumentError
from assistant.parts.readers.base import READERS, CorporateReader, Part, ReadContext, Reading, clean


class MarkdownReader(CorporateReader):
    """Markdown as it is."""

    def read(self, file: Path, context: ReadContext) -> Reading:
        return Reading([Part(clean(decode(file.read_bytes())))])


@READERS.register("markdown")
def markdown() -> CorporateReader:
    """Markdown as it is."""
    return MarkdownReader()


class TextReader(CorporateReader):
    """Plain text in any encoding; a line that starts with # is not a heading here."""

    def read(self, file: Path, context: ReadContext) -> Reading:
        return Reading([Part(clean(re.sub(r"^(#+\s)", r"\\\1", decode(file.read_bytes()), flags=re.M)))])


@READERS.register("text")
def text() -> CorporateReader:
    """Plain text in any encoding; a line that starts with # is not a heading here."""
    return TextReader()


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
