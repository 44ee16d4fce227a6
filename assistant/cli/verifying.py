"""`assistant access verify` and its nightly run, which is a process of its own: nothing of it stays in the server."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable
from time import monotonic

from assistant.access.principal import LOCAL_OPERATOR
from assistant.errors import StorageError
from assistant.operations.access_check import keep
from assistant.settings import Settings
from assistant.verification.report import Report

_LONGEST_SECONDS, _LOOK_SECONDS = 6 * 3600.0, 0.5
_CLEAN_SECONDS = 10.0  # to take the canaries out when the server stops; else the next check does it


def verified(settings: Settings, *, say: Callable[[str], None]) -> Report:
    """Build the whole thing over the store, check it, and keep the result. Raises what building and loading raise."""
    from assistant.operations.logs import configure_logs
    from assistant.verification.service import settings_for, verify
    from assistant.web.app import create_app
    from assistant.wiring import build

    configure_logs(settings, console=False)
    logging.getLogger("assistant.web").setLevel(logging.ERROR)  # a thousand answers are quoted, as they should be
    ready = threading.Event()
    ready.set()
    with build(settings_for(settings)) as assistant:
        report = verify(assistant, create_app(assistant, ready=ready), say=say)
        keep(settings.storage.path, report.as_json())
        assistant.audit.record(
            "access.verified",
            LOCAL_OPERATOR,
            checks=report.checks.total(),
            leaks=len(report.leaks),
            right=report.is_right,
        )
    return report


def verified_apart(settings: Settings, stopped: threading.Event) -> None:
    """The same in another process, for the running server; ended with it. Raises `StorageError` when it failed."""
    # No daemon: those may have no children, and files are read in some.
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(settings,))
    process.start()
    last = monotonic() + _LONGEST_SECONDS
    while process.is_alive() and not stopped.is_set() and monotonic() < last:
        process.join(_LOOK_SECONDS)
    if process.is_alive():
        process.terminate()
        process.join(_CLEAN_SECONDS)
        process.kill()
        process.join()
        if not stopped.is_set():
            raise StorageError("the check of access did not end: run `assistant access verify` to see where it hangs")
    elif process.exitcode:
        raise StorageError("the check of access failed: see the log, or run `assistant access verify`")


def _run(settings: Settings) -> None:
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))  # the canaries are taken out before the end
    verified(settings, say=lambda _line: None)
