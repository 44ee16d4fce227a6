"""How much one person and one address may ask, counted in memory; with Redis: tests/integration/test_limits_redis.py."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from assistant.access import limits
from assistant.access.caller import ADDRESS
from assistant.access.counts import Counts, Rule
from assistant.access.limits import AskLimits, counted_address
from assistant.access.principal import LOCAL_OPERATOR, Principal
from assistant.errors import ConfigError, LimitReached
from assistant.settings_security import Limits

ANNA, BORIS = Principal("1", "anna"), Principal("2", "boris")
NONE = {"per_minute": 0, "per_day": 0, "address_per_minute": 0, "address_per_day": 0, "concurrent_answers": 0}


def made(*, is_off: bool = False, **settings: int) -> AskLimits:
    return AskLimits(Limits.model_validate(NONE | settings), Counts(), is_off=is_off)


async def asked(found: AskLimits, who: Principal, times: int) -> list[LimitReached | None]:
    """One after another; the refusal of each, or None."""
    said: list[LimitReached | None] = []
    for _ in range(times):
        try:
            async with found.answering(who):
                said.append(None)
        except LimitReached as error:
            said.append(error)
    return said


@pytest.fixture
def address() -> Iterator[None]:
    before = ADDRESS.set("192.0.2.7")
    yield
    ADDRESS.reset(before)


async def test_one_persons_questions_in_a_minute_are_counted_apart_from_anothers() -> None:
    found = made(per_minute=3)
    said = await asked(found, ANNA, 5)
    assert said[:3] == [None] * 3
    refused = said[4]
    assert isinstance(refused, LimitReached)
    assert (refused.kind, refused.http_status, refused.retryable) == ("minute", 429, True)
    assert 55 <= refused.seconds <= 60
    assert str(refused) == f"one person may ask 3 questions in a minute: the next one in {refused.seconds} s"
    assert await asked(found, BORIS, 1) == [None]


async def test_what_is_refused_is_not_counted_and_it_goes_on_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MINUTE", 1)
    found = made(per_minute=2)
    assert await asked(found, ANNA, 2) == [None, None]
    (refused,) = await asked(found, ANNA, 1)
    assert refused is not None
    assert all(await asked(found, ANNA, 20)), "hammering on it"
    await asyncio.sleep(refused.seconds)
    assert await asked(found, ANNA, 2) == [None, None]


async def test_the_day_has_a_limit_of_its_own() -> None:
    found = made(per_minute=10, per_day=2)
    refused = (await asked(found, ANNA, 3))[2]
    assert refused is not None
    assert (refused.kind, refused.seconds > 86000) == ("day", True)


@pytest.mark.usefixtures("address")
async def test_an_address_counts_everyone_behind_it_and_no_one_elsewhere() -> None:
    found = made(address_per_minute=2)
    assert await asked(found, ANNA, 1) + await asked(found, BORIS, 1) == [None, None]
    (refused,) = await asked(found, Principal("3", "vera"), 1)
    assert refused is not None
    assert refused.kind == "address"
    ADDRESS.set("192.0.2.8")
    assert await asked(found, ANNA, 1) == [None]


async def test_a_question_over_stdin_has_no_address() -> None:
    assert await asked(made(address_per_minute=1), ANNA, 3) == [None] * 3


@pytest.mark.usefixtures("address")
async def test_one_limit_that_refuses_takes_nothing_from_the_others() -> None:
    found = made(per_minute=3, address_per_minute=1)
    await asked(found, ANNA, 5)
    ADDRESS.set("192.0.2.9")
    assert await asked(found, ANNA, 1) == [None]
    ADDRESS.set("192.0.2.10")
    assert await asked(found, ANNA, 1) == [None], "the four that were refused did not count"


async def test_searches_count_as_questions_do() -> None:
    found = made(per_minute=2)
    await found.search(ANNA)
    assert await asked(found, ANNA, 1) == [None]
    with pytest.raises(LimitReached):
        await found.search(ANNA)


@pytest.mark.usefixtures("address")
async def test_the_operator_and_commands_are_free() -> None:
    one = {name: 1 for name in NONE}
    found = made(**one)
    async with found.answering(LOCAL_OPERATOR):
        assert await asked(found, LOCAL_OPERATOR, 5) == [None] * 5
    command = made(is_off=True, **one)
    async with command.answering(ANNA):
        assert await asked(command, ANNA, 5) == [None] * 5
        await command.search(ANNA)


async def test_answers_at_once_of_one_person() -> None:
    found = made(concurrent_answers=2)
    async with found.answering(ANNA):
        async with found.answering(ANNA):
            (refused,) = await asked(found, ANNA, 1)
            assert refused is not None
            assert (refused.kind, refused.seconds) == ("answers", 5)
            assert await asked(found, BORIS, 1) == [None]
        assert await asked(found, ANNA, 1) == [None]


@pytest.mark.parametrize("end", ["returns", "fails", "is cancelled"])
async def test_a_place_is_given_back_however_its_answer_ends(end: str) -> None:
    found = made(concurrent_answers=1)
    is_asking = asyncio.Event()

    async def answer() -> None:
        async with found.answering(ANNA):
            is_asking.set()
            if end == "fails":
                raise ConnectionError
            await asyncio.sleep(30 if end == "is cancelled" else 0)

    for _ in range(3):
        task = asyncio.create_task(answer())
        await is_asking.wait()
        is_asking.clear()
        if end == "is cancelled":
            task.cancel()
        await asyncio.wait([task])
        assert task.done()
    assert await asked(found, ANNA, 1) == [None]


async def test_who_leaves_while_he_is_let_in_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(concurrent_answers=1, per_minute=100)
    may, is_counting = threading.Event(), threading.Event()
    hit = found.counts.hit

    def slow(rules: list[Rule]) -> object:
        is_counting.set()
        may.wait(10)
        return hit(rules)

    monkeypatch.setattr(found.counts, "hit", slow)
    task = asyncio.create_task(asked(found, ANNA, 1))
    assert await asyncio.to_thread(is_counting.wait, 10)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    (refused,) = await asked(found, ANNA, 1)
    assert refused is not None, "it is being taken at this moment"
    may.set()
    deadline = time.monotonic() + 5
    while (await asked(found, ANNA, 1)) != [None]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_rate_that_refuses_gives_the_place_back() -> None:
    found = made(concurrent_answers=1, per_minute=1)
    kinds = [refused and refused.kind for refused in await asked(found, ANNA, 3)]
    assert kinds == [None, "minute", "minute"]


def test_many_at_once_get_no_more_than_there_is() -> None:
    counts, rule = Counts(), Rule(50, 60, ("questions", "person", "1"))
    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(lambda _: counts.take([rule]), range(400)))
    assert taken.count(None) == 50


def test_a_key_that_nobody_asks_for_any_more_leaves_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.access.counts._SWEEP_EVERY", 10)
    counts = Counts()
    for number in range(200):
        counts.hit([Rule(5, 1, ("sign-in", str(number)))])
    time.sleep(1.1)
    counts.hit([Rule(5, 1, ("sign-in", "new"))])
    time.sleep(0.1)  # the library forgets in a thread of its own
    for _ in range(10):
        counts.hit([Rule(5, 1, ("sign-in", "new"))])
    assert len(counts._memory.events) < 5


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(address: str, counted: str) -> None:
    assert counted_address(address) == counted


@pytest.mark.parametrize(
    "url", ["memcached://localhost", "localhost:6379", "redis//localhost", "redis://localhost:port"]
)
def test_a_place_of_counts_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ConfigError, match=r"limits\.storage"):
        Counts(url)
