"""Words as BM25 sees them, the same for documents and questions: stemmed by script, ё = е, no stop words."""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import Stemmer

_WORD = re.compile(r"\w+")
_CYRILLIC = re.compile(r"[а-я]")
# Question and filler words that the stop-word lists leave out; they say nothing about what is asked.
_FILLERS = frozenset(
    (
        *(
            "который",
            "которая",
            "которое",
            "которые",
            "нужно",
            "надо",
            "можно",
            "должен",
            "должна",
            "должны",
            "сколько",
        ),
        *("какой", "какая", "какое", "какие", "какому", "каким", "каком", "какую", "это", "этот", "эта", "эти", "ли"),
        *("либо", "где", "куда", "откуда", "почему", "зачем", "чей", "пожалуйста", "подскажите", "скажите"),
        *(
            "what",
            "which",
            "how",
            "when",
            "where",
            "why",
            "who",
            "whom",
            "whose",
            "does",
            "did",
            "do",
            "should",
            "must",
        ),
        *("can", "could", "would", "may", "might", "please", "tell", "me", "need", "needs", "get", "many", "much"),
        *("long", "there"),
    )
)
_local = threading.local()


def words(text: str) -> list[str]:
    """Stemmed words in their order, stop words left out."""
    folded = unicodedata.normalize("NFKC", text).lower().replace("ё", "е")
    stop = stop_words()
    return [_stem(word) for word in _WORD.findall(folded) if word not in stop]


@cache
def stop_words() -> frozenset[str]:
    from bm25s.stopwords import STOPWORDS_EN_PLUS, STOPWORDS_RUSSIAN

    return frozenset(word.replace("ё", "е") for word in (*STOPWORDS_RUSSIAN, *STOPWORDS_EN_PLUS)) | _FILLERS


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    stem: str = _stemmer("russian" if _CYRILLIC.search(word) else "english").stemWord(word)
    return stem


def _stemmer(language: str) -> Stemmer.Stemmer:
    """A stemmer of this thread's own: PyStemmer's objects must not be shared between threads."""
    import Stemmer

    stemmers = _local.__dict__.setdefault("stemmers", {})
    if language not in stemmers:
        stemmers[language] = Stemmer.Stemmer(language)
    return stemmers[language]
