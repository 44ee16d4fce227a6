"""How many of something somebody has at this moment; what ends in any way, with its process too, has its place no longer."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assistant.access.counts import Counts

if TYPE_CHECKING:
    from limits.storage import RedisStorage

KEPT_SECONDS = 30  # a place in Redis that nobody renews, because its process was killed
RENEW_SECONDS = 10
_ANY = 1_000_000_000

# The clock is Redis' own: those of the servers may differ. KEYS: the places of one person; ARGV: kept seconds, most, id.
_TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[3]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), ARGV[3])
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[1])))
return 1
"""


@dataclass(frozen=True)
class Place:
    """One that is held."""

    who: str
    id: str


class Places:
    """Held in this process, and in Redis where there is one: what this process holds it knows also while Redis is away."""

    def __init__(self, counts: Counts, *, kept_seconds: float = KEPT_SECONDS) -> None:
        self._counts = counts
        self._kept_seconds = kept_seconds
        self._lock = threading.Lock()
        self._held: dict[str, set[str]] = {}

    @property
    def must_be_renewed(self) -> bool:
        return self._counts.redis is not None

    def take(self, who: str, most: int) -> Place | None:
        """None when all of this person's are taken."""
        place = Place(who, secrets.token_hex(8))
        in_redis = self._in_redis(place, most)
        with self._lock:
            held = self._held.setdefault(who, set())
            may = len(held) < most if in_redis is None else in_redis
            if may:
                held.add(place.id)
            if not held:
                del self._held[who]
        return place if may else None

    def renew(self, place: Place) -> None:
        """Its answer is still being made; a Redis that had lost it learns of it again."""
        self._in_redis(place, _ANY)

    def give_back(self, place: Place) -> None:
        with self._lock:
            held = self._held.get(place.who, set())
            held.discard(place.id)
            if not held:
                self._held.pop(place.who, None)
        self._counts.shared(lambda redis: _client(redis).zrem(_key(redis, place.who), place.id))

    def _in_redis(self, place: Place, most: int) -> bool | None:
        """Whether there was room; None when Redis can't say."""

        def work(redis: RedisStorage) -> bool:
            take = _client(redis).register_script(_TAKE)
            return bool(take([_key(redis, place.who)], [self._kept_seconds, most, place.id]))

        return self._counts.shared(work)


def _client(redis: RedisStorage) -> Any:  # noqa: ANN401 - the library's own type of it knows no sorted sets
    return redis.get_connection()


def _key(redis: RedisStorage, who: str) -> str:
    return redis.prefixed_key(f"answers/{who}")
