"""What a question names, in the words of the index: terms, each with other ways to say it.

Beside the word itself: how a word that the index lacks may have been meant (spelling.py), the compound that it makes with
its neighbour («Foot Locker» = footlocker), and what the company's glossary gives as its synonyms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from assistant.index.glossary import Glossary
from assistant.index.spelling import RAW_WORD, Reading, Vocabulary, Words, repaired
from assistant.index.words import folded, words


@dataclass(frozen=True)
class Term:
    """One thing the question names. A passage has it when it has all the words of any of its alternatives."""

    word: str
    reading: Reading
    rarity: float
    times: int = 1  # that the question says it
    synonyms: tuple[Words, ...] = ()
    compounds: tuple[Words, ...] = ()  # with a neighbour

    @property
    def alternatives(self) -> tuple[Words, ...]:
        return (self.reading.words, *self.synonyms, *self.compounds)


def terms(question: str, vocabulary: Vocabulary, glossary: Glossary) -> tuple[Term, ...]:
    """The question's terms in its order, each word once."""
    asked = words(question)
    readings = repaired(question, vocabulary, glossary.words)
    compounds = _compounds(question, vocabulary)
    synonyms = glossary.synonyms(asked)
    found: dict[str, Term] = {}
    for position, word in enumerate(asked):
        reading = readings.get(word) or Reading((word,), word, word)
        if word in found:
            continue
        found[word] = Term(
            word,
            reading,
            vocabulary.rarity(reading.words) if reading.words else 0.0,  # a stop word in the wrong layout
            asked.count(word),
            synonyms=tuple(dict.fromkeys(synonyms.get(position, []))),
            compounds=tuple(compounds.get(word, [])),
        )
    return tuple(found.values())


def searched(terms: Sequence[Term]) -> list[str]:
    """The words to search for: each term's as often as the question has it, and its synonyms.

    Not the compounds: in names made of several words they are rare, and pull in whatever else is written so.
    """
    own = [word for term in terms for word in term.reading.words * term.times]
    others = {word for term in terms for phrase in term.synonyms for word in phrase}
    return [*own, *sorted(others.difference(own))]


def read_as(terms: Iterable[Term]) -> str:
    """What was taken for something else, for the person; empty if nothing was."""
    changed = (term.reading for term in terms if term.reading.words != (term.word,) and term.reading.shown)
    return ", ".join(f"{reading.typed} → {reading.shown}" for reading in changed)


def meant(question: str, terms: Iterable[Term]) -> str:
    """The question without what was typed in the other keyboard layout: as the models are to read it."""
    garbled = (term.reading for term in terms if term.reading.is_garbled and term.reading.shown)
    shown = {reading.typed: reading.shown for reading in garbled}
    if not shown:
        return question
    longest = sorted(shown, key=len, reverse=True)
    typed = "|".join(re.escape(text).replace("е", "[её]") for text in longest)  # as it stood before it was folded
    return re.sub(rf"(?<!\w)(?:{typed})(?!\w)", lambda found: shown[folded(found[0])], question, flags=re.IGNORECASE)


def _compounds(question: str, vocabulary: Vocabulary) -> dict[str, list[Words]]:
    """Word → the compound that it and its neighbour make, where the index has it."""
    found: dict[str, list[Words]] = {}
    for first, second in pairwise(RAW_WORD.findall(folded(question))):
        compound = tuple(words(first + second))
        own = words(first) + words(second)
        if len(compound) == 1 and len(own) == 2 and compound[0] in vocabulary:
            for word in own:
                found.setdefault(word, []).append(compound)
    return found
