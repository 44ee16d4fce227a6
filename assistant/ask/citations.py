"""Citation markers while an answer streams: [n] of a given passage stays, an invented number is removed."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Both have the same bound, so that the pieces a text arrives in make no difference.
_MARKER = re.compile(r"\[(?=[\d\s,;]{1,200}\])\s*(\d+(?:\s*[,;]\s*\d+)*)\s*\]")
_UNFINISHED = re.compile(r"\[[\d\s,;]{0,200}$")


class CitationFilter:
    """Feed pieces of text, get them back with valid markers only; an unfinished marker is held back."""

    def __init__(self, valid: Iterable[int]) -> None:
        self._valid = frozenset(valid)
        self._held = ""
        self.cited: list[int] = []  # in the order of their first use
        self.invented = 0

    def feed(self, text: str) -> str:
        text = self._held + text
        unfinished = _UNFINISHED.search(text)
        self._held = unfinished[0] if unfinished else ""
        return _MARKER.sub(self._keep_valid, text[: len(text) - len(self._held)])

    def finish(self) -> str:
        """What was held back: it was no marker after all."""
        held, self._held = self._held, ""
        return held

    def _keep_valid(self, marker: re.Match[str]) -> str:
        numbers = [int(number) for number in re.findall(r"\d+", marker[1])]
        kept = [number for number in numbers if number in self._valid]
        self.invented += len(numbers) - len(kept)
        self.cited += [number for number in dict.fromkeys(kept) if number not in self.cited]
        return "".join(f"[{number}]" for number in kept)
