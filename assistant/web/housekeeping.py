"""What the running server does once a day: conversations past their time go."""

from __future__ import annotations

import threading

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
            try:
                if gone := self._assistant.conversations.purge():
                    log.info("conversations were purged", count=gone)
            except StorageError as error:  # tomorrow is another day
                log.error("conversations were not purged", reason=str(error))
            except Exception as error:  # noqa: BLE001 - a bug must not end it until the next start
                log.error("conversations were not purged", exc_info=error)
            if self._stopped.wait(self._every):
                return
