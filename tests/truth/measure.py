"""How much of a document's truth a reader found."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher

from assistant.ingest.reading import Page
from tests.truth.documents import Truth


@dataclass
class Score:
    """Counts, so that documents of a kind add up."""

    words: int = 0
    found: int = 0
    letters: int = 0
    wrong: int = 0  # letters to be changed
    order: float = 0.0  # similarity of the order of words, times words
    cells: int = 0
    cells_found: int = 0
    pages: int = 0
    pages_right: int = 0

    def add(self, other: Score) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def recall(self) -> float:
        return self.found / max(1, self.words)

    @property
    def cer(self) -> float:
        return self.wrong / max(1, self.letters)

    @property
    def cell_recall(self) -> float:
        return self.cells_found / self.cells if self.cells else 1.0

    def row(self) -> dict[str, float | None]:
        return {
            "recall": round(self.recall, 4),
            "cer": round(self.cer, 4),
            "order": round(self.order / max(1, self.words), 4),
            "cells": round(self.cell_recall, 4) if self.cells else None,
            "pages_right": round(self.pages_right / max(1, self.pages), 4),
        }


def score(truth: Truth, pages: list[Page]) -> Score:
    total = Score(cells=sum(map(len, truth.rows)), pages=len(truth.pages))
    texts = {page.label: plain(page.text) for page in pages}
    for number, text in enumerate(truth.pages, start=1):
        wanted, read = plain(text), texts.get(str(number), "")
        words = words_of(wanted)
        total.words += len(words)
        total.found += sum((Counter(words) & Counter(words_of(read))).values())
        total.letters += len(wanted)
        total.wrong += min(len(wanted), distance(wanted, read))
        total.order += len(words) * SequenceMatcher(None, words, words_of(read), autojunk=False).ratio()
        best = max(texts, key=lambda label: overlap(words, texts[label]), default=None)
        total.pages_right += best == str(number)
    rows = Counter(tuple(cells) for page in pages for cells in table_rows(page.text))
    for row in truth.rows:
        if rows[tuple(row)] > 0:
            rows[tuple(row)] -= 1
            total.cells_found += len(row)
    return total


def plain(markdown: str) -> str:
    """Text without Markdown's marks, every gap one space."""
    text = re.sub(r"^\s*#+ |^\|[\s|:-]+\|$|^-{3,}$|\*\*|\\(?=[.\-#*_])", "", markdown, flags=re.MULTILINE)
    return " ".join(text.replace("|", " ").split())


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower().replace("ё", "е"))


def overlap(words: list[str], text: str) -> int:
    return sum((Counter(words) & Counter(words_of(text))).values())


def table_rows(markdown: str) -> list[list[str]]:
    lines = [line.strip() for line in markdown.split("\n")]
    return [
        [cell.replace("**", "").replace("\\", "").strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    ]


def distance(left: str, right: str) -> int:
    """Levenshtein's distance by Myers' bit vectors: quick enough for a page in plain Python."""
    if not left:
        return len(right)
    where: dict[str, int] = {}
    for place, letter in enumerate(left):
        where[letter] = where.get(letter, 0) | 1 << place
    mask, last = (1 << len(left)) - 1, 1 << (len(left) - 1)
    plus, minus, found = mask, 0, len(left)
    for letter in right:
        same = where.get(letter, 0)
        across = (((same & plus) + plus) ^ plus) | same
        more, less = minus | ~(across | plus) & mask, plus & across
        found += bool(more & last) - bool(less & last)
        more, less = (more << 1 | 1) & mask, less << 1 & mask
        upright = same | minus
        plus, minus = less | ~(upright | more) & mask, more & upright
    return found
