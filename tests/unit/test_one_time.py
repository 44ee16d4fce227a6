"""What may be used once: by one of many at the same moment, and not for long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assistant.records.database import Database
from assistant.records.one_time import OneTime

AT_ONCE = 8


@pytest.fixture
def one_time(tmp_path: Path) -> Iterator[OneTime]:
    database = Database(f"sqlite:///{tmp_path / 'assistant.db'}")
    database.migrate(tmp_path / "lock")
    yield OneTime(database)
    database.close()


def test_a_key_is_taken_once(one_time: OneTime) -> None:
    assert one_time.keep("state", "content", seconds=60)
    assert not one_time.keep("state", "another", seconds=60)
    assert one_time.take("other") is None
    assert [one_time.take("state"), one_time.take("state")] == ["content", None]
    assert one_time.keep("state", "again", seconds=60)


def test_of_many_at_the_same_moment_one_has_it(one_time: OneTime) -> None:
    start = threading.Barrier(AT_ONCE)

    def keep(_: int) -> bool:
        start.wait()
        return one_time.keep("jti", "", seconds=60)

    def take(_: int) -> str | None:
        start.wait()
        return one_time.take("jti")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sorted(pool.map(keep, range(AT_ONCE))) == [False] * (AT_ONCE - 1) + [True]
        assert sorted(pool.map(take, range(AT_ONCE)), key=str) == ["", *[None] * (AT_ONCE - 1)]


def test_a_key_is_over_by_itself(one_time: OneTime) -> None:
    assert one_time.keep("state", "content", seconds=-1)
    assert one_time.take("state") is None
    assert one_time.keep("jti", "", seconds=-1)
    assert one_time.keep("jti", "", seconds=60), "what is over stands in nobody's way"
