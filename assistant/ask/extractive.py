"""Answers without a language model: the best sentences and lists of the best passages, quoted and cited."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from assistant.ask.events import Source
from assistant.index.words import words
from assistant.parts.markdown import SEPARATOR

_LIST_ITEM = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")
_TABLE_RULE = re.compile(r"[\s:|-]+$")
_MAX_UNIT_CHARS = 900
_MAX_LIST_ITEMS = 14
_NUMBERED = re.compile(r"^\s*\d{1,2}[.)]\s+.*\n\s*\d{1,2}[.)]\s", re.MULTILINE)
_HOW_TO = re.compile(
    r"^\W*(?:как(?!\s+(?:долго|много|часто|быстро))|каким образом|что нужно сделать"
    r"|how (?:do|to|can|should|could|would)|what (?:do|should) i do)\b",
    re.IGNORECASE,
)
_HEADING, _OUTER_HEADING = 0.5, 0.25
_STEPS_BONUS = 0.25  # "how do I …" asks for numbered steps
_RANK_WEIGHT = 0.05  # each place down the ranking costs this much
_REPLACED = 0.5  # what a sentence of an edition out of force counts, beside those of others
_WORTH = 0.55  # a further quote must be at least this good, compared with the best one


@dataclass(frozen=True)
class Quote:
    """A sentence, or a list with the line that leads to it, as it stands in a passage."""

    source: Source
    position: int
    text: str
    score: float


def choose_quotes(
    question: str, sources: Sequence[Source], rarity: Callable[[Sequence[str]], dict[str, float]], *, limit: int
) -> list[Quote]:
    """The quotes that have most of the question's words, weighted by their rarity.

    `rarity` gives the weight of each word. The passage with the best quote comes first; within a passage, as it is read.
    """
    weights = rarity(sorted(set(words(question))))
    how_to = bool(_HOW_TO.match(question))
    quotes: list[Quote] = []
    seen: set[str] = set()
    for source in sources:
        for position, text in enumerate(units(source.passage.text)):
            key = " ".join(words(text))
            if key and key not in seen:
                seen.add(key)
                quotes.append(Quote(source, position, text, _score(source, text, weights, how_to)))
    quotes.sort(key=lambda quote: -quote.score)
    best = quotes[0].score if quotes else 0.0
    chosen = [quote for quote in quotes[:limit] if quote.score >= _WORTH * best]
    leading: dict[int, float] = {}
    for quote in chosen:
        leading.setdefault(quote.source.n, quote.score)
    return sorted(chosen, key=lambda quote: (-leading[quote.source.n], quote.source.n, quote.position))


def warm_up() -> None:
    """Load what splits sentences, so that the first quoted answer does not wait for it."""
    sentences("Готово. Done.")


def units(text: str) -> list[str]:
    """Sentences; lists and short tables stay whole with the line that leads to them; of a long table, rows."""
    found: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.split("\n") if line.strip()]
        if lines and all(line.lstrip().startswith("|") for line in lines):
            found += _table(lines, found)
        elif any(_LIST_ITEM.match(line) for line in lines):
            found += _lists(lines, found)
        elif lines:
            found += sentences(" ".join(line.strip() for line in lines))
    return found


def is_table(unit: str) -> bool:
    """Whether a unit ends with a Markdown table (then nothing may be put behind its last row)."""
    return unit.rsplit("\n", 1)[-1].lstrip().startswith("|")


def _table(lines: list[str], before: list[str]) -> list[str]:
    rows = [line for line in lines if not _TABLE_RULE.match(line)]
    if len(rows) > _MAX_LIST_ITEMS or len(rows) == len(lines):
        return [" — ".join(cell for cell in _cells(row) if cell) for row in rows]
    intro = f"{before.pop()}\n\n" if before and before[-1].endswith(":") else ""
    return [intro + "\n".join(line.strip() for line in lines)]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _lists(lines: list[str], before: list[str]) -> list[str]:
    """One unit for each run of list items; the line before it, if it ends with a colon, belongs to it."""
    found: list[str] = []
    current: list[str] = []
    items = 0
    for line in lines:
        item = bool(_LIST_ITEM.match(line))
        if item and not current and before and not found and before[-1].endswith(":"):
            current.append(before.pop())
        full = items >= _MAX_LIST_ITEMS or sum(map(len, current)) > _MAX_UNIT_CHARS
        if (full and item) or (not item and items and not line.startswith((" ", "\t"))):
            found.append("\n".join(current))
            current, items = [], 0
        current.append(line.rstrip())
        items += item
    return [*found, "\n".join(current)] if current else found


def sentences(text: str) -> list[str]:
    """As they stand in the text, without the space around them."""
    return [sentence.strip() for sentence in _splitter()(text) if sentence.strip()]


@cache
def _splitter() -> Callable[[str], list[str]]:
    from llama_index.core.node_parser.text.utils import split_by_sentence_tokenizer

    split: Callable[[str], list[str]] = split_by_sentence_tokenizer()
    return split


def _score(source: Source, text: str, weights: dict[str, float], how_to: bool) -> float:
    """Share of the question's weighted words in the sentence; those of its own heading count half, of others a quarter."""
    total = sum(weights.values()) or 1.0
    own = set(words(text))
    *outer, inner = source.passage.section.split(SEPARATOR)
    nearest, around = set(words(inner)) - own, set(words(" ".join([source.passage.title, *outer]))) - own
    matched = sum(
        weight * (1 if word in own else _HEADING if word in nearest else _OUTER_HEADING if word in around else 0)
        for word, weight in weights.items()
    )
    steps = _STEPS_BONUS if how_to and _NUMBERED.search(text) else 0.0
    in_force = _REPLACED if source.standing.superseded_by else 1.0
    return (matched / total * min(1.0, 0.4 + len(own) / 12) + steps) * in_force - _RANK_WEIGHT * (source.n - 1)
