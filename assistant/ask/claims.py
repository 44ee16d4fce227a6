"""The statements of an answer, each with its place in the text and the numbers of the sources that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.ask.events import MARKER, Span
from assistant.ask.extractive import sentences
from assistant.ask.polarity import numbers, worded
from assistant.ask.prompt import says_no_answer

_LEADING_MARKERS = re.compile(r"(?:\s*\[\d{1,6}\])+[\s.,;]*")
_ITEM = re.compile(r"\s*(?:(?:[-*•–>]|\d{1,2}[.)])\s+)?")
_NO_STATEMENT = re.compile(r"\s*#|[\s:|-]+$|^\W*\*\*[^*]+\*\*\W*$")
_ABSENT = re.compile(
    r"\bне (?:наш|найд|указ|содерж|упом|сказан|описан)\w*|\bнет (?:информации|данных|сведений|ответа|упоминан\w+)"
    r"|\b(?:not|n['’]t) (?:find|found|mention\w*|specif\w+|stated?|described?|say|contain|include)\b|\bno information\b",
    re.IGNORECASE,
)
_MANNERS = re.compile(
    r"^\W*(?:надеюсь|если (?:у вас )?(?:есть|остались|возникнут|появятся)|конечно|обращайтесь|i hope|let me know|feel free"
    r"|sure|certainly|if you have)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Claim:
    """A sentence of an answer; `cited` is empty where it names no source."""

    span: Span
    text: str
    cited: frozenset[int]


def claims(answer: str) -> list[Claim]:
    """Sentences that state something: no headings, lines that lead to a list, questions, politeness, "nothing was found"."""
    return [one for one in _sentences(answer) if _states(one.text)]


def _sentences(answer: str) -> Iterator[Claim]:
    start = 0
    for line in answer.split("\n"):
        if not _NO_STATEMENT.match(line) and not MARKER.sub("", line).rstrip(" *").endswith(":"):
            yield from _of_line(line, start)
        start += len(line) + 1


def _of_line(line: str, start: int) -> Iterator[Claim]:
    """A marker behind the full stop belongs to the sentence before it."""
    item = _ITEM.match(line)
    position = item.end() if item else 0
    spans: list[tuple[int, int]] = []
    for sentence in sentences(line[position:]):
        begin = line.index(sentence, position)
        position = begin + len(sentence)
        leading = _LEADING_MARKERS.match(line, begin)
        if leading and spans:
            spans[-1] = (spans[-1][0], leading.end())
            begin = leading.end()
        if begin < position:
            spans.append((begin, position))
    for begin, end in spans:
        said = line[begin:end].rstrip()
        cited = frozenset(map(int, MARKER.findall(said)))
        text = MARKER.sub("", said).replace("|", " ; ").replace("**", "").strip()
        yield Claim(Span(start + begin, start + begin + len(said)), text, cited)


def _states(text: str) -> bool:
    if text.endswith("?") or says_no_answer(text):
        return False
    if _ABSENT.search(text) or _MANNERS.match(text):
        return False
    named = worded(text)
    return len(named) > 1 or bool(named and numbers(text))
