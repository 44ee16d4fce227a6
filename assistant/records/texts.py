"""Texts for the database: what can be stored, in the form that searching compares."""

from __future__ import annotations

MAX_TITLE = 80


def storable(text: str) -> str:
    """Without what databases refuse: NUL, and halves of surrogate pairs that JSON may carry."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def folded(text: str) -> str:
    """One form for capitals and ё, in every script: SQLite's own LIKE knows the capitals of ASCII only."""
    return " ".join(storable(text).casefold().replace("ё", "е").split())


def title_of(question: str) -> str:
    """A conversation's title from its first question: one line, at most 80 characters, cut behind a word."""
    line = " ".join(storable(question).split())
    if len(line) <= MAX_TITLE:
        return line
    cut = line[: MAX_TITLE - 1]
    if line[MAX_TITLE - 1] != " " and " " in cut:
        cut = cut.rpartition(" ")[0]
    return cut.rstrip(" ,;:—-") + "…"
