"""What a word that no document has was meant to be: other keyboard layout or alphabet, two words, a typing error."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass

from assistant.index.words import folded, is_in_dictionary, words

Words = tuple[str, ...]
RAW_WORD = re.compile(r"\w+")
_PUNCTUATION = ".,;:!?\"'()[]«»„“”…"
_LATIN_KEYS = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`"
_RUSSIAN_KEYS = "йцукенгшщзхъфывапролджэячсмитьбюё"
_LAYOUT = str.maketrans(_LATIN_KEYS + _RUSSIAN_KEYS, _RUSSIAN_KEYS + _LATIN_KEYS)
_SOUNDS = {
    **dict(zip("абвгдезийклмнопрстуфхцыэ", "abvgdeziyklmnoprstufhcye", strict=True)),
    **{"ж": "zh", "ч": "ch", "ш": "sh", "щ": "sch", "ю": "yu", "я": "ya", "ъ": "", "ь": ""},
}
_LATIN = str.maketrans(_SOUNDS)
_ENGLISH = str.maketrans({**_SOUNDS, "ж": "j", "к": "c"})
_LETTERS = {sound: letter for letter, sound in _SOUNDS.items() if sound} | {"y": "и", "j": "й", "x": "кс", "w": "в"}
_BY_SOUND = re.compile("|".join(sorted(_LETTERS, key=len, reverse=True)))
_SHORTEST, _LONG = 5, 9  # letters; a shorter unknown word has too many neighbours
_HALF = 5  # letters; shorter ones are in many words
_LONGEST = 40  # letters; a longer one is no word that was mistyped
_UNSURE = 0.5


@dataclass(frozen=True)
class Vocabulary:
    """The words of an index as one asker may know them: what only forbidden passages have is no word to him, or the
    repair of a typing error would tell what they are about."""

    numbers: Mapping[str, int]
    count: Callable[[str], int]  # passages of the whole index that have a word
    rarity_of: Callable[[int], float]  # inverse document frequency of such a count
    is_visible: Callable[[str], bool]
    by_letter: Mapping[str, list[str]]  # words by their first letter

    def __contains__(self, word: object) -> bool:
        return word in self.numbers and self.is_visible(str(word))

    def rarity(self, found: Words) -> float:
        """Inverse document frequency of the rarest of those words; of a word that is none to the asker the highest."""
        return max(
            (self.rarity_of(self.count(word) if word in self else 0) for word in found), default=self.rarity_of(0)
        )

    def nearest(self, word: str) -> str | None:
        """The most frequent word with the same first letter one edit away, or two for a long one."""
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import extract

        near = self.by_letter.get(word[0], [])
        allowed = 1 if len(word) < _LONG else 2
        close = extract(word, near, scorer=OSA.distance, score_cutoff=allowed, limit=None)
        known = ((distance, -self.count(found), found) for found, distance, _ in close if self.is_visible(found))
        best = min(known, default=None)
        return best[2] if best else None


@dataclass(frozen=True)
class Reading:
    """What a word was taken for; no words at all for a stop word in the wrong layout."""

    words: Words
    typed: str
    shown: str
    certainty: float = 1.0
    is_garbled: bool = False  # what was typed is no word at all: the other keyboard layout


def by_letter(found: Iterable[str]) -> dict[str, list[str]]:
    """What typing errors are compared with."""
    sorted_words: dict[str, list[str]] = {}
    for word in found:
        if len(word) >= _SHORTEST - 1 and word.isalpha():
            sorted_words.setdefault(word[0], []).append(word)
    return sorted_words


def repaired(question: str, vocabulary: Vocabulary, known: Container[str] = ()) -> dict[str, Reading]:
    """Word of the question that neither the vocabulary nor `known` has → its likeliest reading."""
    found: dict[str, Reading] = {}
    for typed in folded(question).split():
        own = words(typed)
        unknown = [word for word in own if word not in vocabulary and word not in known]
        if not unknown:
            continue
        if len(unknown) == len(own) and (reading := _other_layout(typed, vocabulary)):
            found |= {word: Reading((), typed, "", is_garbled=True) for word in unknown[1:]} | {unknown[0]: reading}
            continue
        for raw in RAW_WORD.findall(typed):
            part = words(raw)
            is_word = len(part) == 1 and part[0] in unknown and raw.isalpha() and len(raw) <= _LONGEST
            if is_word and (reading := _reading(raw, part[0], vocabulary)):
                found[part[0]] = reading
    return found


def _other_layout(typed: str, vocabulary: Vocabulary) -> Reading | None:
    """Of the whole that stands between blanks: some letters are on the keys of punctuation."""
    for text in dict.fromkeys((typed.strip(_PUNCTUATION), typed)):
        other = text.translate(_LAYOUT)
        found = words(other)
        if other.isalpha() and all(word in vocabulary for word in found):
            return Reading(tuple(found), text, other, is_garbled=True)
    return None


def _reading(raw: str, word: str, vocabulary: Vocabulary) -> Reading | None:
    for text in (raw, raw.translate(_LAYOUT)):
        spelled = (text.translate(_LATIN), text.replace("дж", "j").translate(_ENGLISH), _BY_SOUND.sub(_letter, text))
        for other in spelled:
            if (found := words(other)) and all(one in vocabulary for one in found):
                return Reading(tuple(found), raw, other, is_garbled=text != raw)
    if is_in_dictionary(raw):  # a word that the documents lack is no error
        return None
    for place in range(_HALF, len(raw) - _HALF + 1):
        first, second = words(raw[:place]), words(raw[place:])
        if len(first) == len(second) == 1 and first[0] in vocabulary and second[0] in vocabulary:
            return Reading((*first, *second), raw, f"{raw[:place]} {raw[place:]}", _UNSURE)
    near = vocabulary.nearest(word) if len(word) >= _SHORTEST + raw.isascii() else None  # no dictionary of English here
    return Reading((near,), raw, f"{near}…", _UNSURE) if near else None


def _letter(sound: re.Match[str]) -> str:
    return _LETTERS[sound[0]]
