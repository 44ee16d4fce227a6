"""`assistant serve`: bind the port, load models and documents beside the page, serve, stop cleanly."""

from __future__ import annotations

import errno
import socket
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from assistant.assistant import Assistant
from assistant.errors import ConfigError
from assistant.operations.logs import configure_logs
from assistant.settings import Server, Settings
from assistant.wiring import build

if TYPE_CHECKING:
    import uvicorn


def serve(settings: Settings, *, ingest: bool, first_user: str | None) -> None:
    """Serve until SIGTERM or Ctrl+C. Raises `ConfigError` for a taken port, `StorageError` for the folder."""
    import uvicorn

    configure_logs(settings, console=True)
    with bind(settings.server) as listening, build(settings) as assistant:
        _accounts(assistant, first_user)
        ready = threading.Event()
        server = uvicorn.Server(_config(settings))
        # the page's imports and the models' take seconds each: side by side
        with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
            preparing = pool.submit(_prepare, assistant, ingest)
            preparing.add_done_callback(lambda done: _prepared(done, ready, server, listening))
            from assistant.web.app import create_app

            server.config.app = create_app(assistant, ready=ready)
            server.run(sockets=[listening])
        preparing.result()


def _prepare(assistant: Assistant, ingest: bool) -> None:
    """Load new documents if asked to, then models and indexes, so that the first question finds them warm."""
    if ingest:
        from assistant.cli.documents import pipeline_file, print_report

        for pipeline in assistant.settings.ingest.pipelines:
            print_report(assistant.ingest(pipeline_file(pipeline)))
    assistant.warm_up()


def _prepared(done: Future[None], ready: threading.Event, server: uvicorn.Server, listening: socket.socket) -> None:
    if done.exception() is not None:
        server.should_exit = True  # `serve` raises it
        return
    ready.set()
    host, port = listening.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    print(f"Ready: http://{shown}:{port}", flush=True)


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


def _accounts(assistant: Assistant, first_user: str | None) -> None:
    from assistant.records.users import generate_password

    if assistant.users.list():
        return
    if first_user is None:
        print(
            "There are no accounts yet: make one with  assistant users add NAME --department '*' --generate",
            file=sys.stderr,
        )
        return
    password = generate_password()
    assistant.users.add(first_user, password, roles=["admin", "engineer"], departments=["*"], level=9)
    change = f"assistant users passwd {first_user}"
    print(f"\n  Sign in as  {first_user}\n  Password    {password}   (shown once; change it: {change})\n", flush=True)
