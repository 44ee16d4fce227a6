"""A follow-up made whole by rule, without a language model: the questions that it follows are put before it.

Measured on data/eval/followups.jsonl (docs/retrieval.md). Replacing what a follow-up contrasts («в Казани» → «в Москве»)
was tried as well: it found nothing that this does not find.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from assistant.ask.events import Turn
from assistant.index.words import folded, part_of_speech, words

Kind = Literal["follow-up", "whole", "unclear"]

_SHORT = 2  # words that name something; what has no more of them may not be whole
_LONG_WITH_LEAD = 3  # «А как заказать новую рассылку отдела?» has more, and stands for itself
_LONG_WITH_PRONOUN = 6
_BETWEEN = " — "
_LEAD = re.compile(
    r"^\W*(?:(?:ну|хорошо|понятно|ясно|спасибо|ok|okay|well|thanks)\W+)*"
    r"(?:(?:а|и|но|или|тогда|если|еще|также|and|but|or|also|then|so|if)\b"
    r"|(?:что|как) насчет\b|что если\b|подробнее\b|(?:what|how) about\b|what if\b|more about\b)\W*"
)
_CONJUNCTION = re.compile(r"^\W*(?:а|и|но|или|and|but|or|also|so)\s+", re.IGNORECASE)
_PRONOUN = re.compile(
    r"\b(?:он|она|оно|они|его|е[её]|их|ему|ей|им|ими|него|не[её]|них|нему|ней|ним|ними|н[её]м|этот|эта|это|эти|этого|этой"
    r"|этих|этому|этим|этими|этом|эту|тот|того|той|том|тех|там|туда|оттуда|тогда|столько|такой|такая|такое|такие|такого"
    r"|it|its|they|them|their|theirs|he|him|his|she|her|this|that|these|those|there|then|same|ones?)\b",
    re.IGNORECASE,
)
_STANDS_FOR_NOTHING = re.compile(
    r"\b(?:что|это) (?:значит|такое)\b|\bкто так(?:ой|ая|ие)\b|\b(?:is|are|was|were) there\b|\bthere (?:is|are)\b"
    r"|\bis it (?:possible|allowed|true|ok|necessary)\b|\bit is\b|\bthat (?:is|are|i|we|you)\b",
    re.IGNORECASE,
)
_DEFINITION = re.compile(
    r"^\W*(?:что такое|что значит|кто так(?:ой|ая|ие)|(?:what|who)(?:'s| is| are)|what does .+ mean)\b"
)


def kind_of(question: str) -> Kind:
    """By how it begins, by a pronoun that it names nothing for, by how much it names."""
    text = folded(question)
    named = len(set(words(text)))
    if named <= _LONG_WITH_PRONOUN and _leans(question):
        return "follow-up"
    if _LEAD.match(text):
        return "follow-up" if named <= _LONG_WITH_LEAD else "whole"
    if not named:
        return "follow-up"
    return "unclear" if named <= _SHORT and not _DEFINITION.match(text) else "whole"


def topic_of(history: Sequence[Turn]) -> tuple[str, ...]:
    """What the conversation is about now: its last whole question, and what was asked about that last."""
    topic: tuple[str, ...] = ()
    for turn in history:
        asked = tuple((turn.searched or turn.question).split(_BETWEEN))
        if topic and not turn.searched and kind_of(turn.question) != "whole":
            asked = (*topic, *asked)
        topic = (*asked[:1], *asked[1:][-1:])
    return topic


def joined(topic: Sequence[str], question: str, *, limit: int) -> str:
    """«Сколько дней отпуска положено — на покраске?»: as much of the topic as `limit` characters have room for."""
    parts = [" ".join(one.split()).rstrip("?!. ") for one in topic]
    parts = [parts[0], *(_CONJUNCTION.sub("", one) for one in [*parts[1:], question])]
    while len(parts) > 1 and len(_BETWEEN.join(parts)) > limit:
        del parts[-2]
    return _BETWEEN.join(parts) if len(parts) > 1 else question


def _leans(question: str) -> bool:
    """Whether a pronoun stands for something that the question does not name before it."""
    nothing = [range(*found.span()) for found in _STANDS_FOR_NOTHING.finditer(question)]
    for pronoun in _PRONOUN.finditer(question):
        is_name = pronoun[0].isupper() and len(pronoun[0]) > 1  # IT
        if is_name or any(pronoun.start() in span for span in nothing):
            continue
        before = folded(question[: pronoun.start()])
        # What is named before the first is named before the others as well.
        return len(words(before)) < _SHORT and not any(
            part_of_speech(word) == "NOUN" for word in re.findall(r"[а-я]+", before)
        )
    return False
