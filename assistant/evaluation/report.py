"""The `eval` JSON as a table for people, 100 columns wide at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from assistant.evaluation.metrics import METRICS

if TYPE_CHECKING:
    from assistant.evaluation.compare import Comparison

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
    console.print("(below each figure: its 95 % interval)")
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
    languages = list(result["by_language"])
    table = _right_aligned("method", *METRICS, *(f"ndcg@10\n{name}" for name in languages))
    for method, figures in result["by_method"].items():
        if figures is not None:
            by_language = [figures["by_language"][name] for name in languages]
            cells = [*((figures, name) for name in METRICS), *((part, "ndcg@10") for part in by_language)]
            table.add_row(method, *(_with_interval(part, name) for part, name in cells))
    return table


def print_results(results: Sequence[Mapping[str, Any]]) -> None:
    """A row a set, and the means over the sets of each language."""
    from rich.console import Console

    methods = [name for name in results[0]["by_method"] if any(one["by_method"][name] for one in results)]
    table = _right_aligned("set", "questions", *methods, "recall@20", "hybrid - bm25 (95 %)")
    for one in results:
        found = [_shown((one["by_method"][name] or {}).get("ndcg@10")) for name in methods]
        recall, gain = one["by_method"]["hybrid"]["recall@20"], one["hybrid_minus_bm25"]
        shown = "-" if gain["interval"] is None else f"{gain['ndcg@10']:+.3f} [{_range(gain['interval'], '+.3f')}]"
        table.add_row(one["dataset"][:24], str(one["questions"]), *found, _shown(recall), shown)
    for name, means in language_means(results).items():
        found = [_shown(means[method]) for method in methods]
        gain = "-" if means["hybrid"] is None else f"{means['hybrid'] - means['bm25']:+.3f}"
        table.add_row(f"mean {name}", str(means["sets"]) + " sets", *found, "", gain, style="bold")
    console = Console(highlight=False, soft_wrap=True)
    console.print("nDCG@10 by method, recall@20 of hybrid")
    console.print(table)
    for one in results:
        for failure in (one["indexed"] or {}).get("failed", [])[:_LISTED]:
            console.print(
                f"{one['dataset']}: could not be indexed: {failure['path']}: {failure['error']}", markup=False
            )


def language_means(results: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By language: nDCG@10 by method, the mean over the sets that have answerable questions in it."""
    found: dict[str, dict[str, Any]] = {}
    for language in sorted({name for one in results for name in one["by_language"]}):
        sets = [one for one in results if (one["by_language"].get(language) or {}).get("ndcg@10") is not None]
        found[language] = {"sets": len(sets)}
        for method in results[0]["by_method"]:
            parts = [
                one["by_method"][method]["by_language"][language]["ndcg@10"] for one in sets if one["by_method"][method]
            ]
            found[language][method] = round(fmean(parts), 4) if parts else None
    return found


def print_comparison(found: Comparison) -> None:
    from rich.console import Console

    table = _right_aligned("set", "lang", "figure", "method", "n", "A", "B", "B - A", "95 %", "verdict")
    for one in found.differences:
        table.add_row(
            one.dataset[:16],
            one.language or "all",
            one.figure[:8],
            one.method,
            str(one.questions),
            _shown(one.a),
            _shown(one.b),
            f"{one.difference:+.3f}",
            _range(one.interval, "+.3f"),
            one.verdict if one.counts else f"({one.verdict})",
            style="bold" if one.counts else None,
        )
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for name, count in found.left_out.items():
        console.print(f"{name}: {count} questions are not in both results, or were changed: left out", markup=False)
    console.print("B is worse than A beyond noise" if found.is_worse else "B is not worse than A beyond noise")


def _refusals(result: Mapping[str, Any]) -> str:
    refusal = result["refusal"]
    right = refusal["refused"] - refusal["false_refusals"]
    return (
        f"Refusals: {right} of {refusal['unanswerable']} unanswerable questions refused (recall "
        f"{_shown(refusal['recall'])}),\n{refusal['false_refusals']} answerable ones too (precision "
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


def _right_aligned(first: str, *others: str) -> Any:  # noqa: ANN401 - rich is imported late
    from rich.table import Table

    table = Table(first, *others, box=None, header_style="bold", padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _with_interval(figures: Mapping[str, Any], name: str) -> str:
    bounds = figures["intervals"][name]
    return _shown(figures[name]) + ("" if bounds is None else f"\n{_range(bounds, '.2f')}")


def _range(bounds: Sequence[float], form: str) -> str:
    return f"{bounds[0]:{form}}–{bounds[1]:{form}}" if "+" not in form else f"{bounds[0]:{form}}, {bounds[1]:{form}}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
