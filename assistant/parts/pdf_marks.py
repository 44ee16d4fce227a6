"""Where a passage stands on a page, letter by letter: readers clean text, so its words and their order are not the page's.

Both texts are reduced to letters and digits, in one case, look-alikes alike. Long common pieces are taken first, wherever
they are; what is short counts only beside them, for "2026" or "and" stand everywhere.
"""

from __future__ import annotations

import heapq
import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import unescape

_SEED = 10  # letters that a common piece has at least
_SURE = 24  # letters of a piece that is taken wherever it is
_NEAR = 500  # letters from a sure piece within which shorter ones count
_MANY = 40  # places of one piece that are looked at: a page may repeat one word a thousand times
_MOST_WANTED, _MOST_GIVEN = 20_000, 200_000  # letters
_WHOLE = 0.8  # of a word's letters
_ALIKE = str.maketrans("авсенкмортхуё", "abcehkmoptxye")
_NO_WORDS = re.compile(r"\]\([^)\s]*\)|</?[a-zA-Z]{1,10}\s*/?>")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Letters:
    """A text's letters and digits; for each its place in the text; and its words as ranges of letters."""

    text: str
    places: list[int]
    words: list[tuple[int, int]]


@dataclass(frozen=True)
class Marks:
    """Places of the page's text that belong to the passage, which of its letters were found, and the share of its words."""

    places: list[int]
    taken: list[bool]
    share: float


def letters_of(text: str, most: int = _MOST_GIVEN) -> Letters:
    """Of a page. A hyphen at a line's end joins, for it is no letter."""
    found: list[str] = []
    places: list[int] = []
    words: list[tuple[int, int]] = []
    for word in _WORD.finditer(text):
        start = len(found)
        for place in range(word.start(), word.end()):
            for letter in _folded(text[place]):
                found.append(letter)
                places.append(place)
        if len(found) > start:
            words.append((start, len(found)))
        if len(found) > most:
            break
    return Letters("".join(found), places, words)


def wanted_letters(passage: str) -> Letters:
    """Of a passage in Markdown: without the addresses of links and without tags."""
    return letters_of(unescape(_NO_WORDS.sub(" ", passage)), _MOST_WANTED)


def marks(wanted: Letters, given: Letters) -> Marks:
    """Where the letters of the passage stand among those of the page."""
    pairs: dict[int, int] = {}  # letter of the passage → letter of the page
    used = bytearray(len(given.text))
    tiles = _tiles(wanted.text, given.text)
    sure = sorted(start for length, _, start in tiles if length >= _SURE)
    for length, here, there in tiles:
        if not sure or length >= _SURE or _is_near(sure, there):
            _pair(pairs, used, here, there, length)
    _fill(pairs, used, wanted, given)
    taken = [place in pairs for place in range(len(wanted.text))]
    whole = sum(sum(taken[start:end]) >= _WHOLE * (end - start) for start, end in wanted.words)
    places = sorted({given.places[there] for there in pairs.values()})
    return Marks(places, taken, whole / len(wanted.words) if wanted.words else 0.0)


def rest_of(wanted: Letters, found: Marks) -> Letters:
    """The words that were not found, for the next page."""
    text, words = "", []
    for start, end in wanted.words:
        if sum(found.taken[start:end]) < _WHOLE * (end - start):
            words.append((len(text), len(text) + end - start))
            text += wanted.text[start:end]
    return Letters(text, [], words)


def _folded(letter: str) -> Iterator[str]:
    """In one case and one alphabet; a ligature is the letters that it is made of."""
    for one in unicodedata.normalize("NFKC", letter).lower().translate(_ALIKE):
        if one.isalnum():
            yield one


def _tiles(wanted: str, given: str) -> list[tuple[int, int, int]]:
    """Common pieces as (length, place in `wanted`, place in `given`), longest first, none over another (greedy tiling)."""
    queue = [(-length, here, there) for length, here, there in _common(wanted, given)]
    heapq.heapify(queue)
    here_used, there_used = bytearray(len(wanted)), bytearray(len(given))
    tiles = []
    while queue:
        length, here, there = heapq.heappop(queue)
        length = -length
        free = [not (here_used[here + k] or there_used[there + k]) for k in range(length)]
        if all(free):
            here_used[here : here + length] = there_used[there : there + length] = b"\1" * length
            tiles.append((length, here, there))
            continue
        for start, end in _runs(free):
            if end - start >= _SEED:
                heapq.heappush(queue, (start - end, here + start, there + start))
    return tiles


def _common(wanted: str, given: str) -> Iterator[tuple[int, int, int]]:
    """Every common piece that can't be longer, as (length, place, place)."""
    index: defaultdict[str, list[int]] = defaultdict(list)
    for place in range(len(given) - _SEED + 1):
        places = index[given[place : place + _SEED]]
        if len(places) < _MANY:
            places.append(place)
    for here in range(len(wanted) - _SEED + 1):
        for there in index.get(wanted[here : here + _SEED], ()):
            if here and there and wanted[here - 1] == given[there - 1]:
                continue
            length = _SEED
            most = min(len(wanted) - here, len(given) - there)
            while length < most and wanted[here + length] == given[there + length]:
                length += 1
            yield length, here, there


def _runs(free: Sequence[bool]) -> Iterator[tuple[int, int]]:
    start = None
    for place, is_free in enumerate([*free, False]):
        if is_free and start is None:
            start = place
        elif not is_free and start is not None:
            yield start, place
            start = None


def _is_near(sure: list[int], there: int) -> bool:
    place = bisect_left(sure, there)
    return any(abs(start - there) <= _NEAR for start in sure[max(0, place - 1) : place + 1])


def _pair(pairs: dict[int, int], used: bytearray, here: int, there: int, length: int) -> None:
    for k in range(length):
        pairs[here + k] = there + k
        used[there + k] = 1


def _fill(pairs: dict[int, int], used: bytearray, wanted: Letters, given: Letters) -> None:
    """What is left between found pieces: between the same pieces on the page, else word by word beside them."""
    missing = list(_runs([place not in pairs for place in range(len(wanted.text))]))
    by_text: defaultdict[str, list[int]] = defaultdict(list)
    for start, end in given.words:
        by_text[given.text[start:end]].append(start)
    for start, end in missing:
        before, after = pairs.get(start - 1), pairs.get(end)
        if before is not None and after is not None and 0 < after - before - 1 <= 4 * (end - start) + 40:
            between = given.text[before + 1 : after]
            matcher = SequenceMatcher(None, wanted.text[start:end], between, autojunk=False)
            for here, there, length in matcher.get_matching_blocks():
                if not any(used[before + 1 + there : before + 1 + there + length]):
                    _pair(pairs, used, start + here, before + 1 + there, length)
        anchors = [place for place in (before, after) if place is not None]
        if anchors or (not pairs and len(wanted.text) <= _SURE):  # a passage of a few words has no long piece
            _fill_words(pairs, used, wanted, (start, end), by_text, anchors)


def _fill_words(
    pairs: dict[int, int],
    used: bytearray,
    wanted: Letters,
    span: tuple[int, int],
    by_text: dict[str, list[int]],
    anchors: list[int],
) -> None:
    """Whole words that stand near what was found, each at the place nearest to the one before it."""
    first = bisect_left(wanted.words, (span[0], 0))
    for start, end in wanted.words[first:]:
        if start >= span[1]:
            return
        if end > span[1] or any(place in pairs for place in range(start, end)):
            continue
        length = end - start
        free = [there for there in by_text.get(wanted.text[start:end], ()) if not any(used[there : there + length])]
        nearest = min(free, key=lambda there: min((abs(there - a) for a in anchors), default=there), default=None)
        if nearest is None or (anchors and min(abs(nearest - a) for a in anchors) > _NEAR):
            continue
        _pair(pairs, used, start, nearest, length)
        anchors = [nearest]
