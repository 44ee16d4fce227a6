"""How the assistant is used and how well it answers: over a period, by day or week, and by department."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from assistant.errors import InvalidRequest
from assistant.records.statistics import Figures, Saved, Span, Statistics

MAX_DAYS = 3660
_DAILY = 31  # a period up to this long is shown by day, a longer one by week
_WORKING_WEEKS = 46  # of a year, without holidays


@dataclass(frozen=True)
class Point:
    """A day, or a week that begins on it."""

    day: date
    figures: Figures


@dataclass(frozen=True)
class Adoption:
    """`weekly` people asked something in a week of the period, on average, of all who have an account."""

    weekly: float
    accounts: int

    @property
    def share(self) -> float | None:
        return min(1.0, self.weekly / self.accounts) if self.accounts else None


@dataclass(frozen=True)
class Department:
    name: str
    figures: Figures
    accounts: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that the page, the command line and the API say."""

    days: int
    since: date
    until: date  # the last day
    department: str | None
    figures: Figures
    adoption: Adoption
    saved: Saved
    is_daily: bool
    points: Sequence[Point]
    departments: Sequence[Department]

    @property
    def hours_a_year(self) -> float | None:
        """What the median answer comes to for all who use it in a week, over 46 working weeks."""
        minutes = self.saved.median_minutes
        return None if minutes is None else minutes * self.adoption.weekly * _WORKING_WEEKS / 60

    def as_json(self) -> dict[str, Any]:
        hours = self.hours_a_year
        return {
            "days": self.days,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "department": self.department,
            "totals": _json(self.figures),
            "adoption": {
                "active_people_a_week": round(self.adoption.weekly, 2),
                "accounts": self.adoption.accounts,
                "share": _rounded(self.adoption.share),
            },
            "time_saved": {**asdict(self.saved), "hours_a_year": None if hours is None else round(hours, 1)},
            "by": "day" if self.is_daily else "week",
            "points": [{"from": one.day.isoformat(), **_json(one.figures)} for one in self.points],
            "departments": [
                {"department": one.name, "accounts": one.accounts, **_json(one.figures)} for one in self.departments
            ],
        }


class StatisticsService:
    """For engineers, administrators and whoever sits at the machine: sums only, no texts and no names."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics

    def report(self, *, days: int = 30, department: str | None = None) -> Report:
        """Of the last days, today among them, as this machine counts them. Raises `InvalidRequest`."""
        if not 1 <= days <= MAX_DAYS:
            raise InvalidRequest(f"days are a number from 1 to {MAX_DAYS}")
        today = datetime.now().astimezone().date()
        first, end = today - timedelta(days=days - 1), today + timedelta(days=1)
        whole = Span(_midnight(first), _midnight(end), department)
        is_daily = days <= _DAILY
        borders = _borders(first, end, step=1 if is_daily else 7)
        weeks = max(1, days // 7)
        with self._statistics.over(whole.since, whole.until) as asked:
            totals = asked.figures(whole)
            names = asked.departments()
            points = [asked.figures(span) for span in _spans(borders, department)]
            by_name = [asked.figures(Span(whole.since, whole.until, name)) for name in names]
            by_week = points if not is_daily else [asked.figures(one) for one in _spans(_weeks(first, end), department)]
            weekly = [one.people for one in by_week[-weeks:]]
        return Report(
            days=days,
            since=first,
            until=today,
            department=department,
            figures=totals,
            adoption=Adoption(sum(weekly) / len(weekly), self._statistics.accounts(department)),
            saved=self._statistics.saved(whole),
            is_daily=is_daily,
            points=[Point(day, one) for day, one in zip(borders[:-1], points, strict=True)],
            departments=[
                Department(name, one, self._statistics.accounts(name)) for name, one in zip(names, by_name, strict=True)
            ],
        )


def _borders(first: date, end: date, *, step: int) -> list[date]:
    """From the end back, so that the last week is a whole one; the first may be shorter."""
    days = (end - first).days
    return [first] * bool(days % step) + [end - timedelta(days=back) for back in range(days - days % step, -1, -step)]


def _weeks(first: date, end: date) -> list[date]:
    return _borders(first, end, step=7) if (end - first).days >= 7 else [first, end]


def _spans(borders: Sequence[date], department: str | None) -> list[Span]:
    return [Span(_midnight(since), _midnight(until), department) for since, until in pairwise(borders)]


def _midnight(day: date) -> datetime:
    """Of this machine's zone, as the database compares moments."""
    return datetime.combine(day, time()).astimezone().astimezone(UTC)


def _json(figures: Figures) -> dict[str, Any]:
    shares = {"answered_share": _rounded(figures.answered_share), "liked_share": _rounded(figures.liked_share)}
    return {**asdict(figures), **shares}


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
