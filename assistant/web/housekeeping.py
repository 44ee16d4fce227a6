"""What the running server does once a day: conversations and sessions past their time go."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from assistant.assistant import Assistant
from assistant.errors import StorageError

log = structlog.get_logger("assistant.server")

_DAY_SECONDS = 24 * 3600.0


class Housekeeping:
    """A daemon thread; at the start, and then every day. Several servers over one database may do it at once."""

    def __init__(self, assistant: Assistant, *, every_seconds: float = _DAY_SECONDS) -> None:
        self._assistant = assistant
        self._every = every_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def __enter__(self) -> Housekeeping:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            self._do("conversations", lambda: self._assistant.conversations.purge())
            self._do("sessions", lambda: self._assistant.accounts.purge())
            if self._stopped.wait(self._every):
                return

    def _do(self, what: str, purge: Callable[[], int]) -> None:
        try:
            if gone := purge():
                log.info(f"{what} were purged", count=gone)
        except StorageError as error:  # tomorrow is another day
            log.error(f"{what} were not purged", reason=str(error))
        except Exception as error:  # noqa: BLE001 - a bug must not end it until the next start
            log.error(f"{what} were not purged", exc_info=error)
