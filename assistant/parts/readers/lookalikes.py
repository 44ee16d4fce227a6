"""Letters that look alike in Cyrillic and Latin, put back into the alphabet that their word or its neighbours have.

OCR and careless typing give "Bыбepитe", "HA ОСНОВАНИИ", "c 1 января", "ра6ота": nobody finds such words. English words,
codes, addresses and part numbers are left alone: what is not certain stays.
"""

from __future__ import annotations

import re
from functools import lru_cache

_LATIN = "AaBCcEeHKkMOoPpTXxYy"
_CYRILLIC = "АаВСсЕеНКкМОоРрТХхУу"
_TO_CYRILLIC = str.maketrans(_LATIN, _CYRILLIC)
_TO_LATIN = str.maketrans(_CYRILLIC, _LATIN)
_DIGITS = {"0": "о", "3": "з", "6": "б"}

# Spaces, addresses, paths and code end up as pieces of their own; letters and digits of one word stay together.
_PROTECTED = re.compile(
    r"\]\([^)\s]*\)|`[^`]*`|\w+://\S+|www\.\S+|\S+@\S+|\S*[\\_]\S*|\w+(?:\.\w+)*\.[A-Za-z]{2,4}\b(?!\.\w)"
)
_WORD = re.compile(r"[^\W_]+")
_HAS_LATIN = re.compile(r"[A-Za-z]")
_HAS_CYRILLIC = re.compile(r"[А-яЁё]")
_CANDIDATE = re.compile(r"[A-Za-z]|[036][а-яё]")  # without one of these nothing is to be done
_ONLY_CYRILLIC = re.compile(r"[бгдёжзийлнптфцчшщъыьэюявкмБГДЁЖЗИЙЛПФЦЧШЩЪЫЬЭЮЯ]")  # no Latin letter looks like it
_ONLY_LATIN = re.compile(r"[bdf-jl-nq-wzDFGIJLNQRSUVWZ]")
_LOOKALIKE = re.compile(rf"[{_LATIN}]+")
_LOOKALIKE_CYRILLIC = re.compile(rf"[{_CYRILLIC}]+")
_DIGIT_INSIDE = re.compile(r"(?<=[а-яё])[036](?=[а-яё])")
_THREE_FIRST = re.compile(r"^3(?=а[а-яё]{3}|на[а-яё]{2})")
_NUMERO = re.compile(r"(?<=[А-яЁё]) (?:Ne|Nе|Nо|N°|Nº) ?(?=\d)")

# The most frequent Russian words that consist of look-alikes only; between Russian words they are Russian.
_COMMON_WORDS = """
    на не как он все во но то всех со так том нет ее кроме которое котором менее она номер тем вам ранее основе
    рамках основное место момент строке строк вместе основном ему момента которому уровне стороне сумму сумма товара
    места номера кто те срок новое автор москва автора состав составе всем своему нему верхнем строка ответ нем вне
    остатка стран ответа тому марта такое ко свое окно тот месте сумм санкт основана товар нее роста отмена станет море
    мае веса месяца срока свет мере своем схему снова сроком востоке местах метров рост текст состава севера схема москве
    трех корректно сумме характер курса страховому самом курс основу марте ответе нас вас нам мне там акта акте от ст
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_ABBREVIATIONS = frozenset(["СССР", "ООО", "ОАО", "НКО", "МРОТ", "ТК", "АРМ", "ТСН"])  # nobody means them in Latin
_SINGLE = frozenset("cCoOBkKyYaA")  # с о в к у а
# After these a single letter is a name: "витамин C", "план B", "приложение A".
_NAMED = re.compile(
    r"^(?:витамин|групп|категори|класс|план|вариант|приложени|тип|пункт|подпункт|уров|точк|букв|раздел|таблиц|размер|лист|"
    r"сери|модел|верси|диск|формат|язык|блок|корпус|литер|ос[ьи]|корп|сектор|зон|част|строк|столб|колон|этап|шаг|секци|и$|или$)",
    re.IGNORECASE,
)


def repair(text: str) -> tuple[str, int]:
    """The text with look-alikes put back, and the number of words changed."""
    if not (_CANDIDATE.search(text) and _HAS_CYRILLIC.search(text)):
        return text, 0
    protected = [found.span() for found in _PROTECTED.finditer(text)] if _HAS_LATIN.search(text) else []
    known: set[str] = set()
    pieces: list[str] = []
    done = changed = 0
    words = list(_WORD.finditer(text))
    for place, found in enumerate(words):
        word = found[0]
        if not _suspicious(word) or any(start < found.end() and found.start() < end for start, end in protected):
            continue
        fixed = _mixed(word)
        if fixed == word and _LOOKALIKE_CYRILLIC.fullmatch(word):
            fixed = _whole_english(text, words, place)
        elif fixed == word and _LOOKALIKE.fullmatch(word):
            known = known or {each[0].lower() for each in words if _HAS_CYRILLIC.match(each[0])}
            fixed = _whole(text, words, place, known)
        if fixed != word:
            pieces += [text[done : found.start()], fixed]
            done, changed = found.end(), changed + 1
    text = "".join([*pieces, text[done:]])
    text, numeros = _NUMERO.subn(" № ", text)
    return text, changed + numeros


def likely_language(words: list[str], place: int) -> str | None:
    """`rus` for a Latin word among Russian ones, `eng` for a Cyrillic one among English: on a scan it may be a word of
    theirs, read in the wrong alphabet. None if its neighbours are of both languages, or too few.
    """
    near = [*words[max(0, place - 3) : place], *words[place + 1 : place + 4]]
    russian = sum(bool(_ONLY_CYRILLIC.search(word)) for word in near)
    english = sum(bool(_ONLY_LATIN.search(word)) for word in near)
    if _HAS_LATIN.search(words[place]) and russian >= 2:
        return "rus"
    if _HAS_CYRILLIC.search(words[place]) and english >= 4 and not russian:
        return "eng"
    return None


def is_language(text: str, language: str) -> bool:
    """One word in the letters of `rus` or `eng` only, with any marks around it."""
    alphabet = _HAS_CYRILLIC if language == "rus" else _HAS_LATIN
    words = _WORD.findall(text)
    return bool(words) and all(alphabet.match(letter) for word in words for letter in word)


@lru_cache(maxsize=50_000)
def _suspicious(word: str) -> bool:
    if word.isdigit() or (word.isalpha() and not _HAS_LATIN.search(word)):
        return bool(_LOOKALIKE_CYRILLIC.fullmatch(word))
    return bool(_HAS_CYRILLIC.search(word) or _LOOKALIKE.fullmatch(word))


@lru_cache(maxsize=50_000)
def _mixed(word: str) -> str:
    """A word of both alphabets, or with a digit for a letter, in the one alphabet that all of it allows."""
    if word.isalpha():
        return _one_alphabet(word)
    digits = [letter for letter in word if letter.isdigit()]
    if len(digits) != 1 or _ONLY_LATIN.search(word):
        return word
    fixed = _THREE_FIRST.sub("З", word)
    if word[1:].islower() or word.islower():
        fixed = _DIGIT_INSIDE.sub(lambda digit: _DIGITS[digit[0]], fixed)
    return _one_alphabet(fixed) if fixed != word else word


def _one_alphabet(word: str) -> str:
    if not (_HAS_LATIN.search(word) and _HAS_CYRILLIC.search(word)):
        return word
    cyrillic, latin = _ONLY_CYRILLIC.search(word), _ONLY_LATIN.search(word)
    if cyrillic and latin:
        return word
    if re.match(r"[A-Z]{2,5}[а-яё]{1,3}$", word):
        return word  # an acronym with a Russian ending: "PCом", "AMом"
    if cyrillic:
        return word.translate(_TO_CYRILLIC)
    if latin:
        return word.translate(_TO_LATIN)
    more_cyrillic = 2 * sum("А" <= letter <= "ё" for letter in word) >= len(word)
    return word.translate(_TO_CYRILLIC if more_cyrillic else _TO_LATIN)


def _whole(text: str, words: list[re.Match[str]], place: int, known: set[str]) -> str:
    """A word of look-alikes only: Cyrillic if both its sides are and it is a Russian word."""
    found = words[place]
    word = found[0]
    cyrillic = word.translate(_TO_CYRILLIC)
    before = words[place - 1][0] if place and _together(text, words[place - 1], found) else ""
    after = words[place + 1][0] if place + 1 < len(words) and _together(text, found, words[place + 1]) else ""
    if len(word) == 1:
        spaced = text[found.end() : found.end() + 1].isspace()  # "A-запись" and "*C*" are names
        return cyrillic if spaced and _is_preposition(word, before, after) else word
    if text[found.start() - 1 : found.start()] in ("-", "/", "+") or text[found.end() : found.end() + 1] in ("/", "+"):
        return word  # a piece of a code
    sides = [_russian(side) for side in (before, after) if side]
    if cyrillic in _ABBREVIATIONS and word.isupper() and sides and all(sides):
        return cyrillic
    shouted = word.isupper() and len(word) > 1
    if shouted and not any(side.isupper() and len(side) > 1 for side in (before, after)):
        return word  # "CO" in running text is an abbreviation; in a heading it stands among capitals
    natural = word.islower() or word.istitle() or shouted
    return cyrillic if natural and sides and all(sides) and _is_known(cyrillic, known) else word


def _whole_english(text: str, words: list[re.Match[str]], place: int) -> str:
    """A Cyrillic word of look-alikes only, Latin if it stands between English words: "the СЕО of the company"."""
    found = words[place]
    sides = [words[other][0] for other in (place - 1, place + 1) if 0 <= other < len(words)]
    near = [each[0] for each in words[max(0, place - 4) : place + 5]]
    english = all(_ONLY_LATIN.search(side) and not _HAS_CYRILLIC.search(side) for side in sides)
    alone = not any(_ONLY_CYRILLIC.search(word) for word in near)
    if not (english and alone and len(sides) == 2 and _together(text, words[place - 1], found)):
        return found[0]
    return found[0].translate(_TO_LATIN) if len(found[0]) > 2 or found[0] in "аА" else found[0]


def _is_known(cyrillic: str, known: set[str]) -> bool:
    return cyrillic.lower() in _COMMON or (len(cyrillic) > 3 and cyrillic.lower() in known)


def _is_preposition(word: str, before: str, after: str) -> bool:
    """A single letter before a Russian word, or before a number: "c 1 января"; not one that names something."""
    if word == "P":
        return before == "ГОСТ"
    if word not in _SINGLE or not after:
        return False
    if before and (_NAMED.match(before) or len(before) == 1 or not (_russian(before) or before.isdigit())):
        return False
    if word in "cCB" and after.isdigit():
        return bool(before)
    return _russian(after) and len(after) > 1


def _russian(word: str) -> bool:
    return bool(_ONLY_CYRILLIC.search(word) or (_HAS_CYRILLIC.search(word) and not _HAS_LATIN.search(word)))


def _together(text: str, left: re.Match[str], right: re.Match[str]) -> bool:
    """Neighbours of one sentence: only spaces, quotes, dashes or commas between them."""
    between = text[left.end() : right.start()]
    return len(between) < 6 and not re.search(r"[.!?|:;(]|\n\s*\n", between)
