"""What a PDF says of itself: title, author and date, unless the program that wrote it made them up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.parts import text_layer
from assistant.parts.readers.base import clean

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_FILE_TYPES = "docx?|xlsx?|pptx?|pdf|od[tsp]|rtf|txt|html?|indd|qxd|dvi|tex|cdr|tif+|jpe?g|png|graffle"
_PLACEHOLDERS = "untitled|unnamed|unspecified|anonymous|unknown|title|none|null|без имени|без названия"
_PLACEHOLDERS += "|user|пользователь|admin(?:istrator)?|администратор"
_NUMBERED = "document|документ|презентация|presentation|книга|book|лист|scan|скан"
_MADE_UP = re.compile(
    rf"^microsoft (?:word|excel|powerpoint)|\.(?:{_FILE_TYPES})$|^\(?(?:{_PLACEHOLDERS}|(?:{_NUMBERED})[\s_-]*\d*)\)?$",
    re.IGNORECASE,
)
_DATE = re.compile(r"(?:D:)?(\d{4})(\d{2})(\d{2})")


def properties_of(document: PdfDocument, file: Path) -> dict[str, Any]:
    """`file_title`, `author` and `created` (ISO); those that say nothing are left out."""
    said = document.get_metadata_dict(skip_empty=True)
    found: dict[str, Any] = {}
    if title := _meant(said.get("Title", ""), file):
        found["file_title"] = title
    if author := _meant(said.get("Author", ""), file):
        found["author"] = author
    if (date := _DATE.match(said.get("CreationDate", ""))) and _is_date(*map(int, date.groups())):
        found["created"] = "-".join(date.groups())
    return found


def _meant(text: str, file: Path) -> str:
    """The text, or nothing if it is the file's name, a program's, or no word at all."""
    text = " ".join(clean(text_layer.unscrambled(text)[0]).split())
    plain = re.sub(r"[\W_]+", " ", text).strip().lower()
    is_name = plain in (re.sub(r"[\W_]+", " ", name).strip().lower() for name in (file.name, file.stem))
    is_word = re.search(r"[^\W\d_]{2,}", text) and not re.search(r"[\ufffd\x00-\x1f]|^\w:\\|^(?:file|https?):|^/", text)
    return text[:300] if is_word and not is_name and not _MADE_UP.search(text) else ""


def _is_date(year: int, month: int, day: int) -> bool:
    return 1980 <= year <= 2100 and 1 <= month <= 12 and 1 <= day <= 31
