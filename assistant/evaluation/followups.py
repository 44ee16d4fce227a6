"""`assistant eval followups`: what is found for a follow-up as typed, made whole by a rule or a model, and written out."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from assistant.access.principal import LOCAL_OPERATOR
from assistant.evaluation.datasets import HalfLine, Id, Text, lines_of_part
from assistant.evaluation.metrics import score
from assistant.evaluation.progress import steps
from assistant.settings import Settings

if TYPE_CHECKING:
    from assistant.ask.rewrite import Rewriter
    from assistant.assistant import Assistant

FIGURES = ("hit@1", "hit@5", "mrr@10", "answer")


class FollowUp(HalfLine):
    """A question and those before it, oldest first. `whole`: as it reads without them. `answers`: facts, one is enough."""

    kind: Literal["follow-up", "new topic"]
    previous: list[Text]
    question: Text
    whole: Text
    gold: list[Id]
    answers: list[Text]
    lang: Literal["ru", "en"]


@dataclass(frozen=True)
class Found:
    """What one way of asking found for one question."""

    asked: FollowUp
    searched: str
    scores: Mapping[str, float]
    by_model: bool  # a rewriting that the model failed at is the rule's


def evaluate_followups(settings: Settings, file: Path, *, part: str = "all") -> dict[str, Any]:
    """The JSON. Raises `ConfigError` and `DocumentError` for the set, `IndexNotReady` for an empty store."""
    asked = lines_of_part(file, FollowUp, part, example="data/eval/followups.jsonl", what="questions")
    from assistant.wiring import build

    with steps() as step, build(settings) as assistant:
        assistant.serving.check_model()
        assistant.warm_up()
        found = asyncio.run(_all(assistant, asked, step))
    return {
        "set": str(file),
        "part": part,
        "questions": len(asked),
        "by_way": {way: _figures(rows) for way, rows in found.items()},
        "missed": [_missed(way, row) for way, rows in found.items() for row in rows if not row.scores["hit@5"]],
    }


async def _all(assistant: Assistant, asked: Sequence[FollowUp], step: Any) -> dict[str, list[Found]]:  # noqa: ANN401
    from assistant.ask.chain import Chain

    rewriter = assistant.serving().ask_service.rewriter
    ways: dict[str, Rewriter | None] = {"raw": None, "rule": rewriter.with_chain(Chain([], retry_seconds=1))}
    if assistant.chain.models:
        ways["model"] = rewriter
    found: dict[str, list[Found]] = {}
    for name, used in ways.items():
        advance = step(f"asking: {name}")
        found[name] = []
        for number, one in enumerate(asked, start=1):
            searched, by_model = (one.question, False) if used is None else await _rewritten(used, one)
            found[name].append(Found(one, searched, await _scores(assistant, one, searched), by_model))
            advance(number, len(asked))
    if not any(row.by_model for row in found.get("model", [])):
        found.pop("model", None)  # none answered: it is the rule once more
    found["whole"] = [Found(one, one.whole, await _scores(assistant, one, one.whole), False) for one in asked]
    return found


async def _rewritten(rewriter: Rewriter, asked: FollowUp) -> tuple[str, bool]:
    """The conversation is gone through: what stands before a question was rewritten as well."""
    from assistant.ask.events import Turn

    history: list[Turn] = []
    for question in asked.previous:
        whole = await rewriter.whole(question, LOCAL_OPERATOR, history)
        history.append(Turn(question, "", whole.question if whole.question != question else ""))
    whole = await rewriter.whole(asked.question, LOCAL_OPERATOR, history)
    return whole.question, not whole.notices


async def _scores(assistant: Assistant, asked: FollowUp, searched: str) -> dict[str, float]:
    """Of the documents found; `answer`: whether the passages for an answer hold the fact."""
    whole = await assistant.measured(searched, LOCAL_OPERATOR, k=assistant.settings.retrieval.candidates)
    ranking = list(dict.fromkeys(_path(source.passage.path) for source in whole.sources))
    given = await assistant.measured(searched, LOCAL_OPERATOR)
    texts = [_plain(source.passage.text) for source in given.sources if _path(source.passage.path) in asked.gold]
    has_answer = any(_plain(answer) in text for answer in asked.answers for text in texts)
    return {**score(ranking, dict.fromkeys(asked.gold, 1)), "answer": float(has_answer)}


def _figures(rows: Sequence[Found]) -> dict[str, Any]:
    """By kind and language; `by_model` counts the questions that a language model made whole."""
    found: dict[str, Any] = {}
    for kind in ("follow-up", "new topic"):
        of_kind = [row for row in rows if row.asked.kind == kind]
        languages = sorted({row.asked.lang for row in of_kind})
        parts = {"all": of_kind} | {name: [row for row in of_kind if row.asked.lang == name] for name in languages}
        found[kind] = {name: _means(part) for name, part in parts.items()}
    return found | {"by_model": sum(row.by_model for row in rows)}


def _means(rows: Iterable[Found]) -> dict[str, Any]:
    scores = [row.scores for row in rows]
    means = {name: round(fmean(one[name] for one in scores), 4) if scores else None for name in FIGURES}
    return {"questions": len(scores), **means}


def _missed(way: str, row: Found) -> dict[str, Any]:
    return {"way": way, "id": row.asked.id, "searched": row.searched, "gold": row.asked.gold}


def _path(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


def print_followups(result: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "kind", "lang", "n", *FIGURES, box=None, header_style="bold", padding=(0, 1, 0, 0))
    for way, by_kind in result["by_way"].items():
        for kind in ("follow-up", "new topic"):
            for language, figures in by_kind[kind].items():
                shown = ["-" if figures[name] is None else f"{figures[name]:.3f}" for name in FIGURES]
                table.add_row(way, kind, language, str(figures["questions"]), *shown)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{result['set']} ({result['part']}): {result['questions']} questions", style="bold", markup=False)
    console.print(table)
    console.print("(answer: the passages for an answer hold the fact; whole: the question written out in the set)")
