"""Whether the sources of an answer say what it says: each sentence beside the places of its sources that are most like it.

Cheap, and without a language model: words weighted by their rarity and the similarity of the embedding model together,
numbers, names and negations strictly. Measured on data/eval/claims.jsonl (docs/answers.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from assistant.ask.claims import claims
from assistant.ask.events import Source, Span
from assistant.ask.extractive import units
from assistant.ask.language import language_of
from assistant.ask.polarity import names, numbers, polarity, worded
from assistant.index.search import Search

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding

Rarity = Callable[[Sequence[str]], Mapping[str, float]]
Likeness = Callable[[str, Sequence[str]], Sequence[float]]  # cosine of one text to each of others

_NEAR = 0.8  # a number is in its place if what has it says nearly as much of the words around it as any other place
_AROUND = 5  # words on each side of a number
_LOOKED_AT = 4  # places that are compared by meaning
_TURNED = 0.4  # share of the common words that only one of the two denies: it says the opposite
_ACROSS = 2.5  # the similarity of texts in two languages is less than half of that in one
_CLAUSE = re.compile(r"[;:](?!\d)|,(?!\d)|\s[-–—]\s")
_ITEM = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")
_RULE = re.compile(r"[\s:|-]+$")


@dataclass(frozen=True)
class Place:
    """A sentence, an item or a row of a source with what leads to it, or two sentences: what a claim may rest on."""

    text: str
    words: frozenset[str]
    numbers: frozenset[str]
    language: str


class SupportCheck:
    """Finds the sentences of an answer that its sources do not support."""

    def __init__(self, *, search: Search, embed_model: Callable[[], BaseEmbedding], least: float) -> None:
        self._search = search
        self._embed_model = embed_model
        self._least = least

    def unsupported(self, answer: str, sources: Sequence[Source]) -> tuple[Span, ...]:
        """Each sentence is held against the sources that it names, or all. Raises `ModelUnavailable`. Slow: in a thread."""
        if not self._least or not sources:
            return ()
        found = {source.n: _places_of(source) for source in sources}
        marked = []
        for claim in claims(answer):
            named = claim.cited & found.keys() or found.keys()
            if self.support(claim.text, [place for n in sorted(named) for place in found[n]]) < self._least:
                marked.append(claim.span)
        return tuple(marked)

    def support(self, claim: str, found: Sequence[Place]) -> float:
        return support(claim, found, self._search.keyword_retriever().rarity, self._likeness)

    def _likeness(self, text: str, others: Sequence[str]) -> list[float]:
        import numpy as np

        vectors = np.array(self._embed_model().get_text_embedding_batch([text, *others]))
        lengths = np.linalg.norm(vectors, axis=1)
        alike = vectors[1:] @ vectors[0] / np.maximum(lengths[1:] * lengths[0], 1e-9)
        return [float(one) for one in alike]


def _places_of(source: Source) -> list[Place]:
    passage = source.passage
    return places(passage.text, f"{passage.title}. {passage.section}. {source.standing.date or ''}")


def places(text: str, context: str = "") -> list[Place]:
    """All places of a passage; `context` (title and section) belongs to each of them."""
    around, counted, language = frozenset(worded(context)), numbers(context), language_of(text)
    parts = [list(_pieces(unit)) for unit in units(text)]
    pairs = [f"{one[0]} {two[0]}" for one, two in pairwise(parts) if len(one) == len(two) == 1]
    single = [piece for part in parts for piece in part]
    return [Place(one, frozenset(worded(one)) | around, numbers(one) | counted, language) for one in [*single, *pairs]]


def support(claim: str, found: Sequence[Place], rarity: Rarity, likeness: Likeness) -> float:
    """How much the places say of what the claim says, 0 to 1; 0 for another number or name, and for the opposite."""
    own = worded(claim)
    if not found or not (own or numbers(claim)):
        return 0.0
    weights, counted = rarity(own), numbers(claim)
    whole = [place for place in found if place.words.issuperset(own) and place.numbers.issuperset(counted)]
    if not whole and not all(_stands(number, claim, found, rarity) for number in counted):
        return 0.0
    nearest = sorted(whole or found, key=lambda place: -_share(weights, place.words))[:_LOOKED_AT]
    alike = likeness(claim, [place.text for place in nearest])
    same_language = [place for place in found if place.language == language_of(claim)]
    if not same_language:
        return min(1.0, _ACROSS * max(0.0, *alike))
    known = frozenset().union(*(place.words for place in found))
    if names(claim) - known or _opposite(claim, nearest[0], weights):
        return 0.0
    return min(1.0, (_share(weights, nearest[0].words) + max(0.0, *alike)) / 2)


def _pieces(unit: str) -> Iterator[str]:
    """Of a list its items, of a table its rows, each with what it begins with; a sentence is one."""
    lines = [line for line in unit.split("\n") if line.strip() and not _RULE.match(line)]
    leading = 1 if len(lines) > 1 and not _ITEM.match(lines[0]) else 0
    leading += (
        leading and len(lines) > 2 and not lines[0].lstrip().startswith("|") and lines[1].lstrip().startswith("|")
    )
    head = " ".join(lines[:leading])
    for line in lines[leading:]:
        yield " ".join(f"{head} {_ITEM.sub('', line)}".replace("|", " ; ").split())


def _share(weights: Mapping[str, float], has: frozenset[str]) -> float:
    total = sum(weights.values())
    return sum(weight for word, weight in weights.items() if word in has) / total if total else 0.0


def _stands(number: str, claim: str, found: Sequence[Place], rarity: Rarity) -> bool:
    """Whether the number is in one of the places that say most of what the claim says around it."""
    clauses = [one for one in _CLAUSE.split(claim) if number in numbers(one) and worded(one)]
    around = _around(number, clauses[0] if clauses else claim)
    weights = rarity([word for word in around if not word.isdigit()])
    others = frozenset(word for word in around if word.isdigit())
    shares = [_share(weights, place.words) + len(others & place.numbers) / 4 for place in found]
    return any(
        number in place.numbers and share >= _NEAR * max(shares) for place, share in zip(found, shares, strict=True)
    )


def _around(number: str, claim: str) -> list[str]:
    """Words and other numbers near it."""
    tokens = [stem for token in claim.split() for stem in (*sorted(numbers(token)), *worded(token))]
    if number not in tokens:  # «1 200»: in the claim it is two
        return [*worded(claim), *(numbers(claim) - {number})]
    at = tokens.index(number)
    return [token for token in tokens[max(0, at - _AROUND) : at + _AROUND + 1] if token != number]


def _opposite(claim: str, place: Place, weights: Mapping[str, float]) -> bool:
    """Whether one denies what the other says."""
    mine, theirs = polarity(claim), polarity(place.text)
    common = {word: weight for word, weight in weights.items() if word in mine and word in theirs}
    return _share(common, frozenset(word for word in common if mine[word] != theirs[word])) >= _TURNED
