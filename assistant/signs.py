"""Signs that nobody sees and programs obey: taken out of what goes to a model, a page of others or a terminal."""

from __future__ import annotations

import json
import re

# Signs that are not seen: they hide words, order them otherwise, or carry text of their own past a reader.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u0600-\u0605\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_UNSEEN_OR_END = re.compile(rf"{_UNSEEN.pattern}|[\x85\u2028\u2029]")
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def without_unseen(text: str) -> str:
    """The text without signs that nobody sees and some programs obey; its lines end as lines do."""
    return _UNSEEN.sub("", _LINE_END.sub("\n", text))


def unseen_escaped(text: str) -> str:
    """JSON in which such signs are written as their numbers."""
    return _UNSEEN_OR_END.sub(lambda sign: json.dumps(sign[0])[1:-1], text)
