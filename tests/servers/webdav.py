"""A real WebDAV server over a folder, on a free loopback port, ended with the test that started it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

USER, PASSWORD = "reader", "пароль-42"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Any]


@dataclass
class WebDav:
    """A running server; `slow` seconds pass before each answer, `broken` paths are answered with 500."""

    folder: Path
    port: int = 0
    slow: float = 0.0
    broken: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"webdav://127.0.0.1:{self.port}"

    def fetched(self) -> list[str]:
        """Paths whose content was asked for since the last time."""
        found = [path for method, path in self.requests if method == "GET"]
        self.requests.clear()
        return sorted(found)

    def around(self, application: Wsgi) -> Wsgi:
        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
            path = environ["PATH_INFO"].encode("latin-1").decode("utf-8")
            self.requests.append((environ["REQUEST_METHOD"], path))
            time.sleep(self.slow)
            if path in self.broken:
                start_response("500 Internal Server Error", [("Content-Length", "0")])
                return []
            return application(environ, start_response)

        return answer


@contextmanager
def webdav(folder: Path) -> Iterator[WebDav]:
    """Serve the folder to USER with PASSWORD."""
    from cheroot import wsgi
    from wsgidav.wsgidav_app import WsgiDAVApp

    running = WebDav(folder)
    application = WsgiDAVApp(
        {
            "provider_mapping": {"/": str(folder)},
            "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
            "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
            "logging": {"enable": False},
            "verbose": 0,
        }
    )
    server = wsgi.Server(("127.0.0.1", 0), running.around(application), numthreads=8)
    server.prepare()
    running.port = server.bind_addr[1]
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.stop()
        thread.join(10)
