"""Text that xberg leaves in XLS and PPT files: text boxes, and what stands on a master slide only."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from assistant.parts.readers.base import clean

_TEXT_OBJECT, _CONTINUED = 0x01B6, 0x003C  # records of a workbook
_CHARS, _BYTES = 0x0FA0, 0x0FA8  # of a presentation: text in UTF-16, and its lower bytes only
_PROMPT = re.compile(r"(?i)^(click to edit|образец|щелкните|щёлкните|для правки)|^\W*$")


def text_boxes(raw: bytes) -> str:
    """The text boxes and shapes of an XLS workbook, each a paragraph."""
    stream = _stream(raw, "Workbook")
    found, at, before = [], 0, 0
    while at + 4 <= len(stream):
        kind, length = (int.from_bytes(stream[at + n : at + n + 2], "little") for n in (0, 2))
        if kind == _CONTINUED and before == _TEXT_OBJECT and length > 1:
            text = stream[at + 5 : at + 4 + length]
            found.append(clean(text.decode("utf-16-le" if stream[at + 4] & 1 else "latin-1", "replace")))
        before, at = kind, at + 4 + length
    return "\n\n".join(text for text in found if text)


def master_text(raw: bytes) -> str:
    """All text of a PPT but for the prompts of its masters: for one that has none on its slides."""
    stream = _stream(raw, "PowerPoint Document")
    texts = (line for text in _texts(stream) for line in re.split(r"[\r\n\v]+", text))
    return "\n\n".join(dict.fromkeys(clean(line) for line in texts if not _PROMPT.search(line)))


def _texts(stream: bytes) -> Iterator[str]:
    at = 0
    while at + 8 <= len(stream):
        version, kind = (int.from_bytes(stream[at + n : at + n + 2], "little") for n in (0, 2))
        at, length = at + 8, int.from_bytes(stream[at + 4 : at + 8], "little")
        if version & 0xF == 0xF:  # a container: its records come next
            continue
        if kind in (_CHARS, _BYTES):
            yield stream[at : at + length].decode("utf-16-le" if kind == _CHARS else "latin-1", "replace")
        at += length


def _stream(raw: bytes, name: str) -> bytes:
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(raw)) as compound:
            return bytes(compound.openstream(name).read()) if compound.exists(name) else b""
    except (OSError, ValueError, IndexError, TypeError, KeyError):
        return b""  # damaged: there is what xberg found
