"""How much one person and one address may ask. Every question passes here, whichever way it comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network

import structlog

from assistant.access.caller import ADDRESS
from assistant.access.counts import Counts, Refusal, Rule
from assistant.access.places import RENEW_SECONDS, Place, Places
from assistant.access.principal import LOCAL_OPERATOR, Principal
from assistant.errors import LimitReached
from assistant.settings_security import Limits

_MINUTE, _DAY = 60, 86400
_IPV6_NETWORK = 64  # what one subscriber has for himself: he could take a new address for every question
_PLACE_SECONDS = 5  # about when one of somebody's answers is ready; nobody knows
log = structlog.get_logger("assistant.limits")


def counted_address(address: str) -> str:
    """What counts as one address."""
    with contextlib.suppress(ValueError):
        found = ip_address(address)
        if isinstance(found, IPv6Address):
            return str(ip_network((found, _IPV6_NETWORK), strict=False))
    return address


class AskLimits:
    """Questions and searches a minute and a day, and answers at once. The operator of this machine has none."""

    def __init__(self, settings: Limits, counts: Counts, *, is_off: bool = False) -> None:
        self.counts = counts
        self._settings = settings
        self._places = Places(counts)
        self._is_off = is_off  # for commands: whoever runs them reads everything anyway

    @asynccontextmanager
    async def answering(self, who: Principal) -> AsyncIterator[None]:
        """While an answer is made. Raises `LimitReached` before anything is done for it."""
        place = await self._admitted(who)
        renewing = asyncio.create_task(self._renewed(place)) if place and self._places.must_be_renewed else None
        try:
            yield
        finally:
            if renewing:
                renewing.cancel()
            if place:
                await self._given_back(place)

    async def search(self, who: Principal) -> None:
        """A search counts as a question does. Raises `LimitReached`."""
        if not self._is_free(who):
            await asyncio.to_thread(self._count, who)

    def _is_free(self, who: Principal) -> bool:
        return self._is_off or who.id == LOCAL_OPERATOR.id

    async def _admitted(self, who: Principal) -> Place | None:
        if self._is_free(who):
            return None
        taking = asyncio.get_running_loop().run_in_executor(None, partial(self._take, who, ADDRESS.get()))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._unwanted)  # the thread goes on: what it takes is nobody's
            raise

    def _take(self, who: Principal, address: str) -> Place | None:
        """A place, and a question counted; neither, when one of them is refused."""
        rules = self._rules(who, address)
        if refusal := self.counts.refusal(rules):
            raise _refused(refusal, who)
        most = self._settings.concurrent_answers
        place = self._places.take(who.id, most) if most else None
        if most and place is None:
            log.info("a question was refused", kind="answers", person=who.id)
            said = f"{most} of your answers are being made already: wait for one of them"
            raise LimitReached(said, _PLACE_SECONDS, kind="answers")
        if refusal := self.counts.hit(rules):
            if place:
                self._places.give_back(place)
            raise _refused(refusal, who)
        return place

    def _count(self, who: Principal) -> None:
        if refusal := self.counts.take(self._rules(who, ADDRESS.get())):
            raise _refused(refusal, who)

    def _rules(self, who: Principal, address: str) -> list[Rule]:
        settings = self._settings
        rules = [
            Rule(settings.per_minute, _MINUTE, ("questions", "person", who.id)),
            Rule(settings.per_day, _DAY, ("questions", "person", who.id)),
        ]
        if address:  # who asks from this machine itself, over stdin and stdout, has none
            counted = ("questions", "address", counted_address(address))
            rules.append(Rule(settings.address_per_minute, _MINUTE, counted))
            rules.append(Rule(settings.address_per_day, _DAY, counted))
        return rules

    async def _renewed(self, place: Place) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await asyncio.to_thread(self._places.renew, place)

    def _unwanted(self, taking: asyncio.Future[Place | None]) -> None:
        if taking.cancelled() or taking.exception() is not None:
            return
        if place := taking.result():
            asyncio.get_running_loop().run_in_executor(None, self._places.give_back, place)

    async def _given_back(self, place: Place) -> None:
        """By a thread that goes on when this task is cancelled: that is how a client leaves."""
        giving = asyncio.get_running_loop().run_in_executor(None, self._places.give_back, place)
        await asyncio.shield(giving)


def _refused(refusal: Refusal, who: Principal) -> LimitReached:
    rule = refusal.rule
    span = "24 hours" if rule.seconds == _DAY else "a minute"
    kind = "address" if rule.of[1] == "address" else "day" if rule.seconds == _DAY else "minute"
    log.info("a question was refused", kind=kind, person=who.id)
    whose = "one address" if kind == "address" else "one person"
    said = f"{whose} may ask {rule.amount} questions in {span}"
    return LimitReached(f"{said}: the next one in {refusal.seconds} s", refusal.seconds, kind=kind)
