"""Runs checks that may hang, in threads that neither the server's other work nor the program's end waits for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import partial
from typing import TypeVar

Found = TypeVar("Found")


class StillRunning(Exception):  # noqa: N818 - a state, and nobody but the caller sees it
    """The check of this part that began `seconds` ago has not come back."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer for {seconds:.0f} s")
        self.seconds = seconds


class Background:
    """One daemon thread for each check that is under way, and never two for the same part.

    `asyncio.to_thread` would give a part that hangs a thread of the pool that answers questions at every look, and the
    interpreter waits for those at its end.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[Hashable, float] = {}

    async def run(self, part: Hashable, check: Callable[[], Found]) -> Found:
        """What the check returns or raises. Raises `StillRunning` when the one before is under way."""
        with self._lock:
            if part in self._begun:
                raise StillRunning(time.monotonic() - self._begun[part])
            self._begun[part] = time.monotonic()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Found] = loop.create_future()

        def work() -> None:
            give: Callable[[], None]
            try:
                give = partial(answer.set_result, check())
            except Exception as error:  # noqa: BLE001 - it is raised where the answer is waited for
                give = partial(answer.set_exception, error)
            with self._lock:
                del self._begun[part]
            _tell(loop, answer, give)

        threading.Thread(target=work, name=f"check {part}", daemon=True).start()
        return await answer


def _tell(loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Found], give: Callable[[], None]) -> None:
    """To whoever still waits; after the deadline nobody does, and the loop may be closed."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(lambda: None if answer.done() else give())
