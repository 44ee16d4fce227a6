"""The language of a text: Russian or English, by its letters."""

from __future__ import annotations

import string
from typing import Literal

Language = Literal["ru", "en"]

_LATIN = string.ascii_letters.encode()


def language_of(text: str) -> Language:
    """`ru` as soon as a third of the letters is Cyrillic: Russian questions are full of Latin product names."""
    encoded = text.encode("utf-8", "replace")  # counting bytes: a question weighs a hundred passages
    cyrillic = encoded.count(0xD0) + encoded.count(0xD1)  # the first bytes of U+0400 to U+047F, and of nothing else
    latin = len(encoded) - len(encoded.translate(None, _LATIN))
    return "ru" if cyrillic * 2 >= latin and cyrillic else "en"
