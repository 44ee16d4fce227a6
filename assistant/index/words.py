"""Words as BM25 sees them, the same for documents and questions: stemmed by script, ё = е, no stop words."""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import Stemmer

_WORD = re.compile(r"\w+")
_CYRILLIC = re.compile(r"[а-я]")
_local = threading.local()
_FILLERS = Path(__file__).with_name("fillers.txt")


def words(text: str) -> list[str]:
    """Stemmed words in their order, stop words left out."""
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    folded = text.lower().replace("ё", "е")
    return [stem for word in _WORD.findall(folded) if (stem := _stem(word))]


@cache
def rules() -> str:
    """Changes with this module and its list: an index whose words were cut otherwise does not match the questions."""
    files = [Path(__file__).read_bytes(), _FILLERS.read_bytes()]
    return hashlib.sha256(b"".join(files)).hexdigest()[:12]


@cache
def stop_words() -> frozenset[str]:
    """Of both languages, with the question words that the usual lists leave out (`fillers.txt`)."""
    from bm25s.stopwords import STOPWORDS_EN_PLUS, STOPWORDS_RUSSIAN

    lines = _FILLERS.read_text("utf-8").splitlines()
    fillers = [word for line in lines if not line.startswith("#") for word in line.split()]
    return frozenset(word.replace("ё", "е") for word in (*STOPWORDS_RUSSIAN, *STOPWORDS_EN_PLUS, *fillers))


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    """Empty for a stop word: one look-up for both."""
    if word in stop_words():
        return ""
    stem: str = _stemmer("russian" if _CYRILLIC.search(word) else "english").stemWord(word)
    return stem


def _stemmer(language: str) -> Stemmer.Stemmer:
    """A stemmer of this thread's own: PyStemmer's objects must not be shared between threads."""
    import Stemmer

    stemmers = _local.__dict__.setdefault("stemmers", {})
    if language not in stemmers:
        stemmers[language] = Stemmer.Stemmer(language)
    return stemmers[language]
