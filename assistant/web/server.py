"""`assistant serve`: bind the port, load models and documents beside the page, serve, stop cleanly."""

from __future__ import annotations

import errno
import gc
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import FrameType
from typing import TYPE_CHECKING

import structlog

from assistant.assistant import Assistant
from assistant.errors import ConfigError, IndexSwitched, OtherModel, PipelineError, StorageError
from assistant.operations.logs import configure_logs
from assistant.settings import Server, Settings
from assistant.settings_secrets import check_published
from assistant.web.background import in_background
from assistant.web.housekeeping import Housekeeping
from assistant.web.nightly import Nightly
from assistant.wiring import build

if TYPE_CHECKING:
    import uvicorn

log = structlog.get_logger("assistant.server")

Say = Callable[[str], None]
Verify = Callable[[Settings, threading.Event], None]


def serve(
    settings: Settings,
    *,
    ingest: bool,
    first_user: str | None,
    say: Say,
    verify: Verify,
) -> None:
    """Serve until SIGTERM or Ctrl+C; `say` prints a line, `verify` is the nightly check of access.

    Raises `ConfigError` for a taken port, `StorageError`.
    """
    import uvicorn

    gc.disable()  # importing torch and Gradio makes millions of objects that stay: collecting among them costs 2 s of 9
    _take_signals(_end_start)
    configure_logs(settings, console=True)
    check_published(settings)
    with bind(settings.server) as listening, build(settings) as assistant:
        assistant.auditing.started(settings, "serve")
        _make_first_user(assistant, first_user, say)
        ready = threading.Event()
        server = uvicorn.Server(_config(settings))

        def be_ready() -> None:
            if not ready.is_set():
                ready.set()
                say(f"Ready: {_url(listening)}")

        def prepared(done: Future[None]) -> None:
            if done.exception() is not None:
                server.should_exit = True  # raised below

        preparing = in_background(lambda: _prepare(assistant, ingest, say, be_ready), prepared)
        from assistant.web.app import create_app

        server.config.app = create_app(assistant, ready=ready)
        _take_signals(lambda _number, _frame: None)  # from here on they are uvicorn's
        with Housekeeping(assistant), Nightly(settings, verify):
            server.run(sockets=[listening])
        if preparing.done():
            preparing.result()


def _take_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    """uvicorn raises a signal again after its own shutdown: left as it is, that would end us before Chroma is stopped."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def _end_start(_number: int, _frame: FrameType | None) -> None:
    sys.exit(1)


def _prepare(assistant: Assistant, ingest: bool, say: Say, be_ready: Callable[[], None]) -> None:
    """Warm models and indexes, then load new documents if asked to; ready as soon as there is something to search."""
    try:
        _renew_words(assistant, say, be_ready)
        assistant.warm_up()
    finally:
        gc.freeze()
        gc.enable()
    if assistant.catalog.chunk_counts():
        be_ready()
    for pipeline in assistant.settings.ingest.pipelines if ingest else []:
        _ingest(assistant, pipeline, say)
    be_ready()


def _renew_words(assistant: Assistant, say: Say, be_ready: Callable[[], None]) -> None:
    """An upgrade may cut words otherwise: questions would not match what an older version cut.

    Whatever the embedding model is. While somebody else's ingest runs, the index answers as it is, and health says so.
    """

    def waiting() -> None:
        say("The word index has to be made anew: waiting for another ingest to finish …")
        be_ready()

    try:
        if assistant.consistency.renew_words(waiting=waiting):
            say("The word index was made anew: another version of the assistant or other settings had made it")
    except IndexSwitched:
        _renew_words(assistant, say, be_ready)
    except StorageError as error:
        log.error("the word index was not renewed", reason=str(error))
        say(f"The word index is of another version, and was not made anew: {error}")


def _ingest(assistant: Assistant, pipeline: str, say: Say) -> None:
    """A share that is not mounted must not take the page away from those who ask what is loaded already."""
    try:
        report = assistant.ingest(pipeline, waiting=lambda: say("Waiting for another ingest to finish …"))
    except (PipelineError, OtherModel) as error:
        log.error("documents were not loaded", reason=str(error))
        say(f"Documents were not loaded: {error}")
        return
    for line in (report.summary(), *report.problems()):
        say(line)


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def bind(server: Server) -> socket.socket:
    """A listening socket. Raises `ConfigError` when the port is taken or not allowed."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((server.host, server.port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        reason = (
            "is taken by another program" if error.errno == errno.EADDRINUSE else f"can't be used ({error.strerror})"
        )
        raise ConfigError(
            f"{server.host}:{server.port} {reason}: stop it, or choose another with --port or server.port "
            "(ASSISTANT_SERVER__PORT)"
        ) from error
    return listening


def _config(settings: Settings) -> uvicorn.Config:
    import uvicorn

    return uvicorn.Config(
        app="",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=max(1, round(settings.server.shutdown_grace_seconds)),
        proxy_headers=False,
        server_header=False,
    )


def _make_first_user(assistant: Assistant, name: str | None, say: Say) -> None:
    """An account with every right, if there is none at all and its name was given; its password is said once."""
    from assistant.records.passwords import generate_password

    if assistant.users.list():
        return
    if name is None:
        say("There are no accounts yet: make one with  assistant users add NAME --department '*' --generate")
        return
    password = generate_password()
    assistant.users.add(name, password, roles=["admin", "engineer"], departments=["*"], level=9, must_change=True)
    say(f"\n  Sign in as  {name}\n  Password    {password}   (shown once; you choose your own at the first sign-in)\n")
