"""Questions grouped by topic: those that mean the same or share their rare words come together, step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from assistant.index.words import words

# Measured on tests/data/topics.jsonl with the bundled model; `tests/unit/test_topics.py` keeps what they reach.
WORDS_SHARE = 0.3  # of the likeness; the rest is the vectors'
SAME_TOPIC = 0.2
# Sentences of no common topic: how alike a model finds those is where its likeness begins.
UNRELATED = (
    "Где взять справку о доходах?",
    "Почему небо голубое?",
    "Сколько весит африканский слон?",
    "Which screws fit a wooden door?",
    "Who painted this picture?",
    "How long does rice cook?",
)


@dataclass(frozen=True)
class Topic:
    """Places of its questions in what was given, the most typical one first."""

    members: tuple[int, ...]

    @property
    def typical(self) -> int:
        return self.members[0]


def topics(
    questions: Sequence[str],
    vectors: NDArray[np.float32],
    unrelated: NDArray[np.float32],
    *,
    words_share: float = WORDS_SHARE,
    same_topic: float = SAME_TOPIC,
) -> list[Topic]:
    """The largest first; each question is in one. The same input gives the same topics.

    `unrelated`: the vectors of `UNRELATED` by the same model.
    """
    if not questions:
        return []
    likeness = words_share * _by_words(questions) + (1 - words_share) * _by_vectors(vectors, unrelated)
    found = [_ordered(members, likeness) for members in _joined(likeness, same_topic)]
    return sorted(found, key=lambda topic: (-len(topic.members), min(topic.members)))


def _joined(likeness: NDArray[np.float64], least: float) -> list[list[int]]:
    """Average linkage: the two groups that are most alike on average become one, until none are alike enough."""
    groups = [[number] for number in range(len(likeness))]
    between = likeness.copy()
    np.fill_diagonal(between, -1.0)
    while True:
        place = int(between.argmax())
        first, second = sorted(divmod(place, len(between)))
        if between[first, second] < least:
            return [group for group in groups if group]
        sizes = len(groups[first]), len(groups[second])
        mean = (between[first] * sizes[0] + between[second] * sizes[1]) / sum(sizes)
        mean[between[first] < 0] = -1.0  # itself, and those that went into others
        groups[first] += groups[second]
        groups[second] = []
        between[first], between[:, first] = mean, mean
        between[first, first] = between[first, second] = between[second, first] = -1.0
        between[second], between[:, second] = -1.0, -1.0


def _ordered(members: Sequence[int], likeness: NDArray[np.float64]) -> Topic:
    """By how much each is like the others; of equals the earlier one first."""
    inside = likeness[np.ix_(members, members)].sum(axis=1)
    return Topic(tuple(members[at] for at in sorted(range(len(members)), key=lambda at: (-inside[at], members[at]))))


def _by_vectors(vectors: NDArray[np.float32], unrelated: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosines, from what the model gives to sentences that have nothing in common."""
    between = _cosines(unrelated)
    zero = min(0.9, max(0.0, float(between[np.triu_indices(len(between), k=1)].mean())))
    above: NDArray[np.float64] = (_cosines(vectors) - zero) / (1 - zero)
    return above.clip(0.0, 1.0)


def _cosines(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    unit = (vectors / lengths).astype(np.float64)
    found: NDArray[np.float64] = unit @ unit.T
    return found


def _by_words(questions: Sequence[str]) -> NDArray[np.float64]:
    """The weight of the words that two share, of the lighter one's: rare words weigh more, as lemmas and stems."""
    found = [set(words(question)) for question in questions]
    count = Counter(word for one in found for word in one)
    vocabulary = {word: number for number, word in enumerate(sorted(count))}
    weights = np.zeros((len(questions), len(vocabulary)))
    for row, one in enumerate(found):
        for word in one:
            weights[row, vocabulary[word]] = log(1 + len(questions) / count[word])
    roots = np.sqrt(weights)
    lighter: NDArray[np.float64] = np.minimum.outer(weights.sum(axis=1), weights.sum(axis=1))
    shared: NDArray[np.float64] = roots @ roots.T
    found_share: NDArray[np.float64] = shared / np.maximum(lighter, 1e-12)
    return found_share
