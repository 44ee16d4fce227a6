"""The statistics page as HTML: figures of the period, plots over time, and a row for each department."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from assistant.records.statistics import Figures
from assistant.review.statistics import Report
from assistant.ui.header import links_of
from assistant.ui.review_texts import review_texts
from assistant.ui.texts import date_text, decimal_text, texts
from assistant.web.charts import Series, bars, lines
from assistant.web.pages import render

PERIODS = (7, 30, 90, 365)
_COLUMNS = ("people", "questions", "answered", "failed", "liked", "first", "first95", "total", "total95")


@dataclass(frozen=True)
class Chart:
    title: str
    svg: str  # made by `charts`, everything in it escaped
    keys: tuple[str, ...] = ()


def statistics_html(report: Report, *, roles: frozenset[str], language: str) -> str:
    t = {**texts(language), **review_texts(language)}
    days = sorted({*PERIODS, report.days})
    return render(
        "admin_statistics.html",
        language=language,
        t=t,
        links=links_of(roles),
        here="/admin/statistics",
        periods=days,
        days=report.days,
        department=report.department or "",
        names=[(one.name, _department(one.name, t)) for one in report.departments],
        span=_span(report, language),
        by=t["review.by_day" if report.is_daily else "review.by_week"],
        tiles=_tiles(report, t, language),
        charts=_charts(report, t, language),
        columns=_COLUMNS,
        points=[
            (_day(one.day, language), _cells(one.figures, t, language))
            for one in report.points
            if one.figures.questions
        ],
        departments=[(_department(one.name, t), _cells(one.figures, t, language)) for one in report.departments],
    )


def _tiles(report: Report, t: dict[str, str], language: str) -> list[tuple[str, str, str]]:
    """Name, the figure, what it is of."""
    figures, saved, hours = report.figures, report.saved, report.hours_a_year
    adoption = report.adoption
    by_accounts = t["review.of_accounts"].format(n=adoption.accounts)
    share = f" ({_percent(adoption.share, t)})" if adoption.share is not None else ""
    rated, minutes = figures.liked + figures.disliked, saved.median_minutes
    saved_from = t["review.saved_from"].format(minutes=decimal_text(f"{minutes or 0:g}", language), n=saved.answers)
    weekly = decimal_text(f"{adoption.weekly:.1f}".removesuffix(".0"), language)
    return [
        (t["review.weekly"], weekly, by_accounts + share),
        (t["review.answered"], _percent(figures.answered_share, t), t["review.of_questions"].format(n=figures.ended)),
        (t["review.liked"], _percent(figures.liked_share, t), t["review.of_rated"].format(n=rated)),
        (
            t["review.first_word"],
            _time(figures.first_token_p50, t, language),
            _within(figures.first_token_p95, t, language),
        ),
        (t["review.total_time"], _time(figures.total_p50, t, language), _within(figures.total_p95, t, language)),
        (
            t["review.saved"],
            t["review.none"] if hours is None else t["review.saved_hours"].format(n=f"{hours:.0f}"),
            t["review.saved_none"] if hours is None else saved_from,
        ),
    ]


def _charts(report: Report, t: dict[str, str], language: str) -> list[Chart]:
    found = [point.figures for point in report.points]
    labels = [_short(point.day, language) for point in report.points]
    span = _span(report, language)

    def counts(key: str, values: list[float | None]) -> Chart:
        title = t[f"review.chart.{key}"]
        return Chart(title, bars(Series(title, values), labels, summary=f"{title}, {span}"))

    def shares(key: str, values: list[float | None]) -> Chart:
        title = t[f"review.chart.{key}"]
        series = [Series(title, values)]
        return Chart(title, lines(series, labels, summary=f"{title}, {span}", show=lambda share: f"{share:.0%}", top=1))

    def times(key: str, median: list[float | None], worst: list[float | None]) -> Chart:
        title, keys = t[f"review.chart.{key}"], (t["review.median"], t["review.worst"])
        series = [
            Series(name, [None if ms is None else ms / 1000 for ms in values])
            for name, values in zip(keys, (median, worst), strict=True)
        ]
        svg = lines(
            series, labels, summary=f"{title}, {span}", show=lambda value: decimal_text(f"{value:.3g}", language)
        )
        return Chart(title, svg, keys)

    return [
        counts("people", [one.people for one in found]),
        counts("questions", [one.questions for one in found]),
        shares("answered", [one.answered_share for one in found]),
        shares("liked", [one.liked_share for one in found]),
        times("first", [one.first_token_p50 for one in found], [one.first_token_p95 for one in found]),
        times("total", [one.total_p50 for one in found], [one.total_p95 for one in found]),
    ]


def _cells(one: Figures, t: dict[str, str], language: str) -> list[Any]:
    times = (one.first_token_p50, one.first_token_p95, one.total_p50, one.total_p95)
    shares = (_percent(one.answered_share, t, none="—"), one.failed, _percent(one.liked_share, t, none="—"))
    return [one.people, one.questions, *shares, *(_time(ms, t, language, none="—") for ms in times)]


def _percent(share: float | None, t: dict[str, str], *, none: str | None = None) -> str:
    return (t["review.none"] if none is None else none) if share is None else f"{share:.0%}"


def _time(ms: float | None, t: dict[str, str], language: str, *, none: str | None = None) -> str:
    if ms is None:
        return t["review.none"] if none is None else none
    return t["review.seconds"].format(n=decimal_text(f"{ms / 1000:.1f}", language))


def _within(ms: float | None, t: dict[str, str], language: str) -> str:
    return "" if ms is None else t["review.p95"].format(time=_time(ms, t, language))


def _department(name: str, t: dict[str, str]) -> str:
    return t["review.everyone"] if name == "*" else name


def _span(report: Report, language: str) -> str:
    return f"{_day(report.since, language)} — {_day(report.until, language)}"


def _day(day: date, language: str) -> str:
    return date_text(day.isoformat(), language)


def _short(day: date, language: str) -> str:
    return f"{day:%d.%m}" if language == "ru" else f"{day:%m-%d}"
