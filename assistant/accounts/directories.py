"""The ways with a password, asked in the order of the settings, and who of them does not answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

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
        self._silent: dict[str, tuple[datetime, float]] = {}  # since when; when last tried, by the monotonic clock

    def __contains__(self, source: str) -> bool:
        return source in self._ways

    @property
    def ways(self) -> tuple[PasswordSignIn, ...]:
        return tuple(self._ways.values())

    def states(self) -> dict[str, datetime | None]:
        """All by name, with the moment since which it does not answer."""
        silent = dict(self._silent)
        return {name: silent[name][0] if name in silent else None for name in self._ways}

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
                self._note_silent(way.name)
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
        silent = self._silent.get(source)
        if silent is not None and time.monotonic() - silent[1] < _REST_SECONDS:
            raise SignInUnavailable(f"the directory '{source}' does not answer")
        try:
            found = self._ways[source].look_up(subject)
        except SignInUnavailable:
            self._note_silent(source)
            raise
        self._silent.pop(source, None)
        return found

    def _note_silent(self, source: str) -> None:
        since = self._silent.get(source, (datetime.now(UTC), 0.0))[0]
        self._silent[source] = since, time.monotonic()
