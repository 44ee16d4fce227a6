"""Work beside the page, on a daemon thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future


def in_background(work: Callable[[], None], done: Callable[[Future[None]], None]) -> Future[None]:
    """On a daemon thread: whoever stops the server does not wait for an ingest; the next run finishes it."""
    future: Future[None] = Future()
    future.add_done_callback(done)

    def run() -> None:
        try:
            work()
        except BaseException as error:
            future.set_exception(error)
            raise SystemExit from error  # the error is raised where the result is asked for
        future.set_result(None)

    threading.Thread(target=run, name="background", daemon=True).start()
    return future
