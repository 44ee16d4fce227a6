"""`assistant access verify` and its nightly run, which is a process of its own: nothing of it stays in the server."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections.abc import Callable

from assistant.access.principal import LOCAL_OPERATOR
from assistant.errors import StorageError
from assistant.operations.access_check import keep
from assistant.settings import Settings
from assistant.verification.report import Report

_LONGEST_SECONDS = 6 * 3600.0


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


def verified_apart(settings: Settings) -> None:
    """The same in another process, for the running server. Raises `StorageError` when that did not come to an end."""
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(settings,), daemon=True)
    process.start()
    process.join(_LONGEST_SECONDS)
    if process.is_alive():
        process.terminate()
        raise StorageError("the check of access did not end: run `assistant access verify` to see where it hangs")
    if process.exitcode:
        raise StorageError("the check of access failed: see the log, or run `assistant access verify`")


def _run(settings: Settings) -> None:
    verified(settings, say=lambda _line: None)
