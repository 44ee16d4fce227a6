"""Plots: within their frame, escaped, broken where nothing was measured."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from assistant.web.charts import Series, bars, lines

LABELS = ["01.09", "08.09", "15.09", "22.09"]
EVIL = '"><script>alert(1)</script>'


def numbers(svg: str, name: str) -> list[float]:
    return [float(value) for value in re.findall(rf' {name}="(-?[\d.]+)"', svg)]


@pytest.mark.parametrize("values", [[3, 0, 12, 7], [0, 0, 0, 0], [1, 1, 1, 1], [1e6, 2, 3, 4]])
def test_bars_stand_in_the_frame(values: list[float]) -> None:
    svg = bars(Series("people", values), LABELS, summary="People")
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == "People"
    assert svg.count("<rect") == sum(value > 0 for value in values)
    assert all(0 <= height <= 170 for height in numbers(svg, "height"))
    assert all(0 <= x <= 380 for x in numbers(svg, "x"))


def test_a_line_is_broken_where_nothing_was_measured() -> None:
    svg = lines([Series("median", [0.5, None, 0.7, 0.8])], LABELS, summary="Times", show=lambda value: f"{value:g}")
    ElementTree.fromstring(svg)
    assert svg.count("<circle") == 3
    (path,) = re.findall(r' d="([^"]+)"', svg)
    assert (path.count("M"), path.count("L")) == (2, 1)


def test_nothing_at_all_is_an_empty_frame() -> None:
    for svg in (
        bars(Series("people", []), [], summary=""),
        lines([Series("a", [None]), Series("b", [None])], ["01.09"], summary="", show=str),
    ):
        ElementTree.fromstring(svg)
        assert "<rect" not in svg
        assert "<path" not in svg


def test_names_are_text() -> None:
    svg = lines([Series(EVIL, [1.0])], [EVIL], summary=EVIL, show=lambda value: f"{value:g}{EVIL}")
    assert "<script>" not in svg
    ElementTree.fromstring(svg)
