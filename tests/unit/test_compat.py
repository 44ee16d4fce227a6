"""The functions for notebooks, where an event loop runs already."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from assistant import compat
from tests.unit.samples import source


@pytest.fixture(autouse=True)
def _assistant(monkeypatch: pytest.MonkeyPatch) -> None:
    async def search(query: str, _: object, *, k: int) -> Any:  # noqa: ANN401 - a stand-in
        return SimpleNamespace(sources=[source(n, query) for n in range(1, k + 1)])

    monkeypatch.setattr(compat, "assistant", lambda: SimpleNamespace(search=search))


def test_search_in_a_script() -> None:
    assert [found["content"] for found in compat.search_documents("отпуск", k=2)] == ["отпуск"] * 2


async def test_search_where_a_loop_runs() -> None:
    assert [found["content"] for found in compat.search_documents("отпуск", k=2)] == ["отпуск"] * 2
