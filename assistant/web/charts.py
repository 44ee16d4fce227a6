"""Plots as SVG inside of a page: no script, no file, colours of the page in light and dark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

_WIDTH, _HEIGHT = 380, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 10, 22
_LABELS = 5  # below the plot, at most


@dataclass(frozen=True)
class Series:
    """A value for each label; None where there is none."""

    name: str
    values: Sequence[float | None]


def bars(series: Series, labels: Sequence[str], *, summary: str) -> str:
    """For counts."""
    top = _nice(max((value for value in series.values if value is not None), default=0), whole=True)
    plot = _Plot(len(labels), top)
    wide = max(1.0, plot.step * 0.7)
    shapes = [
        f'<rect class="bar" x="{plot.x(number) - wide / 2:.1f}" y="{plot.y(value):.1f}" width="{wide:.1f}" '
        f'height="{plot.y(0) - plot.y(value):.1f}"><title>{escape(f"{labels[number]}: {value:g}")}</title></rect>'
        for number, value in enumerate(series.values)
        if value
    ]
    return plot.svg(shapes, labels, summary, lambda value: f"{value:g}")


def lines(
    series: Sequence[Series], labels: Sequence[str], *, summary: str, show: Callable[[float], str], top: float = 0
) -> str:
    """For shares and times: a line is broken where nothing was measured, and a value alone is a dot."""
    found = [value for one in series for value in one.values if value is not None]
    plot = _Plot(len(labels), top or _nice(max(found, default=0)))
    shapes = []
    for number, one in enumerate(series):
        drawn = plot.path(one.values)
        shapes.append(f'<path class="line line-{number}" d="{drawn}"/>' if drawn else "")
        shapes += [
            f'<circle class="dot dot-{number}" cx="{plot.x(at):.1f}" cy="{plot.y(value):.1f}" r="2.5">'
            f"<title>{escape(f'{labels[at]}, {one.name}: {show(value)}')}</title></circle>"
            for at, value in enumerate(one.values)
            if value is not None
        ]
    return plot.svg(shapes, labels, summary, show)


class _Plot:
    """Where a value stands."""

    def __init__(self, count: int, top: float) -> None:
        self.count = max(1, count)
        self.top = top
        self.step = (_WIDTH - _LEFT - _RIGHT) / self.count

    def x(self, number: int) -> float:
        return _LEFT + self.step * (number + 0.5)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * min(value, self.top) / self.top

    def path(self, values: Sequence[float | None]) -> str:
        parts, is_open = [], False
        for number, value in enumerate(values):
            if value is not None:
                parts.append(f"{'L' if is_open else 'M'}{self.x(number):.1f} {self.y(value):.1f}")
            is_open = value is not None
        return "".join(parts)

    def svg(self, shapes: Sequence[str], labels: Sequence[str], summary: str, show: Callable[[float], str]) -> str:
        grid = "".join(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{self.y(value):.1f}" y2="{self.y(value):.1f}"/>'
            f'<text x="{_LEFT - 5}" y="{self.y(value) + 3.5:.1f}" text-anchor="end">{escape(show(value))}</text>'
            for value in (0.0, self.top / 2, self.top)
        )
        every = ceil(len(labels) / _LABELS) or 1
        below = "".join(
            f'<text x="{min(self.x(number), _WIDTH - 16):.1f}" y="{_HEIGHT - 6}" text-anchor="middle">'
            f"{escape(labels[number])}</text>"
            for number in range(len(labels) - 1, -1, -every)
        )
        return (
            f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(summary)}">'
            f"{grid}{below}{''.join(shapes)}</svg>"
        )


def _nice(value: float, *, whole: bool = False) -> float:
    """A round number at or above it; an even one for counts, so that its half is one too."""
    if value <= 0:
        return 2.0 if whole else 1.0
    size = 10.0 ** floor(log10(value))
    top = next(step * size for step in (1, 2, 4, 6, 8, 10) if step * size >= value * 0.999)
    return max(2.0, top) if whole else top
