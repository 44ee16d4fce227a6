"""What a file says of itself: title, author and date, without what templates and printers leave there."""

from __future__ import annotations

import re
from datetime import date
from email.utils import parsedate_to_datetime
from typing import Any

_JUNK_TITLE = re.compile(
    r"""(?ix)^( microsoft\s(word|excel|powerpoint)\b.* | (powerpoint\s)?(presentation|презентация)(\s?powerpoint)?\s?\d*
    | untitled.* | без\s(названия|имени).* | (document|документ|book|книга|workbook|slide|слайд|sheet|лист|title)\s?\d*
    | (word|excel|office)\s?(document|template)? | normal(\.dotm?)? | template | шаблон | заголовок | название
    | [^\s]+\.(docx?|xlsx?|pptx?|dotx?|rtf|odt|pdf|tmp) )$"""
)
_JUNK_AUTHOR = re.compile(
    r"(?i)^(openpyxl|python-docx|administrator|admin|user|windows user|пользователь( windows)?|аноним|unknown|автор)$"
)


def document_properties(title: object, author: object, written: object) -> dict[str, Any]:
    """The properties that are worth showing; what is missing or junk is left out."""
    found = {"title": _worthy(title, _JUNK_TITLE), "author": _worthy(author, _JUNK_AUTHOR), "date": iso_date(written)}
    return {key: value for key, value in found.items() if value}


def file_properties(title: object, author: object, written: object) -> dict[str, Any]:
    """The same of what a program wrote into the file: a template's title and the day of saving say little of the document,
    so they never stand for its title and date (`file_title`, `created`).
    """
    renamed = {"title": "file_title", "date": "created"}
    return {renamed.get(key, key): value for key, value in document_properties(title, author, written).items()}


def iso_date(written: object) -> str | None:
    """A day as ISO writes it, from an ISO time or the date of a letter."""
    text = str(written or "").strip()
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text).date().isoformat()
    except (ValueError, TypeError, IndexError):
        return None


def _worthy(value: object, junk: re.Pattern[str]) -> str | None:
    text = " ".join(str(value or "").split())
    if len(text) < 2 or len(text) > 300 or junk.match(text) or not re.search(r"\w", text):
        return None
    # undecoded RTF, and Cyrillic that went through the wrong code page
    return None if re.search(r"\\'[0-9a-f]{2}|\\u\d|\ufffd|[ÐÑ][^ ]|\?{3}", text) else text
