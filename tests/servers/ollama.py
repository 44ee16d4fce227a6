"""A scripted server that speaks Ollama's HTTP protocol, for tests and load tests; only this wire is scripted.

In process: `with ScriptedOllama(Script(...)) as server: ... server.url, server.requests, server.change(...)`.
As a process: `python -m tests.servers.ollama --port 0 --tokens-per-second 30`; it prints its URL and ends on SIGTERM.
Control over HTTP: GET/POST/DELETE /script (read, change fields, restore), GET/DELETE /requests (read, clear).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.servers.ollama_generation import Engine, generate
from tests.servers.ollama_pull import pull
from tests.servers.ollama_script import Script
from tests.servers.ollama_wire import (
    MODEL_BYTES,
    MODIFIED_AT,
    Gone,
    Link,
    Record,
    Refusal,
    describe,
    dumps,
    show_model,
)

_CONTROL = ("/script", "/requests")


def _json(content: object, status: int = 200) -> Response:
    return Response(dumps(content), status, media_type="application/json; charset=utf-8")


class _Generate:
    """ASGI endpoint of `/api/chat` and `/api/generate`: reads the body, runs the generation, records its end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record: Record = scope["record"]
        try:
            body = await Request(scope, receive).body()
        except ClientDisconnect:
            record.outcome = "disconnected"
            return
        link = Link(receive, send, record, scope["transport"])
        try:
            await generate(self.engine, body, link)
            record.outcome = "done"
        except Refusal as refusal:
            record.outcome = "error"
            await link.reply(refusal.status, {"error": refusal.message})
        except Gone:
            record.outcome = "cut" if link.cut else "disconnected"
        finally:
            link.close()


class _Pages:
    """The endpoints that answer at once: what the server is, its models, and the control paths."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def alive(self, _: Request) -> Response:
        return PlainTextResponse("Ollama is running")

    async def version(self, _: Request) -> Response:
        return _json({"version": self.engine.script.version})

    async def tags(self, _: Request) -> Response:
        models = self.engine.script.models
        return _json({"models": [{**describe(m), "modified_at": MODIFIED_AT} for m in models]})

    async def ps(self, _: Request) -> Response:
        video = int(MODEL_BYTES * self.engine.script.gpu_share)
        running = [
            {**describe(model), "expires_at": expires, "size_vram": video, "context_length": num_ctx}
            for model, (num_ctx, expires) in self.engine.loaded.items()
        ]
        return _json({"models": running})

    async def show(self, request: Request) -> Response:
        try:
            body = request.scope["record"].body = json.loads(await request.body())
            asked = str(body.get("model") or body.get("name") or "")
        except (ValueError, AttributeError) as error:
            return _json({"error": str(error)}, 400)
        if (model := self.engine.find_model(asked)) is None:
            return _json({"error": f"model '{asked}' not found"}, 404)
        return _json(show_model(model, self.engine.script))

    async def script(self, request: Request) -> Response:
        engine = self.engine
        if request.method == "POST":
            try:
                engine.set_script(engine.script.changed(await request.json()))
            except (ValueError, TypeError, AttributeError) as error:
                return _json({"error": str(error)}, 400)
        elif request.method == "DELETE":
            engine.set_script(engine.first_script)
        engine.admit()
        return _json(engine.script.as_json())

    async def requests(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.engine.records.clear()
        return _json([record.as_json() for record in tuple(self.engine.records)])


def build_app(engine: Engine) -> ASGIApp:
    """The whole server as an ASGI application; every request but those to the control paths is recorded."""
    pages, answers = _Pages(engine), _Generate(engine)
    router = Starlette(
        routes=[
            Route("/", pages.alive),
            Route("/api/version", pages.version),
            Route("/api/tags", pages.tags),
            Route("/api/ps", pages.ps),
            Route("/api/show", pages.show, methods=["POST"]),
            Route("/api/pull", partial(pull, engine), methods=["POST"]),
            Route("/api/chat", answers, methods=["POST"]),
            Route("/api/generate", answers, methods=["POST"]),
            Route("/script", pages.script, methods=["GET", "POST", "DELETE"]),
            Route("/requests", pages.requests, methods=["GET", "DELETE"]),
        ]
    )
    return _recording(router, engine)


def _recording(app: ASGIApp, engine: Engine) -> ASGIApp:
    async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
        record = Record(scope["path"], scope["method"], at=time.time())
        scope["record"] = record
        if scope["path"] not in _CONTROL:
            engine.records.append(record)

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            await send(message)

        await app(scope, receive, noting)
        record.outcome = "done" if record.outcome == "open" else record.outcome
        record.seconds = time.time() - record.at

    return recorded


class _Wire(HttpToolsProtocol):
    """uvicorn's HTTP protocol that also hands the connection's transport to the application, for the cut fault."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.access_log = False

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class ScriptedOllama:
    """The server in a thread with its own event loop; a context manager that stops it on exit."""

    def __init__(self, script: Script | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._engine = Engine(script or Script())
        self._address = (host, port)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def script(self) -> Script:
        """The script in force; assigning one takes effect for the next request and clears the fault count."""
        return self._engine.script

    @script.setter
    def script(self, script: Script) -> None:
        self._engine.set_script(script)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._engine.admit)

    def change(self, **values: object) -> None:
        """Changes some fields of the script."""
        self.script = self.script.changed(values)

    @property
    def requests(self) -> tuple[Record, ...]:
        """Every recorded request, oldest first (the last 20 000); records of open requests still change."""
        return tuple(self._engine.records)

    def wait_for(self, test: Callable[[Record], bool], seconds: float = 2.0) -> Record:
        """The first recorded request that passes the test; TimeoutError if none does in the given time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for record in self.requests:
                if test(record):
                    return record
            time.sleep(0.005)
        raise TimeoutError(f"no such request within {seconds} s; seen: {[r.as_json() for r in self.requests]}")

    def start(self) -> None:
        """Binds the address (port 0 = a free one), starts the thread and returns when requests are accepted."""
        listener = socket.create_server(self._address, backlog=1024)
        host, port = listener.getsockname()[:2]
        self.url = f"http://{host}:{port}"
        config = uvicorn.Config(
            build_app(self._engine), http=_Wire, ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, args=(config, listener), name="scripted-ollama", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the scripted Ollama server did not start")
            time.sleep(0.002)

    def _run(self, config: uvicorn.Config, listener: socket.socket) -> None:
        assert self._server is not None
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            self._loop = runner.get_loop()
            runner.run(self._server.serve(sockets=[listener]))

    def _drop_connections(self) -> None:
        assert self._server is not None
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()

    def stop(self) -> None:
        """Closes every connection and ends the thread; a second call does nothing."""
        if self._server is None or self._thread is None or self._loop is None:
            return
        if self._thread.is_alive():
            self._server.should_exit = True
            self._loop.call_soon_threadsafe(self._drop_connections)
        self._thread.join(timeout=5)
        self._loop = None


def main() -> None:
    """Command line: serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="Scripted server that speaks Ollama's protocol.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 = a free port")
    parser.add_argument("--tokens-per-second", type=float, default=30.0)
    parser.add_argument("--first-token-seconds", type=float, default=0.3)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--script", type=json.loads, default={}, help="other fields of Script as a JSON object")
    options = parser.parse_args()
    script = Script(
        tokens_per_second=options.tokens_per_second,
        first_token_seconds=options.first_token_seconds,
        parallel=options.parallel,
    ).changed(options.script)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with ScriptedOllama(script, host=options.host, port=options.port) as server:
        print(server.url, flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
