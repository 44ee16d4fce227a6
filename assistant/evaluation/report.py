"""The `eval` JSON as a table for people, 100 columns wide at most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assistant.evaluation.metrics import METRICS

_LISTED = 10


def print_result(result: Mapping[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{result['dataset']}: {result['questions']} questions, {result['documents']} documents",
        style="bold",
        markup=False,
    )
    console.print(_table(result))
    console.print(_refusals(result))
    console.print(f"Time of a search: p50 {result['p50_ms']} ms, p95 {result['p95_ms']} ms")
    if result["absent"]:
        absent = ", ".join(result["absent"][:_LISTED])
        console.print(f"\n{len(result['absent'])} gold documents are not in the store: {absent}", markup=False)
    failed = (result["indexed"] or {}).get("failed", [])
    for failure in failed[:_LISTED]:
        console.print(f"\nCould not be indexed: {failure['path']}: {failure['error']}", markup=False)
    for title, key in (("Not among the first five", "missed"), ("Refused, but answerable", "false_refusals")):
        _list(console, title, result[key])


def _table(result: Mapping[str, Any]) -> Any:  # noqa: ANN401 - rich is imported late
    from rich.table import Table

    languages = list(result["by_language"])
    table = Table("method", *METRICS, *(f"ndcg@10 {name}" for name in languages))
    for column in table.columns[1:]:
        column.justify = "right"
    for method, figures in result["by_method"].items():
        if figures is not None:
            by_language = [figures["by_language"][name]["ndcg@10"] for name in languages]
            table.add_row(method, *(_shown(value) for value in [*(figures[name] for name in METRICS), *by_language]))
    return table


def _refusals(result: Mapping[str, Any]) -> str:
    refusal = result["refusal"]
    right = refusal["refused"] - refusal["false_refusals"]
    return (
        f"Refusals: {right} of {refusal['unanswerable']} unanswerable questions refused (recall "
        f"{_shown(refusal['recall'])}), {refusal['false_refusals']} answerable ones too (precision "
        f"{_shown(refusal['precision'])})"
    )


def _list(console: Any, title: str, questions: list[dict[str, Any]]) -> None:  # noqa: ANN401 - rich is imported late
    if not questions:
        return
    console.print(f"\n{title}: {len(questions)}", style="bold")
    for question in questions[:_LISTED]:
        line = f"  {question['id']}  {' '.join(question['question'].split())}"
        console.print(line if len(line) <= 100 else line[:99] + "…", markup=False)
    if len(questions) > _LISTED:
        console.print(f"  … and {len(questions) - _LISTED} more: --json has them all")


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
