"""The ways with a password, asked in the order of the settings, and who of them does not answer."""

from __future__ import annotations

import time
from collections.abc import Sequence

from assistant.errors import ConfigError, SignInUnavailable
from assistant.parts.sign_in import LOCAL, Identity, PasswordSignIn

_REST_SECONDS = 30.0  # one that did not answer is not asked about sessions meanwhile: each would wait for its timeout


class Directories:
    """All of them."""

    def __init__(self, ways: Sequence[PasswordSignIn]) -> None:
        names = [way.name for way in ways]
        if LOCAL in names or len(set(names)) < len(names):
            raise ConfigError(f"auth: each directory needs a name of its own, and none is '{LOCAL}'")
        self._ways = {way.name: way for way in ways}
        self._silent: dict[str, float] = {}  # when it was last tried in vain, by the monotonic clock

    def __contains__(self, source: str) -> bool:
        return source in self._ways

    @property
    def ways(self) -> tuple[PasswordSignIn, ...]:
        return tuple(self._ways.values())

    def check(self, name: str, password: str) -> Identity | None:
        """The first that vouches for the person; `name@corp` asks `corp` alone.

        None when all say no. Raises `SignInUnavailable` when one that might have said yes does not answer.
        """
        base, _, source = name.rpartition("@")
        only = self._ways.get(source) if base else None
        failed: SignInUnavailable | None = None
        for way in [only] if only else self._ways.values():
            try:
                found = way.check(base if only else name, password)
            except SignInUnavailable as error:
                self._silent[way.name] = time.monotonic()
                failed = error
                continue
            self._silent.pop(way.name, None)
            if found is not None:
                return found
        if failed is not None:
            raise failed
        return None

    def look_up(self, source: str, subject: str) -> Identity | None:
        """The person as his directory has him. Raises `SignInUnavailable`, at once while it rests."""
        tried = self._silent.get(source)
        if tried is not None and time.monotonic() - tried < _REST_SECONDS:
            raise SignInUnavailable(f"the directory '{source}' does not answer")
        try:
            found = self._ways[source].look_up(subject)
        except SignInUnavailable:
            self._silent[source] = time.monotonic()
            raise
        self._silent.pop(source, None)
        return found
