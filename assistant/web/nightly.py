"""The nightly check of who may read what: a leak is logged loudly, and makes `/health` unhealthy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from assistant.errors import AssistantError
from assistant.operations.access_check import keep_failure, last
from assistant.settings import Settings

log = structlog.get_logger("assistant.server")


class Nightly:
    """A daemon thread that runs `verify` at `access.verify_at`, and none where that is empty."""

    def __init__(self, settings: Settings, verify: Callable[[Settings, threading.Event], None]) -> None:
        self._settings, self._verify = settings, verify
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access verify", daemon=True)

    def __enter__(self) -> Nightly:
        if self._settings.access.verify_at:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=15)  # a check that runs is ended, and cleans up

    def _run(self) -> None:
        while not self._stopped.wait(seconds_until(self._settings.access.verify_at, datetime.now().astimezone())):
            self.check()

    def check(self) -> None:
        """Once, now."""
        try:
            self._verify(self._settings, self._stopped)
            if self._stopped.is_set():
                return
            found = last(self._settings.storage.path)
            if found is None or found.leaks:
                log.critical("ACCESS LEAK", found=found.sentence if found else "no result")
            elif found.others:
                log.error("access could not be verified", found=found.sentence)
            else:
                log.info("access is verified", found=found.sentence)
        except AssistantError as error:
            log.error("access could not be verified", reason=str(error))
            self._tell_health(error)
        except Exception as error:  # noqa: BLE001 - a bug must not end it until the next start
            log.error("access could not be verified", exc_info=error)
            self._tell_health(error)

    def _tell_health(self, error: Exception) -> None:
        with suppress(AssistantError):  # the disk may be what is wrong
            keep_failure(self._settings.storage.path, str(error) or type(error).__name__)


def seconds_until(clock: str, now: datetime) -> float:
    """To the next time that the clock shows this, "03:00"."""
    hour, minute = map(int, clock.split(":"))
    moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return ((moment if moment > now else moment + timedelta(days=1)) - now).total_seconds()
