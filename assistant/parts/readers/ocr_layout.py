"""From recognised words to text: lines of a paragraph rejoined, words cut at a line's end made whole, tables kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

_SPECK = 30.0  # confidence below which a sign without letters or digits is dirt on the paper
_NEW_ITEM = re.compile(r"(?:[-–—•*▪●]|\(?\d{1,3}(?:\.\d{1,3})*[.)]|\(?[a-zа-яё]\)|№)(?:\s|$)", re.IGNORECASE)
_CUT = re.compile(r"([^\W\d_]{2,})[-‐¬]$")
_SUFFIXES = ("то", "либо", "нибудь", "таки", "ка")  # "какой-то" keeps its hyphen
_PREFIXES = (
    "из",
    "кое",
    "во",
    "по",
    "юго",
    "северо",
    "вице",
    "экс",
    "мини",
    "интернет",
    "онлайн",
    "бизнес",
    "пресс",
    "non",
    "self",
    "e",
    "co",
    "full",
    "part",
    "long",
    "short",
    "well",
    "high",
    "low",
    "on",
    "off",
)


@dataclass(frozen=True)
class Word:
    """A word on a picture: pixels from the upper left corner, confidence 0-100, line counted over the page."""

    text: str
    confidence: float
    left: int
    top: int
    right: int
    bottom: int
    paragraph: tuple[int, int]
    line: int


@dataclass(frozen=True)
class _Line:
    words: tuple[Word, ...]
    column: tuple[int, int]  # left and right edge of the block it stands in, pixels

    @property
    def text(self) -> str:
        """Words that stand far apart are cells of a table: they stay apart."""
        height = self.height
        parts = [self.words[0].text]
        for before, word in zip(self.words, self.words[1:], strict=False):
            parts.append(("   " if word.left - before.right > 2.5 * height else " ") + word.text)
        return "".join(parts)

    @property
    def height(self) -> float:
        heights = sorted(word.bottom - word.top for word in self.words)
        return float(heights[len(heights) // 2])

    @property
    def is_row(self) -> bool:
        return "   " in self.text

    @property
    def is_full(self) -> bool:
        """It reaches the right edge of its column, so the sentence may go on below."""
        left, right = self.column
        return self.words[-1].right >= right - 0.15 * (right - left)


def words_of(table: str) -> list[Word]:
    """Words of Tesseract's TSV (level, page, block, paragraph, line, word, left, top, width, height, confidence, text)."""
    words = []
    line = 0
    for row in table.split("\n"):
        cells = row.split("\t")
        if len(cells) < 12 or not cells[0].isdigit():
            continue
        line += cells[0] == "4"
        text = cells[11].strip()
        if cells[0] != "5" or not text:
            continue
        confidence = float(cells[10])
        if confidence < _SPECK and not any(letter.isalnum() for letter in text):
            continue
        left, top, width, height = map(int, cells[6:10])
        place = (int(cells[2]), int(cells[3]))
        words.append(Word(text, confidence, left, top, left + width, top + height, place, line))
    return words


def layout(words: list[Word]) -> str:
    """Paragraphs with a blank line between them, in the order in which the engine found columns and blocks."""
    cut = {word.text.lower() for word in words if "-" in word.text[1:-1]}
    paragraphs: list[str] = []
    last: _Line | None = None
    for lines in _paragraphs(words):
        text = lines[0].text
        for before, line in zip(lines, lines[1:], strict=False):
            text = _joined(text, before, line, cut)
        if last is not None and _goes_on(paragraphs[-1], last, text):
            paragraphs[-1] = _glued(paragraphs[-1], text, cut)
        else:
            paragraphs.append(text)
        last = lines[-1]
    return "\n\n".join(re.sub(r"^(#+\s)", r"\\\1", paragraph, flags=re.MULTILINE) for paragraph in paragraphs)


def _paragraphs(words: list[Word]) -> Iterator[list[_Line]]:
    edges: dict[int, tuple[int, int]] = {}
    for word in words:
        left, right = edges.get(word.paragraph[0], (word.left, word.right))
        edges[word.paragraph[0]] = (min(left, word.left), max(right, word.right))
    for (block, _), inside in groupby(words, key=lambda word: word.paragraph):
        yield [_Line(tuple(line), edges[block]) for _, line in groupby(inside, key=lambda word: word.line)]


def _joined(text: str, before: _Line, line: _Line, cut: set[str]) -> str:
    """The paragraph so far and its next line: one line of text, unless it is a row, an item, or a line of its own."""
    if before.is_row or line.is_row or _NEW_ITEM.match(line.text):
        return f"{text}\n{line.text}"
    if not before.is_full and not line.text[:1].islower():
        return f"{text}\n{line.text}"
    return _glued(text, line.text, cut)


def _goes_on(text: str, last: _Line, following: str) -> bool:
    """A sentence that the engine split in its middle, or that goes on in the next column."""
    return last.is_full and not last.is_row and following[:1].islower() and bool(re.search(r"[\w,‐¬-]$", text))


def _glued(text: str, following: str, cut: set[str]) -> str:
    found = _CUT.search(text)
    if not found or not following[:1].islower():
        return f"{text} {following}"
    first = found[1]
    second = re.match(r"[^\W\d_]+", following)
    whole = second[0] if second else ""
    hyphen = whole in _SUFFIXES or first.lower() in _PREFIXES or f"{first}-{whole}".lower() in cut
    return text[: found.end(1)] + ("-" if hyphen else "") + following
