"""How often something has happened of late, by the library `limits`: in this process, or in a Redis that several share."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import structlog

from assistant.errors import ConfigError

if TYPE_CHECKING:
    from limits.storage import MemoryStorage, RedisStorage

_SCHEMES = ("redis://", "rediss://", "redis+unix://")
_ANSWER_SECONDS = 1.0  # a Redis that takes longer counts as away: nobody's question waits for it
_REST_SECONDS = 5.0  # after a failure, before it is asked again
_SWEEP_EVERY = 1000  # uses, after which forgotten ones are taken out of memory
log = structlog.get_logger("assistant.limits")

Done = TypeVar("Done")


@dataclass(frozen=True)
class Rule:
    """So many times in so many seconds, of whom or what; `amount` 0 allows any number."""

    amount: int
    seconds: int
    of: tuple[str, ...]


@dataclass(frozen=True)
class CountsState:
    """Where counts are kept, and what is wrong with that; "" when nothing is."""

    place: str
    problem: str = ""


class Counts:
    """Moving windows: what is older than a window is forgotten one by one, not all at its end.

    While Redis is away each process counts by itself: limits hold, for each server apart. That is logged when it begins and
    when it ends, and health says it. Every method may take a second then: call them in a thread. Thread-safe.
    """

    def __init__(self, url: str | None = None, *, rest_seconds: float = _REST_SECONDS) -> None:
        """Raises `ConfigError` for a URL that is none of Redis'."""
        self._url = url
        self._rest_seconds = rest_seconds
        self._lock = threading.RLock()  # over the counts in memory: the library's own locks let two pass at once
        self._used = 0
        self._failing = threading.Lock()  # over what follows
        self._problem = ""
        self._again_at = 0.0
        self.redis = _redis(url) if url else None

    def take(self, rules: Sequence[Rule]) -> Refusal | None:
        """Count once more under every rule; if one has no room, under none of them. The refusal that lasts longest."""
        return self.refusal(rules) or self.hit(rules)

    def refusal(self, rules: Sequence[Rule]) -> Refusal | None:
        """What `take` would answer, without counting."""
        return self._on(lambda kept: _longest([_refusal(kept, rule) for rule in rules if rule.amount]))

    def hit(self, rules: Sequence[Rule]) -> Refusal | None:
        """Count once more under every rule that has room."""
        return self._on(lambda kept: _longest([_hit(kept, rule) for rule in rules if rule.amount]))

    def forget(self, rules: Sequence[Rule]) -> None:
        """As if it had never happened."""

        def work(kept: MemoryStorage | RedisStorage) -> None:
            for rule in rules:
                kept.clear(_key(rule))

        self._on(work)

    def state(self) -> CountsState:
        """Asks Redis, if there is one."""
        if self.redis is None:
            return CountsState("in memory, by this process alone")
        self.shared(lambda redis: redis.get_connection().ping())
        return CountsState(_place(self._url or ""), self._problem)

    def shared(self, work: Callable[[RedisStorage], Done]) -> Done | None:
        """Something done in Redis; None when there is none, or it is away."""
        redis = self.redis
        if redis is None or time.monotonic() < self._again_at:
            return None
        try:
            done = work(redis)
        except redis.base_exceptions as error:
            self._fail(error)
            return None
        self._recover()
        return done

    def _on(self, work: Callable[[MemoryStorage | RedisStorage], Done]) -> Done:
        found = self.shared(lambda redis: (work(redis),))
        if found is not None:
            return found[0]
        with self._lock:
            self._sweep()
            return work(self._memory)

    @cached_property
    def _memory(self) -> MemoryStorage:
        from limits.storage import MemoryStorage

        return MemoryStorage()

    def _sweep(self) -> None:
        """The library keeps an empty list for every key that there ever was."""
        self._used += 1
        if self._used % _SWEEP_EVERY == 0:
            events = self._memory.events
            for key in [key for key, found in list(events.items()) if not found]:
                events.pop(key, None)

    def _fail(self, error: Exception) -> None:
        with self._failing:
            is_new = not self._problem
            self._problem = (
                f"it does not answer ({type(error).__name__}), and each server counts by itself until it does"
            )
            self._again_at = time.monotonic() + self._rest_seconds
        if is_new:
            log.error("limits are counted by this process alone", place=_place(self._url or ""), reason=str(error))

    def _recover(self) -> None:
        with self._failing:
            was, self._problem = self._problem, ""
        if was:
            log.warning("limits are counted together again", place=_place(self._url or ""))


@dataclass(frozen=True)
class Refusal:
    """Which rule has no room, and the seconds until it has."""

    rule: Rule
    seconds: int


def _hit(kept: MemoryStorage | RedisStorage, rule: Rule) -> Refusal | None:
    if kept.acquire_entry(_key(rule), rule.amount, rule.seconds):
        return None
    return _refusal(kept, rule) or Refusal(rule, 1)


def _refusal(kept: MemoryStorage | RedisStorage, rule: Rule) -> Refusal | None:
    since, used = kept.get_moving_window(_key(rule), rule.amount, rule.seconds)
    if used < rule.amount:
        return None
    return Refusal(rule, max(1, math.ceil(since + rule.seconds - time.time())))


def _longest(refusals: Sequence[Refusal | None]) -> Refusal | None:
    return max(filter(None, refusals), key=lambda one: one.seconds, default=None)


def _key(rule: Rule) -> str:
    return "/".join((*rule.of, str(rule.seconds)))


def _place(url: str) -> str:
    """Without a name and a password."""
    found = urlsplit(url)
    return f"in Redis at {found.hostname}:{found.port or 6379}" if found.hostname else f"in Redis at {found.path}"


def _redis(url: str) -> RedisStorage:
    """Connects at first use: a Redis that is away does not keep the assistant from starting."""
    if not url.startswith(_SCHEMES):
        raise ConfigError(f"limits.storage is a Redis URL and begins with {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]}")
    try:
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise ConfigError(
            "limits.storage needs the package redis: pip install 'local-corporate-ai-assistant[redis]'"
        ) from error
    from limits.storage import RedisStorage

    retry = Retry(NoBackoff(), 1)  # by itself the client tries for many seconds
    try:
        return RedisStorage(
            url,
            key_prefix="assistant",
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_ANSWER_SECONDS,
            retry=retry,  # type: ignore[arg-type]  # passed on to the client as it is
        )
    except ValueError as error:
        raise ConfigError(f"limits.storage is no URL that Redis understands ({error})") from error
