"""After a failure of the vector store one question tries again; the others go without at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from assistant.errors import ChromaUnavailable
from assistant.index import search as module
from assistant.index.glossary import Glossary
from assistant.index.search import Search

IDS = frozenset(range(12))


@pytest.fixture
def search() -> Search:
    nothing: Any = None
    return Search(nothing, nothing, nothing, lambda number: f"g-c{number}", Glossary)


def test_of_many_one_tries(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fail(names: list[str], *_: object) -> None:
        asked.extend(names)
        raise ChromaUnavailable("away")

    monkeypatch.setattr(search, "_query", fail)
    monkeypatch.setattr(module, "_REST_SECONDS", 60)
    for _ in range(3):
        with pytest.raises(ChromaUnavailable, match="away"):
            search.dense([1.0], frozenset({1}), 3)
    assert len(asked) == 1
    monkeypatch.setattr(module, "_REST_SECONDS", 0)
    monkeypatch.setattr(search, "_query", lambda names, _: dict.fromkeys(names, [("a", 0.5)]))
    assert search.dense([1.0], frozenset({1}), 3).found == {"a": 0.5}
    monkeypatch.setattr(module, "_REST_SECONDS", 60)
    assert search.dense([1.0], frozenset({1}), 3).found == {"a": 0.5}
    search.close()


def test_nobody_is_asked_while_the_last_question_hangs(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    thawed, asked = threading.Event(), []

    def hang(names: list[str], *_: object) -> dict[str, list[tuple[str, float]]]:
        asked.append(names)
        thawed.wait(30)
        return dict.fromkeys(names, [("a", 0.5)])

    monkeypatch.setattr(search, "_query", hang)
    monkeypatch.setattr(search, "_limit", 0.2)
    monkeypatch.setattr(module, "_REST_SECONDS", 0)
    for _ in range(3):
        with pytest.raises(ChromaUnavailable, match="no answer in 0 s"):
            search.dense([1.0], IDS, 3)
    assert len(asked) == 1
    late = set(search._late)
    thawed.set()
    for future in late:
        future.result(5)
    assert search.dense([1.0], IDS, 3).found == {"a": 0.5}
    search.close()
