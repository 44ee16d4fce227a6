"""Somebody between the assistant and its provider: passes everything on, and changes what a test wants changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx

Change = Callable[[str, dict[str, Any]], dict[str, Any]]  # of a JSON answer: its path and body
_HOP = {"transfer-encoding", "connection", "content-length", "keep-alive", "date", "server", "content-encoding"}


class TamperingProxy:
    """On a port of its own, which is the provider's for everyone; started and ended with `with`."""

    def __init__(self, port: int, upstream_port: int) -> None:
        self.change: Change | None = None
        self.change_location: Callable[[str], str] | None = None
        self.hang = threading.Event()  # no answer while it is set
        self.released = threading.Event()
        self.seen: list[str] = []  # paths
        self.forms: list[tuple[str, dict[str, str], bytes]] = []  # path, headers and body of each POST
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler(upstream_port))
        self._server.daemon_threads = True

    def __enter__(self) -> TamperingProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def reset(self) -> None:
        self.change = self.change_location = None
        self.hang.clear()
        self.seen.clear()
        self.forms.clear()

    def _handler(self, upstream_port: int) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._pass_on(b"")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                proxy.forms.append((urlsplit(self.path).path, dict(self.headers), body))
                self._pass_on(body)

            def _pass_on(self, body: bytes) -> None:
                path = urlsplit(self.path).path
                proxy.seen.append(path)
                if proxy.hang.is_set():
                    proxy.released.wait(20)
                    return
                answer = httpx.request(
                    self.command,
                    f"http://127.0.0.1:{upstream_port}{self.path}",
                    headers={**dict(self.headers), "accept-encoding": "identity"},
                    content=body,
                    trust_env=False,
                    timeout=20,
                )
                content = answer.content
                if proxy.change is not None and "json" in answer.headers.get("content-type", ""):
                    content = json.dumps(proxy.change(path, answer.json())).encode()
                self.send_response(answer.status_code)
                for name, value in answer.headers.multi_items():
                    if name == "location" and proxy.change_location is not None:
                        value = proxy.change_location(value)  # noqa: PLW2901
                    if name not in _HOP:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
