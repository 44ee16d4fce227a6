"""Whether a new generation finds what the old one finds: both are asked the golden questions."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assistant.access.principal import LOCAL_OPERATOR
from assistant.errors import AssistantError, ConfigError
from assistant.evaluation.datasets import Question, read_dataset
from assistant.evaluation.metrics import mean, score
from assistant.serving import Index

MARGIN = 0.02  # nDCG@10 that a new generation may lose: a question or two of a small set
_DEPTH = 100  # passages ranked, so that 20 different documents are among them

Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Figures:
    """Of one generation. `by_words`: its vectors could not be asked."""

    generation: int
    ndcg: float
    hit: float
    by_words: bool

    def __str__(self) -> str:
        words = ", by words alone: its embedding model is not on this machine" if self.by_words else ""
        return f"generation {self.generation}: nDCG@10 {self.ndcg:.3f}, hit@5 {self.hit:.3f}{words}"


def golden_questions(folder: Path, index: Index) -> list[Question]:
    """Those whose documents are in the store. Raises `ConfigError` for a set with a corpus of its own."""
    dataset = read_dataset(folder)
    if dataset.corpus is not None:
        raise ConfigError(f"{folder} has documents of its own: give a set whose gold ids are paths of loaded documents")
    present = {_key(row.path) for row in index.catalog.documents() if row.chunks}
    return [question for question in dataset.questions if question.gold and set(question.gold) <= present]


async def figures(index: Index, questions: list[Question], advance: Advance) -> Figures:
    """By document: its best passage stands for it."""
    scores, by_words = [], False
    for number, question in enumerate(questions, start=1):
        found = await index.retriever.retrieve(question.text, LOCAL_OPERATOR, top_n=_DEPTH)
        by_words |= any(notice.kind == "keyword_only" for notice in found.notices)
        ranking = list(dict.fromkeys(_key(source.passage.path) for source in found.sources))
        scores.append(score(ranking, question.gold))
        advance(number, len(questions))
    means = mean(scores)
    return Figures(index.generation.number, means["ndcg@10"] or 0.0, means["hit@5"] or 0.0, by_words)


def check_not_worse(old: Figures, new: Figures) -> None:
    """Raises `AssistantError` when the new one finds less, beyond a question or two."""
    if new.ndcg < old.ndcg - MARGIN:
        raise AssistantError(
            f"the new generation finds less (nDCG@10 {new.ndcg:.3f} against {old.ndcg:.3f}); nothing was switched: change "
            f"the configuration and run it again, or switch with --force, or remove it with --drop {new.generation}"
        )


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path)
