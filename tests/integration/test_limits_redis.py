"""Counts in a real Redis: shared by several servers, also when it stops, hangs, forgets and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from assistant.access import places
from assistant.access.counts import Counts, Rule
from assistant.access.limits import AskLimits
from assistant.access.places import Place, Places
from assistant.access.principal import Principal
from assistant.errors import LimitReached
from assistant.settings_security import Limits
from tests.conftest import need
from tests.servers.redis import BINARY, RedisServer

pytestmark = pytest.mark.server
ANNA = Principal("1", "anna")
RULE = Rule(3, 60, ("questions", "person", "1"))


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    need(BINARY, "Redis (apt-get install redis-server)")
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def two(redis: RedisServer) -> tuple[Counts, Counts]:
    """As two servers have them; away is asked again at once."""
    return Counts(redis.url, rest_seconds=0.0), Counts(redis.url, rest_seconds=0.0)


def limits(counts: Counts, **settings: int) -> AskLimits:
    none = {"per_minute": 0, "per_day": 0, "address_per_minute": 0, "address_per_day": 0, "concurrent_answers": 0}
    return AskLimits(Limits.model_validate(none | settings), counts)


def test_two_servers_count_together(two: tuple[Counts, Counts]) -> None:
    taken = [counts.take([RULE]) for _ in range(3) for counts in two]
    assert [refusal is None for refusal in taken] == [True] * 3 + [False] * 3
    assert taken[-1] is not None
    assert 55 <= taken[-1].seconds <= 60
    assert "127.0.0.1" in two[0].state().place
    assert two[0].state().problem == ""


def test_a_window_moves_and_can_be_forgotten(two: tuple[Counts, Counts]) -> None:
    rule = Rule(2, 1, ("sign-in", "anna"))
    assert [counts.take([rule]) for counts in two] == [None, None]
    assert two[0].refusal([rule]) is not None
    time.sleep(1.1)
    assert [counts.take([rule]) for counts in two] == [None, None]
    two[1].forget([rule])
    assert two[0].take([rule]) is None


def test_many_at_once_get_no_more_than_there_is(two: tuple[Counts, Counts]) -> None:
    rule = Rule(25, 60, ("questions", "person", "2"))
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda number: two[number % 2].take([rule]), range(100)))
    assert taken.count(None) == 25


def test_while_it_is_away_each_counts_by_itself_and_says_so(redis: RedisServer, two: tuple[Counts, Counts]) -> None:
    assert [two[0].take([RULE]) for _ in range(3)] == [None] * 3
    redis.stop()
    with capture_logs() as logged:
        taken = [two[1].take([RULE]) for _ in range(5)]
        assert [refusal is None for refusal in taken] == [True] * 3 + [False] * 2, "its own three"
    told = [entry for entry in logged if entry["log_level"] == "error"]
    assert len(told) == 1, "once, not for each question"
    assert redis.url not in str(told), "its password may be in it"
    state = two[1].state()
    assert "does not answer" in state.problem
    redis.start()
    with capture_logs() as logged:
        assert [counts.take([RULE]) for counts in two] == [None, None], "it kept nothing"
    assert [entry["event"] for entry in logged] == ["limits are counted together again"]
    assert two[0].take([RULE]) is None
    assert two[1].take([RULE]) is not None
    assert two[1].state().problem == ""


def test_one_that_hangs_is_waited_for_once(redis: RedisServer) -> None:
    counts = Counts(redis.url, rest_seconds=30.0)
    assert counts.take([RULE]) is None
    redis.freeze()
    try:
        begun = time.monotonic()
        assert counts.take([RULE]) is None
        first = time.monotonic() - begun
        assert first < 4
        begun = time.monotonic()
        assert [counts.take([RULE]) is None for _ in range(5)] == [True] * 2 + [False] * 3
        assert time.monotonic() - begun < 0.5
    finally:
        redis.thaw()


def test_a_server_starts_without_it(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    counts = Counts(server.url, rest_seconds=0.0)
    assert counts.take([RULE]) is None
    assert counts.state().problem


async def test_answers_at_once_over_two_servers(two: tuple[Counts, Counts]) -> None:
    one, other = (limits(counts, concurrent_answers=1) for counts in two)
    async with one.answering(ANNA):
        with pytest.raises(LimitReached):
            async with other.answering(ANNA):
                pass
    async with other.answering(ANNA):
        pass


async def test_a_stopped_answer_gives_its_place_back_to_both(two: tuple[Counts, Counts]) -> None:
    one, other = (limits(counts, concurrent_answers=1) for counts in two)
    is_asking = asyncio.Event()

    async def answer() -> None:
        async with one.answering(ANNA):
            is_asking.set()
            await asyncio.sleep(30)

    task = asyncio.create_task(answer())
    await is_asking.wait()
    task.cancel()
    await asyncio.wait([task])
    deadline = time.monotonic() + 3
    while True:
        with contextlib.suppress(LimitReached):
            async with other.answering(ANNA):
                return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_long_answer_keeps_its_place(two: tuple[Counts, Counts], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.access.limits.RENEW_SECONDS", 0.2)
    held = limits(two[0], concurrent_answers=1)
    held._places = Places(two[0], kept_seconds=1)
    others = Places(two[1])
    async with held.answering(ANNA):
        await asyncio.sleep(1.6)
        assert others.take(ANNA.id, 1) is None
    assert others.take(ANNA.id, 1) is not None


def test_places_of_a_killed_server_end_by_themselves(two: tuple[Counts, Counts], redis: RedisServer) -> None:
    holding = (
        "import sys, time; from assistant.access.counts import Counts; from assistant.access.places import Places\n"
        "print(bool(Places(Counts(sys.argv[1]), kept_seconds=1).take('1', 1)), flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holding, redis.url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(places.__file__).parents[2],
        env={"PATH": os.environ["PATH"]},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        process.send_signal(signal.SIGKILL)
    here = Places(two[0])
    assert here.take("1", 1) is None
    deadline = time.monotonic() + 5
    while (taken := here.take("1", 1)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert isinstance(taken, Place)


def test_places_outlive_a_redis_that_forgets(two: tuple[Counts, Counts], redis: RedisServer) -> None:
    one, other = (Places(counts) for counts in two)
    place = one.take("1", 1)
    assert place is not None
    redis.stop()
    assert one.take("1", 1) is None, "this process knows its own"
    redis.start()
    one.renew(place)
    assert other.take("1", 1) is None
    one.give_back(place)
    assert other.take("1", 1) is not None
