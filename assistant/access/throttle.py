"""Wrong passwords and tokens: who guesses waits, longer and longer, and nobody is locked out by what a stranger does."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from assistant.access.counts import Counts, Rule
from assistant.access.limits import counted_address
from assistant.errors import LimitReached, WrongPassword
from assistant.settings_security import Limits

_MINUTE, _QUARTER, _HOUR, _LONG = 60, 15 * 60, 3600, 6 * 3600
_REQUESTS = 8  # times as many as wrong passwords: an office comes to work behind one address
log = structlog.get_logger("assistant.limits")


class Throttle:
    """Before a password is looked at, and for names that nobody has just as for others.

    Counted are attempts of one account from one address, and wrong passwords of the account from anywhere and of the address
    for any account. Three things keep a stranger from locking somebody out: a browser that has signed in with this name
    before counts by itself alone; the first attempt of an address is heard even while the account is under attack; and each
    wait ends.
    """

    def __init__(self, settings: Limits, counts: Counts) -> None:
        self._wrong = settings.wrong_passwords
        self._of_address = settings.address_wrong_passwords
        self._counts = counts

    @contextmanager
    def trying(self, name: str, address: str, *, browser: str = "") -> Iterator[None]:
        """Around one check. `browser` is one that has signed in with this name before. Raises `LimitReached`."""
        account, address = _hash(_folded(name)), counted_address(address)
        if browser:
            own, others, is_first = self._own("browser", account, _hash(browser)), [], False
        else:
            own, others = self._own("address", account, address), self._others(account, address)
            is_first = self._counts.refusal(own[-1:]) is None
        self._admit(own, others, is_first=is_first)
        try:
            yield
        except WrongPassword:
            self._counts.hit(others)
            raise
        self._counts.forget(own)

    def wrong_token(self, address: str) -> None:
        """A right one is never refused for others' wrong ones: it can't be guessed. Raises `LimitReached`."""
        rule = Rule(self._of_address, _MINUTE, ("wrong tokens", counted_address(address)))
        if refusal := self._counts.take([rule]):
            said = f"too many wrong tokens from this address: try again in {refusal.seconds} s"
            error = LimitReached(said, refusal.seconds, kind="token")
            error.is_news = self._is_news(refusal.rule)
            raise error

    def request(self, what: str, address: str) -> None:
        """Something that is done for anybody, and written down. Raises `LimitReached` when that is often."""
        rule = Rule(_REQUESTS * self._of_address, _MINUTE, ("request", what, counted_address(address)))
        if refusal := self._counts.take([rule]):
            raise LimitReached(f"too many requests: try again in {refusal.seconds} s", refusal.seconds)

    def is_written_down(self, what: str, address: str) -> bool:
        """Whether one more failure that shows no guess is: as many of an address as it may have wrong passwords."""
        of = ("failure", what, counted_address(address))
        return self._counts.take([Rule(self._of_address, _MINUTE, of), Rule(4 * self._of_address, _HOUR, of)]) is None

    def _admit(self, own: list[Rule], others: list[Rule], *, is_first: bool) -> None:
        asked = [rule for rule in others if not (is_first and rule.of[1] == "account")]
        refusal = self._counts.refusal([*own[:-1], *asked]) or self._counts.hit(own[:-1])
        if refusal is None:
            self._counts.hit(own[-1:])
            return
        said = f"too many wrong passwords: try again in {refusal.seconds} s"
        error = LimitReached(said, refusal.seconds, kind="sign_in")
        error.is_news = self._is_news(refusal.rule)
        if error.is_news:
            log.warning("attempts to sign in are refused", by=refusal.rule.of[1], seconds=refusal.seconds)
        raise error

    def _is_news(self, rule: Rule) -> bool:
        return self._counts.hit([Rule(1, _MINUTE, ("told", *rule.of))]) is None

    def _own(self, kind: str, account: str, where: str) -> list[Rule]:
        """Growing waits; the last one only says whether there was any attempt of late."""
        of, wrong = ("sign-in", kind, account, where), self._wrong
        first = Rule(1 if wrong else 0, _LONG, ("first", *of))
        return [Rule(wrong, _MINUTE, of), Rule(2 * wrong, _QUARTER, of), Rule(4 * wrong, _LONG, of), first]

    def _others(self, account: str, address: str) -> list[Rule]:
        anywhere, anybody = ("sign-in", "account", account), ("sign-in", "any account", address)
        return [
            Rule(4 * self._wrong, _QUARTER, anywhere),
            Rule(8 * self._wrong, _LONG, anywhere),
            Rule(self._of_address, _MINUTE, anybody),
            Rule(4 * self._of_address, _HOUR, anybody),
        ]


def _hash(text: str) -> str:
    """Names, as people type them, do not belong into a store of counts."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _folded(name: str) -> str:
    """The letters and digits before `@`. Directories find one person under many spellings (case, accents, wide letters,
    signs that are not seen, the directory's name behind it), which must not be as many budgets for guesses.
    """
    base = name.partition("@")[0] or name
    return "".join(char for char in unicodedata.normalize("NFKD", base).casefold() if char.isalnum())
