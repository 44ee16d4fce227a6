"""What the server does once a day: at its start, again and again, and on the day after a failure."""

from __future__ import annotations

import threading
from typing import cast

from assistant.assistant import Assistant
from assistant.errors import StorageError
from assistant.web.housekeeping import Housekeeping


class Purged:
    """In place of an assistant: says when it was asked, and fails the first time."""

    def __init__(self) -> None:
        self.conversations, self.accounts = Part(), Part()


class Part:
    def __init__(self) -> None:
        self.calls = 0
        self.third = threading.Event()

    def purge(self) -> int:
        self.calls += 1
        if self.calls == 1:
            raise StorageError("the database is away")
        if self.calls == 3:
            self.third.set()
        return 1


def test_it_goes_on_after_a_failure_and_ends_with_the_server() -> None:
    purged = Purged()
    with Housekeeping(cast(Assistant, purged), every_seconds=0.01) as keeping:
        for part in (purged.conversations, purged.accounts):
            assert part.third.wait(5)
    assert not keeping._thread.is_alive()
    called = purged.conversations.calls, purged.accounts.calls
    threading.Event().wait(0.05)
    assert (purged.conversations.calls, purged.accounts.calls) == called
