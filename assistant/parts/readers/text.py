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
_LONGEST = 100_000  # characters and values
_LARGEST = 2**63

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
        plain = _plain(said, [_LONGEST]) if isinstance(said, dict) else None
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}, text  # a ruling line, or a mistake that should stay visible
    return ({}, text) if plain is None else (plain, text[found.end() :])


def _plain(value: Any, left: list[int]) -> Any:  # noqa: ANN401 - whatever YAML holds
    """What JSON has too, other values left empty. Raises `ValueError` for more than `left`: YAML's references multiply."""
    left[0] -= 1 + (len(value) if isinstance(value, str) else 0)
    if left[0] < 0:
        raise ValueError("too much of it")
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(item, left) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, left) for key, item in value.items()}
    if isinstance(value, int | float):
        return value if abs(value) < _LARGEST else None  # nor what is not a number
    return value if isinstance(value, str) else None
