"""Words as BM25 sees them, the same for documents and questions: lemma and stem by script, ё = е, no stop words.

Measured on 15 labelled sets (docs/retrieval.md): Russian stems of lemmas are better than stems or lemmas alone; a word of
letters and digits also counts by its parts («FY2019» = fy, 2019), a code as a whole beside its parts («ISO-27001», «4.2»).
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import unicodedata
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import Stemmer
    from pymorphy3 import MorphAnalyzer

_RUN = re.compile(r"\w+(?:[.@/+-]\w+)*")  # words joined as in codes, versions, addresses, compounds
_WORD = re.compile(r"\w+")
_PART = re.compile(r"[^\W\d_]+|\d+")
_STRESS = re.compile("[\u0300\u0301]")  # «госуда́рство»
_CYRILLIC = re.compile(r"[а-я]")
_local = threading.local()
_FILLERS = Path(__file__).with_name("fillers.txt")


def words(text: str) -> list[str]:
    """Stemmed words in their order, stop words left out."""
    found: list[str] = []
    for run in _RUN.findall(folded(text)):
        if run.isalpha():
            found.append(_stem(run))
        else:
            found += _of_run(run)
    return [word for word in found if word]


def folded(text: str) -> str:
    """As all comparisons want it: one form of each letter, small, without stress marks, ё = е."""
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    return _STRESS.sub("", text.lower().replace("ё", "е"))


@cache
def rules() -> str:
    """Changes with this module and its list: an index whose words were cut otherwise does not match the questions."""
    files = [Path(__file__).read_bytes(), _FILLERS.read_bytes(), version("pymorphy3-dicts-ru").encode()]
    return hashlib.sha256(b"".join(files)).hexdigest()[:12]


@cache
def stop_words() -> frozenset[str]:
    """Of both languages, with the question words that the usual lists leave out (`fillers.txt`)."""
    from bm25s.stopwords import STOPWORDS_EN_PLUS, STOPWORDS_RUSSIAN

    lines = _FILLERS.read_text("utf-8").splitlines()
    fillers = [word for line in lines if not line.startswith("#") for word in line.split()]
    return frozenset(word.replace("ё", "е") for word in (*STOPWORDS_RUSSIAN, *STOPWORDS_EN_PLUS, *fillers))


@lru_cache(maxsize=50_000)
def _of_run(run: str) -> tuple[str, ...]:
    """Its words, their parts of letters and of digits, and as a whole what has a digit or is an address."""
    found = []
    names = _WORD.findall(run)
    for word in names:
        found.append(_stem(word))
        parts = _PART.findall(word)
        if len(parts) > 1 and any(part.isalpha() and len(part) > 1 for part in parts):  # «G1» has no parts
            found += map(_stem, parts)
    if len(names) > 1 and ("@" in run or any(map(str.isdigit, run))):
        found.append(run)
    return tuple(found)


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    """Empty for a stop word: one look-up for both."""
    if word in stop_words():
        return ""
    language = "english"
    if _CYRILLIC.search(word):
        language, word = "russian", _dictionary().parse(word)[0].normal_form.replace("ё", "е")
    stem: str = _stemmer(language).stemWord(word)
    return stem


def is_in_dictionary(word: str) -> bool:
    """Whether a Russian word is one; of words of other languages nobody knows here."""
    return bool(_CYRILLIC.search(word)) and bool(_dictionary().word_is_known(word))


@lru_cache(maxsize=20_000)
def part_of_speech(word: str) -> str:
    """What a Russian word is first read as, by OpenCorpora's names (NOUN, VERB, …); empty for words of other languages."""
    return str(_dictionary().parse(word)[0].tag.POS) if _CYRILLIC.search(word) else ""


@cache
def _dictionary() -> MorphAnalyzer:
    """OpenCorpora's dictionary: from a form to its lemma («людей» → человек), guessed for words that it lacks."""
    from pymorphy3 import MorphAnalyzer

    logging.getLogger("pymorphy3").setLevel(logging.WARNING)  # it tells every start which dictionary it has
    return MorphAnalyzer(lang="ru")


def _stemmer(language: str) -> Stemmer.Stemmer:
    """A stemmer of this thread's own: PyStemmer's objects must not be shared between threads."""
    import Stemmer

    stemmers = _local.__dict__.setdefault("stemmers", {})
    if language not in stemmers:
        stemmers[language] = Stemmer.Stemmer(language)
    return stemmers[language]
