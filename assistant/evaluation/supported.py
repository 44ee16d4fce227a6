"""`assistant eval claims`: precision and recall of the mark "no source supports this", on labelled sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from assistant.evaluation.datasets import HalfLine, Id, Text, lines_of_part
from assistant.settings import Settings


class LabelledClaim(HalfLine):
    """A sentence, the passage that it cites, and whether that says so. `kind`: how it was made from the passage."""

    claim: Text
    passage: Text
    title: str
    section: str
    source: Id
    supported: bool
    kind: str
    lang: Literal["ru", "en"]


Judged = Sequence[tuple[LabelledClaim, float]]


def evaluate_claims(settings: Settings, file: Path, *, part: str = "all") -> dict[str, Any]:
    """The JSON. Raises `ConfigError` and `DocumentError` for the set, `IndexNotReady` for an empty store."""
    from assistant.ask.support import places
    from assistant.wiring import build

    asked = lines_of_part(file, LabelledClaim, part, example="data/eval/claims.jsonl", what="claims")
    with build(settings) as assistant:
        assistant.serving.check_model()
        check = assistant.serving().ask_service.check
        judged = [(one, check.support(one.claim, places(one.passage, f"{one.title}. {one.section}"))) for one in asked]
    least = settings.answer.min_support
    parts = {name: [pair for pair in judged if pair[0].part == name] for name in ("develop", "held-out")}
    return {
        "set": str(file),
        "min_support": least,
        "by_part": {name: _figures(pairs, least) for name, pairs in parts.items() if pairs},
        "wrong": [_wrong(one, score) for one, score in judged if (score >= least) != one.supported],
    }


def _figures(judged: Judged, least: float) -> dict[str, Any]:
    languages = {name: [pair for pair in judged if pair[0].lang == name] for name in ("ru", "en")}
    kinds = sorted({one.kind for one, _ in judged})
    return {
        **_rates(judged, least),
        "by_language": {name: _rates(pairs, least) for name, pairs in languages.items()},
        "marked_by_kind": {kind: _marked((pair for pair in judged if pair[0].kind == kind), least) for kind in kinds},
    }


def _rates(judged: Judged, least: float) -> dict[str, Any]:
    """Of the sentences marked, how many deserve it; of those that deserve it, how many are marked."""
    marked = [one for one, score in judged if score < least]
    right = sum(not one.supported for one in marked)
    due = sum(not one.supported for one, _ in judged)
    return {
        "claims": len(judged),
        "unsupported": due,
        "marked": len(marked),
        "precision": round(right / len(marked), 4) if marked else None,
        "recall": round(right / due, 4) if due else None,
    }


def _marked(judged: Iterable[tuple[LabelledClaim, float]], least: float) -> str:
    pairs = list(judged)
    return f"{sum(score < least for _, score in pairs)} of {len(pairs)}"


def _wrong(one: LabelledClaim, score: float) -> dict[str, Any]:
    return {"id": one.id, "claim": one.claim, "kind": one.kind, "supported": one.supported, "support": round(score, 3)}


def print_claims(result: Mapping[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"{result['set']}: a sentence is marked when its support is below {result['min_support']:g}")
    for part, figures in result["by_part"].items():
        for name, rates in ({"all": figures} | figures["by_language"]).items():
            shown = ("-" if rates[key] is None else f"{rates[key]:.3f}" for key in ("precision", "recall"))
            precision, recall = shown
            console.print(f"  {part:9} {name:4} {rates['claims']:4} claims   precision {precision}   recall {recall}")
        kinds = ", ".join(f"{kind} {count}" for kind, count in figures["marked_by_kind"].items())
        console.print(f"            marked: {kinds}")
