"""Numbers, names and negations of a sentence: what counts strictly beside its other words, and what turns it round."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.index.words import folded, part_of_speech, words

_SPACED = re.compile(r"(?<=\d)\s(?=\d{3}(?!\d))")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NUMBER = re.compile(r"(?<![\w-])\d+(?:[.,:/]\d+)*")  # not of a code: ИТ-05
_CODE = re.compile(r"(?<![\w-])[^\W\d_]+(?:-[^\W\d_]+)*-?\d[\w-]*")
_WRITTEN = {
    "2": "два|две|двух|двум|двумя|two|twice",
    "3": "три|трех|трем|тремя|three",
    "4": "четыре|четырех|четырем|four",
    "5": "пять|пяти|пятью|five",
    "6": "шесть|шести|шестью|six",
    "7": "семь|семи|семью|seven",
    "8": "восемь|восьми|eight",
    "9": "девять|девяти|nine",
    "10": "десять|десяти|ten",
    "12": "двенадцать|двенадцати|twelve",
    "15": "пятнадцать|пятнадцати|fifteen",
    "20": "двадцать|двадцати|twenty",
    "30": "тридцать|тридцати|thirty",
    "40": "сорок|сорока|forty",
    "50": "пятьдесят|пятидесяти|fifty",
    "60": "шестьдесят|шестидесяти|sixty",
    "90": "девяносто|ninety",
}
_VALUES = {name: value for value, names in _WRITTEN.items() for name in names.split("|")}
_LETTERS = re.compile(r"[^\W\d_]+")
_CAPITAL = re.compile(r"(?<=[\w,;:)»”\"] )[«“\"(]?([A-ZА-ЯЁ][\w-]*)")
_CALENDAR = re.compile(
    r"\b(?:январ|феврал|март|апрел|ма[йея]\b|июн|июл|август|сентябр|октябр|ноябр|декабр|понедельник|вторник|сред[уы]\b|четверг"
    r"|пятниц|суббот|воскресен)\w*"
)
_MEASURE = re.compile(
    r"\bне (?:позднее|позже|ранее|раньше|более|больше|менее|меньше|ниже|выше|короче|длиннее|дольше|старше|младше|реже|чаще"
    r"|дороже|дешевле|только|далее|(?:(?:долж\w+|мо[жг]\w+|следует) )?(?:превыша\w+|превыси\w+))\b"
    r"|\bno (?:more|less|later|longer|fewer|earlier) than\b"
    r"|\bnot (?:more|less|later|longer|fewer|earlier|only|exceed)\b|\b(?:at )?no (?:extra )?(?:cost|charge)\b"
)
_NO = re.compile(
    r"\b(?:не|нет|ни|нельзя|без|никогда|никто|запре[щт]\w*|недопустим\w*|невозможн\w*"
    r"|not|no|never|without|cannot|nobody|none|neither|nor|forbidden|prohibited|\w+n['’]t)\b"
)
_CLAUSE = re.compile(r"[;.!?()]|\s[-–—]\s|\b(?:а|но|but)\b")
_PART = re.compile(r",|\b(?:и|или|and|or)\b")
_PREDICATES = frozenset({"VERB", "INFN", "PRED", "PRTS", "ADJS"})


def plain(text: str) -> str:
    """Folded, each number in one form: «1 200» = «1,200» = 1200."""
    return _THOUSANDS.sub("", _SPACED.sub("", folded(text)))


def numbers(text: str) -> frozenset[str]:
    """Those of digits, and those that are written out."""
    folded_text = plain(text)
    written = {_VALUES[word] for word in _LETTERS.findall(folded_text) if word in _VALUES}
    return frozenset(found.replace(",", ".") for found in _NUMBER.findall(folded_text)) | written


def worded(text: str) -> list[str]:
    """The words and codes beside the numbers, stemmed, each once."""
    found = dict.fromkeys(words(plain(text)))
    return [word for word in found if any(map(str.isalpha, word)) and word not in _NUMBER_STEMS]


def names(text: str) -> frozenset[str]:
    """Stems of what is written with a capital inside a sentence, of codes, months and days of the week."""
    called = [found[1] for found in _CAPITAL.finditer(text)] + _CALENDAR.findall(folded(text)) + _CODE.findall(text)
    return frozenset(stem for name in called for stem in worded(name))


def polarity(text: str) -> dict[str, bool]:
    """Word → whether it is denied; without those that are both. «Не более» is a measure, and no negation."""
    said: dict[bool, set[str]] = {True: set(), False: set()}
    for clause in _clauses(_MEASURE.sub(" ", folded(text))):
        said[bool(_NO.search(clause))].update(words(clause))
    return {word: is_denied for is_denied in said for word in said[is_denied] - said[not is_denied]}


def _clauses(text: str) -> Iterator[str]:
    """Of an enumeration («запрещены записки, таблицы и заметки») one clause: its parts have one predicate together."""
    for sentence in _CLAUSE.split(text):
        clause, is_russian = "", bool(re.search("[а-я]", sentence))
        for part in _PART.split(sentence):
            if clause and not (is_russian and (_lacks_predicate(clause) or _lacks_predicate(part))):
                yield clause
                clause = ""
            clause = f"{clause} {part}"
        yield clause


def _lacks_predicate(text: str) -> bool:
    return not any(part_of_speech(word) in _PREDICATES for word in _LETTERS.findall(text))


_NUMBER_STEMS = frozenset(stem for name in _VALUES for stem in words(name))
