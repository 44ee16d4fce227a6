"""The language of a text: Russian or English, by its letters."""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["ru", "en"]

_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)
_LATIN = re.compile(r"[a-z]", re.IGNORECASE)


def language_of(text: str) -> Language:
    """`ru` as soon as a third of the letters is Cyrillic: Russian questions are full of Latin product names."""
    cyrillic, latin = len(_CYRILLIC.findall(text)), len(_LATIN.findall(text))
    return "ru" if cyrillic * 2 >= latin and cyrillic else "en"
