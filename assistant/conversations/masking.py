"""Taking out of an old answer what its reader may no longer read. In doubt a sentence is withheld.

A sentence stays if it cites passages that may be read, and no others. One that cites nothing may come from any of the
passages that the answer was made from, and one that repeats a withheld passage's words comes from it, whatever it cites.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from assistant.ask.events import MARKER
from assistant.ask.language import Language

WITHHELD: dict[Language, str] = {
    "ru": "[скрыто: нет доступа к источнику]",
    "en": "[withheld: no access to the source]",
}
_MARKERS = re.compile(r"(?:\s*\[\d{1,6}\])+")
# A sentence with the markers behind its full stop: they are its own, not the next one's.
_SENTENCE = re.compile(r".+?(?:[.!?…]+[»\")\]]*(?:[ \t]*\[\d{1,6}\])*(?=\s|$)|$)")
_SAME_WORDS = 5  # as many of a withheld passage in a row are no coincidence
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Given:
    """A passage that the answer may have been made from."""

    n: int
    title: str
    text: str


def masked(text: str, withheld: Sequence[Given], kept: Sequence[Given], placeholder: str, *, is_quoted: bool) -> str:
    """The answer with a placeholder for each run of sentences that are withheld. `is_quoted`: it is made of quotes.

    To be called only when something is withheld, from this answer or from one that its question went back to.
    """
    readable = {one.n for one in kept}
    foreign = _Foreign(withheld, kept)
    parts: list[str] = []
    is_hidden = False
    for piece, end in _quotes(text) if is_quoted else _sentences(text):
        if _may_stay(piece, readable, foreign, is_quoted=is_quoted):
            parts.append(piece + end)
            is_hidden = False
        elif not is_hidden and _WORD.search(piece):
            space = piece[: len(piece) - len(piece.lstrip())]
            parts.append(space + placeholder + end)
            is_hidden = True
        elif parts and end and not parts[-1].endswith("\n\n" if not piece.strip() else "\n"):
            parts[-1] += "\n"
    return "".join(parts).strip()


def _may_stay(piece: str, readable: Collection[int], foreign: _Foreign, *, is_quoted: bool) -> bool:
    words = piece.rstrip()
    cited = {int(number) for number in MARKER.findall(words)}
    if not cited or not cited <= set(readable):
        return False
    leading = _MARKERS.match(words)
    if not is_quoted and leading and not MARKER.search(words, leading.end()):
        return False  # "[1] Text.": the marker may be the one of what stood before
    return not foreign.found_in(words)


class _Foreign:
    """Words that only withheld passages have: their titles, and runs of their words that no other passage has.

    The passages are looked at when the first sentence is asked about, which in most answers is none.
    """

    def __init__(self, withheld: Sequence[Given], kept: Sequence[Given]) -> None:
        self._withheld, self._kept = withheld, kept

    def found_in(self, piece: str) -> bool:
        words = _words(MARKER.sub(" ", piece))
        joined = _joined(words)
        if any(title in joined and title not in self._open for title in self._titles):
            return True
        runs = (_joined(words[start : start + _SAME_WORDS]) for start in range(len(words) - _SAME_WORDS + 1))
        return any(run in self._secret and run not in self._open for run in runs)

    @cached_property
    def _secret(self) -> str:
        return _all_words(one.text for one in self._withheld)

    @cached_property
    def _open(self) -> str:
        return _all_words(f"{one.title}\n{one.text}" for one in self._kept)

    @cached_property
    def _titles(self) -> set[str]:
        return {_joined(_words(one.title)) for one in self._withheld if _WORD.search(one.title)}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _joined(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "


def _all_words(texts: Iterable[str]) -> str:
    """With a sign between the texts that is in no word."""
    return "|".join(_joined(_words(text)) for text in texts)


def _sentences(text: str) -> Iterator[tuple[str, str]]:
    """Each sentence with the white space behind it; what is between them is lost to none."""
    for line in re.split(r"(?<=\n)", text):
        body = line.rstrip("\n")
        end = line[len(body) :]
        found = [match[0] for match in _SENTENCE.finditer(body)]
        for number, sentence in enumerate(found):
            yield sentence, end if number == len(found) - 1 else ""
        if not found and end:
            yield "", end


def _quotes(text: str) -> Iterator[tuple[str, str]]:
    """Each quote with the markers behind it: quotes hold sentences and whole lists, and no markers of their own."""
    start = 0
    for markers in _MARKERS.finditer(text):
        end = len(text) - len(text[markers.end() :].lstrip())
        yield text[start : markers.end()], text[markers.end() : end]
        start = end
    if text[start:]:
        yield text[start:], ""
