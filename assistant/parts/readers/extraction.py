"""xberg, from bytes: paths and URLs are never handed over, nothing is cached, and it recognises no pictures."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

from assistant.errors import DocumentError
from assistant.parts.readers.base import clean
from assistant.parts.readers.properties import file_properties
from assistant.settings import IngestLimits

_ESCAPED = re.compile(r"\\([.\-+()\[\]{}#!_*>`~])")
_ESCAPED_BAR = re.compile(r"(?m)^(?!\|).*\\\|.*$")  # in a table's row it keeps a cell whole
_EMPHASIS = r"(?<![\\*])(\*{1,3})(?=[^\s*])([^*\n]{1,200}?)(?<=[^\s*\\])"
# Of a piece of a word, which it would cut in two for a search: after a letter, or before one.
_MARKED_PIECE = re.compile(rf"(?<=\w){_EMPHASIS}\1(?!\*)|{_EMPHASIS}\3(?=\w)")
_MAX_CELLS = 20_000_000


@dataclass(frozen=True)
class Leaf:
    """A sheet or slide."""

    text: str
    name: str | None = None
    notes: str | None = None


@dataclass(frozen=True)
class Extracted:
    text: str
    leaves: list[Leaf] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)


def extract(raw: bytes, mime_type: str, limits: IngestLimits, *, leaves: bool = False) -> Extracted:
    """Markdown of an office file or page, and its sheets or slides if asked for. Raises `DocumentError`."""
    import xberg

    config = xberg.ExtractionConfig(
        use_cache=False,
        output_format="markdown",
        disable_ocr=True,
        escape_markdown=False,
        pages=xberg.PageConfig(extract_pages=True) if leaves else None,
        max_archive_depth=1,
        security_limits=xberg.SecurityLimits(
            max_archive_size=limits.unpacked_mb << 20,
            max_compression_ratio=1000,  # ours is stricter where it matters, and lets embedded PDF files through
            max_files_in_archive=limits.archive_files,
            max_table_cells=_MAX_CELLS,
            max_content_size=4 * limits.text_chars,
        ),
    )

    async def run() -> Any:  # noqa: ANN401 - a class of the extension module
        return await xberg.extract(xberg.ExtractInput(kind="bytes", bytes=raw, mime_type=mime_type), config)

    try:
        found = asyncio.run(run())
    except (xberg.XbergError, RuntimeError, ValueError, OSError) as error:
        raise DocumentError(f"it is damaged or not what its name says ({_first_line(error)})") from error
    if not found.results:
        reason = _first_line(found.errors[0]) if found.errors else "nothing was extracted"
        raise DocumentError(f"it is damaged or not what its name says ({reason})")
    return _extracted(found.results[0])


def _extracted(result: Any) -> Extracted:  # noqa: ANN401 - a class of the extension module
    said = result.metadata
    author = (said.authors or [said.created_by])[0]
    return Extracted(
        text=_plain(result.content),
        leaves=[
            Leaf(_plain(page.content), page.sheet_name, clean(page.speaker_notes or "") or None)
            for page in result.pages or []
        ],
        properties=file_properties(said.title, author, said.modified_at or said.created_at),
    )


def _plain(content: str) -> str:
    """Without the escapes that xberg puts before every sign, and with whole words."""
    text = _MARKED_PIECE.sub(_joined, content)
    text = _ESCAPED.sub(r"\1", text)
    return clean(_ESCAPED_BAR.sub(lambda line: line[0].replace("\\|", "|"), text))


def _joined(marked: re.Match[str]) -> str:
    """The piece without its marks, unless a capital shows that a word begins there and only the blank was lost."""
    piece = marked[2] or marked[4]
    before, after = marked.string[marked.start() - 1 : marked.start()], marked.string[marked.end() : marked.end() + 1]
    lost = (before.islower() and piece[0].isupper()) or (piece[-1].islower() and after.isupper())
    return marked[0] if lost else piece


def _first_line(error: object) -> str:
    lines = str(getattr(error, "message", error)).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
