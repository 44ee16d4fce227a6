"""`assistant stats`: adoption, satisfaction, answered questions and times, as the statistics page shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.context import of, print_json, show

if TYPE_CHECKING:
    from assistant.records.statistics import Figures
    from assistant.review.statistics import Report

_COLUMNS = ("people", "questions", "answered", "failed", "liked", "first word", "p95", "answer", "p95")


def register(app: typer.Typer) -> None:
    app.command("stats")(stats)


def stats(
    context: typer.Context,
    days: Annotated[int, typer.Option("--days", min=1, help="The last days, today among them.")] = 30,
    department: Annotated[
        str | None, typer.Option("--department", metavar="D", help="Only questions of this department's people.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How much the assistant is used and how well it answers. Example: `assistant stats --days 90 --department hr`"""
    from assistant.wiring import open_statistics

    report = open_statistics(of(context).settings()).report(days=days, department=department)
    if as_json:
        print_json(report.as_json())
    else:
        _print(report)


def _print(report: Report) -> None:
    from rich.table import Table

    adoption, saved = report.adoption, report.saved
    of_whom = f", department {report.department}" if report.department is not None else ""
    print(f"{report.since} – {report.until}{of_whom}")
    print(f"people a week: {adoption.weekly:.1f} of {adoption.accounts} accounts ({_percent(adoption.share)})")
    if saved.answers:
        print(
            f"time saved: {saved.median_minutes:g} minutes a week by {saved.answers} answers, "
            f"about {report.hours_a_year:.0f} hours a year"
        )
    table = Table("", *_COLUMNS, box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("all", *_row(report.figures), style="bold")
    for point in report.points:
        if point.figures.questions:
            table.add_row(("day " if report.is_daily else "week of ") + point.day.isoformat(), *_row(point.figures))
    for one in report.departments if report.department is None else ():
        table.add_row(f"department {one.name}", *_row(one.figures))
    show(table, width=160)


def _row(one: Figures) -> list[str]:
    times = (one.first_token_p50, one.first_token_p95, one.total_p50, one.total_p95)
    counts = [str(one.people), str(one.questions), _percent(one.answered_share), str(one.failed)]
    return [*counts, _percent(one.liked_share), *("" if ms is None else f"{ms / 1000:.1f} s" for ms in times)]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
