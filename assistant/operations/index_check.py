"""Whether the index is whole and its documents are found, for `assistant doctor index`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assistant.assistant import Assistant

if TYPE_CHECKING:
    from assistant.index.catalog import Passage
    from assistant.index.consistency import Findings

SAMPLE = 50  # documents looked for, unless all are
_FOUND_WITHIN = 5  # passages
_LEAST_SHARE = 0.9  # of documents found; forms and letterheads begin alike, so not every one can be
_WORDS = 4  # a sentence of fewer tells nothing apart, and takes the next one along
_LONGEST = 300  # characters of a question
_EXAMPLES = 5


@dataclass(frozen=True)
class Findability:
    """How many documents are found by their own first sentence; one that shares it with another counts with that one."""

    looked_for: int
    not_found: tuple[str, ...]  # paths

    @property
    def share(self) -> float:
        return 1 - len(self.not_found) / self.looked_for if self.looked_for else 1.0


@dataclass(frozen=True)
class IndexReport:
    """What was wrong, and what still is: the same unless it was repaired."""

    found: Findings
    left: Findings
    repaired: bool
    findability: Findability
    generations: Mapping[int, str]  # number → state, of all that there are; only the one that serves was looked at

    @property
    def is_sound(self) -> bool:
        return not self.left.counts() and self.findability.share >= _LEAST_SHARE

    def as_json(self) -> dict[str, Any]:
        problems = [
            {"problem": name, "count": count, "left": self.left.counts().get(name, 0), "examples": self.examples(name)}
            for name, count in self.found.counts().items()
        ]
        return {
            "sound": self.is_sound,
            "generations": [{"generation": number, "state": state} for number, state in self.generations.items()],
            "documents": self.left.documents,
            "chunks": self.left.chunks,
            "vectors": self.left.vectors,
            "repaired": self.repaired,
            "problems": problems,
            "findability": {
                "looked_for": self.findability.looked_for,
                "share": round(self.findability.share, 4),
                "not_found": list(self.findability.not_found),
            },
        }

    def examples(self, problem: str) -> list[str]:
        """A few of the documents, passages or vectors concerned."""
        found = getattr(self.found, problem)
        if isinstance(found, str):
            return [found]
        if isinstance(found, dict):
            named = [f"{name}/{key}" for name, ids in found.items() if isinstance(ids, set) for key in sorted(ids)]
            return (named or list(found.values()))[:_EXAMPLES]
        return [one if isinstance(one, str) else f"{one.collection}/{one.document}" for one in found[:_EXAMPLES]]


def examine_index(
    assistant: Assistant,
    *,
    repair: bool = False,
    sample: int | None = SAMPLE,
    waiting: Callable[[], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> IndexReport:
    """Compare the parts, repair them if asked, then look for `sample` documents (None: all) by their first sentence.

    Raises `ChromaUnavailable`, `StorageError`. `waiting` is called if an ingest has to finish first.
    """
    if repair:
        found, left = assistant.consistency.repair(waiting=waiting)
    else:
        found = left = assistant.consistency.compare(waiting=waiting)
    searchable = "keyword" not in left.counts()
    findability = asyncio.run(_look_for(assistant, sample, progress)) if searchable else Findability(0, ())
    generations = {one.number: one.state for one in assistant.serving.generations.all()}
    return IndexReport(found, left, repair, findability, generations)


async def _look_for(
    assistant: Assistant, sample: int | None, progress: Callable[[int, int], None] | None
) -> Findability:
    """Documents by their first sentences, spread over the catalog, the same ones each time."""
    rows = sorted((view.row for view in assistant.documents(status="indexed") if view.row.chunks), key=lambda r: r.id)
    step = max(1, len(rows) // sample) if sample else 1
    chosen = rows[::step][:sample]
    not_found, asked = [], 0
    for number, row in enumerate(chosen, start=1):
        sentence = first_sentence(assistant.catalog.passages_of(row.id))
        if sentence:  # a drawing or a table of numbers has none
            asked += 1
            if not await _is_found(assistant, row.id, sentence):
                not_found.append(row.path)
        if progress:
            progress(number, len(chosen))
    return Findability(asked, tuple(not_found))


async def _is_found(assistant: Assistant, document: str, sentence: str) -> bool:
    found = await assistant.measured(sentence, assistant.principal(None), k=_FOUND_WITHIN, method="hybrid")
    same = _letters(sentence)
    return any(
        source.passage.document == document or same in _letters(source.passage.indexed_text) for source in found.sources
    )


def first_sentence(passages: Sequence[Passage]) -> str:
    """What a person would search the document with: the first words of its text that make a sentence."""
    for passage in passages[:3]:
        text = " ".join(re.sub(r"[|#*_`>]+", " ", passage.text).split())
        taken = ""
        for part in re.split(r"(?<=[.!?;])\s+", text):
            taken = f"{taken} {part}".strip()
            if len(re.findall(r"[^\W\d_]{2,}", taken)) >= _WORDS:
                return taken[:_LONGEST]
    return ""


def _letters(text: str) -> str:
    return "".join(re.findall(r"\w", text.lower()))
