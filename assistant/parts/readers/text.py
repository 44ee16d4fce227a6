"""Text of any encoding: Markdown with its front matter, and plain text."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from assistant.parts.readers.base import READERS, CorporateReader, Part, ReadContext, Reading, clean
from assistant.parts.readers.by_content import ByContent
from assistant.parts.readers.decoding import decode

_FRONT_MATTER = re.compile(
    r"\A\ufeff?---[ \t]*\r?\n(.{0,20000}?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)

__all__ = ["MarkdownReader", "TextReader", "decode", "front_matter"]


class MarkdownReader(ByContent):
    """Markdown as it is; YAML between two `---` lines at its beginning becomes its properties."""

    name = "markdown"

    def parse(self, raw: bytes, file: Path, context: ReadContext) -> Reading:
        properties, text = front_matter(decode(raw))
        return Reading([Part(clean(text))], properties)


@READERS.register("markdown")
def markdown() -> CorporateReader:
    """Markdown as it is; YAML between two `---` lines at its beginning becomes its properties."""
    return MarkdownReader()


class TextReader(ByContent):
    """Plain text in any encoding; a line that starts with # is not a heading here."""

    name = "text"

    def parse(self, raw: bytes, file: Path, context: ReadContext) -> Reading:
        return Reading([Part(clean(re.sub(r"^(#+\s)", r"\\\1", decode(raw), flags=re.M)))])


@READERS.register("text")
def text() -> CorporateReader:
    """Plain text in any encoding; a line that starts with # is not a heading here."""
    return TextReader()


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The mapping at the head of a Markdown file, dates as ISO strings, and the text after it."""
    found = _FRONT_MATTER.match(text)
    if found is None:
        return {}, text
    try:
        said = yaml.safe_load(found[1])
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}, text  # a ruling line, or a mistake that should stay visible
    if not isinstance(said, dict):
        return {}, text
    return {str(key): _plain(value) for key, value in said.items()}, text[found.end() :]


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
