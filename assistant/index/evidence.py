"""What speaks for a passage beside its BM25 score: how much of the question it has, how near, and in its title."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from assistant.index.terms import Term
from assistant.index.words import words

_NEAR = 3  # words apart, stop words not counted


@dataclass(frozen=True)
class Evidence:
    """Shares, 0 to 1, of the question's terms weighted by rarity.

    coverage: terms that the passage has. title: geometric mean of the question's share that the title has and the
    title's share that the question has. proximity: neighbouring terms of the question that are near each other.
    """

    coverage: float = 0.0
    title: float = 0.0
    proximity: float = 0.0


def evidence(
    terms: Sequence[Term],
    numbers: Mapping[str, int],
    rarity: Callable[[Sequence[str]], Mapping[str, float]],
    passages: Sequence[NDArray[np.integer]],
    titles: Sequence[str],
) -> list[Evidence]:
    """Of each passage, given as its words' numbers (of the vocabulary `numbers`) in their order, and by its title.

    `rarity` gives the inverse document frequency of words.
    """
    if not passages or not any(term.rarity for term in terms):
        return [Evidence()] * len(passages)
    named = {word for term in terms for phrase in term.alternatives for word in phrase if word in numbers}
    asked = sorted(named, key=numbers.__getitem__)
    places = {word: place for place, word in enumerate(asked)}
    owners, positions, hits = _hits(np.array([numbers[word] for word in asked], dtype=np.int64), passages)
    present = np.zeros((len(passages), len(asked)), dtype=bool)
    present[owners, hits] = True
    weights = np.array([term.rarity for term in terms])
    has = np.stack([_has(term, places, present) for term in terms], axis=1)
    covered = has @ (weights * np.array([term.reading.certainty for term in terms])) / weights.sum()
    near = _proximity(terms, places, owners, positions, hits, len(passages))
    in_title = _in_titles(terms, rarity, titles)
    return [
        Evidence(float(coverage), title, float(proximity))
        for coverage, title, proximity in zip(covered, in_title, near, strict=True)
    ]


def _hits(
    asked: NDArray[np.int64], passages: Sequence[NDArray[np.integer]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Every place where a passage has one of the words: passage, position in it, place of the word in `asked` (sorted)."""
    lengths = [len(words_of) for words_of in passages]
    flat = np.concatenate(passages).astype(np.int64)
    if not len(asked) or not len(flat):
        empty = np.array([], dtype=np.int64)
        return empty, empty, empty
    nearest = np.searchsorted(asked, flat).clip(max=len(asked) - 1)
    found = np.flatnonzero(asked[nearest] == flat)
    owners = np.repeat(np.arange(len(passages)), lengths)[found]
    starts = np.cumsum([0, *lengths[:-1]])
    return owners, found - starts[owners], nearest[found]


def _has(term: Term, places: Mapping[str, int], present: NDArray[np.bool_]) -> NDArray[np.bool_]:
    found = np.zeros(len(present), dtype=bool)
    for phrase in term.alternatives:
        if all(word in places for word in phrase):
            found |= present[:, [places[word] for word in phrase]].all(axis=1)
    return found


def _proximity(
    terms: Sequence[Term],
    places: Mapping[str, int],
    owners: NDArray[np.int64],
    positions: NDArray[np.int64],
    hits: NDArray[np.int64],
    passages: int,
) -> NDArray[np.float64]:
    """Of neighbouring terms, side by side counts 1, with a word between them 2/3, with two 4/9."""
    pairs = [
        (places[one.reading.words[-1]], places[two.reading.words[0]], min(one.rarity, two.rarity))
        for one, two in pairwise(term for term in terms if term.reading.words)
        if one.reading.words[-1] in places and two.reading.words[0] in places
    ]
    if not pairs:
        return np.zeros(passages)
    number = np.full((len(places), len(places)), -1)
    for place, (one, two, _) in enumerate(pairs):
        number[one, two] = number[two, one] = place
    closeness = np.zeros((passages, len(pairs)))
    for step in range(1, _NEAR + 1):
        apart = positions[step:] - positions[:-step]
        pair = number[hits[:-step], hits[step:]]
        near = (owners[step:] == owners[:-step]) & (apart <= _NEAR) & (pair >= 0)
        np.maximum.at(closeness, (owners[step:][near], pair[near]), np.minimum(1, 1 / (0.75 * apart[near])))
    weights = np.array([weight for *_, weight in pairs])
    shares: NDArray[np.float64] = closeness @ weights / max(weights.sum(), 1e-9)
    return shares


def _in_titles(
    terms: Sequence[Term], rarity: Callable[[Sequence[str]], Mapping[str, float]], titles: Sequence[str]
) -> list[float]:
    asked = {word for term in terms for phrase in term.alternatives for word in phrase}
    total = sum(term.rarity for term in terms)
    found = {}
    for title in set(titles):
        weights = rarity(words_of_head(title))
        shared = sum(weight for word, weight in weights.items() if word in asked)
        found[title] = min(1.0, shared / total) * shared / sum(weights.values()) if shared else 0.0
    return [found[title] ** 0.5 for title in titles]


@lru_cache(maxsize=10_000)
def words_of_head(title: str) -> tuple[str, ...]:
    """The words of a title or a section's name: many passages have the same."""
    return tuple(words(title))
