"""The web side served for real: a socket, accounts, a scripted Ollama, and documents that may be changed."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from assistant.assistant import Assistant
from assistant.settings import Answer, Llm, Settings
from assistant.web.app import create_app
from assistant.web.health import HealthCache
from assistant.wiring import build
from tests.integration import company
from tests.integration.sample import FAST, model
from tests.servers.ollama import ScriptedOllama

PASSWORD = "correct horse battery"
# name → roles, departments, level
PEOPLE: dict[str, tuple[list[str], list[str], int]] = {
    "staff": (["user"], [], 1),
    "hr": (["user"], ["hr"], 1),
    "sales": (["user"], ["sales"], 1),
    "admin": (["admin"], [], 1),
}
EVIL_NAME = "it/evil \"'><img src=x onerror=alert(1)>.md"
EVIL = """# Заголовок <img src=x onerror=alert(1)> и [ссылка](http://evil.example)

Учёт канцелярии <script>alert(1)</script> ведёт секретарь. ![пиксель](http://evil.example/p.png?d=1)
[нажмите](javascript:alert(1)), <https://evil.example/auto>, [по имени][e], https://evil.example/bare

[e]: http://evil.example/ref "Сноска канцелярии"

<iframe src="http://evil.example"></iframe>

<a href="http://evil.example">канцелярия</a>
"""
HTML = "<html><title>Столовая</title><p>Столовая открыта с двенадцати.</p><script>alert(1)</script></html>"


@dataclass
class Web:
    """A served assistant."""

    url: str
    app: FastAPI
    assistant: Assistant
    ollama: ScriptedOllama
    docs: Path

    @contextmanager
    def client(self, name: str | None = None, **options: Any) -> Iterator[httpx.Client]:
        """A program that says of itself what a browser would, signed in if a name is given."""
        headers = {"origin": self.url, **options.pop("headers", {})}
        with httpx.Client(base_url=self.url, trust_env=False, timeout=20, headers=headers, **options) as client:
            if name is not None:
                answer = client.post("/login", data={"name": name, "password": PASSWORD})
                assert (answer.status_code, answer.headers["location"]) == (303, "/")
            yield client

    def document(self, path: str) -> str:
        """The id of the document at that path."""
        (found,) = [view.row.id for view in self.assistant.documents() if view.row.path == path]
        return found

    def forget_health(self) -> None:
        self.app.state.health = HealthCache()


@contextmanager
def served(app: FastAPI, port: int = 0) -> Iterator[str]:
    """The app on that or a free port, with uvicorn as `assistant serve` runs it."""
    listening = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, proxy_headers=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline, "the web server did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


@contextmanager
def site(place: Path, **blocks: Any) -> Iterator[Web]:
    """A loaded storage below `place` with accounts, served."""
    docs = company.write_documents(place / "docs")
    company.write(docs, {EVIL_NAME: EVIL, "it/canteen.html": HTML})
    pipeline = company.recipe(place / "company.yaml", docs)
    with ScriptedOllama(FAST) as ollama, build(settings(place, ollama, **blocks)) as assistant:
        assert not assistant.ingest(pipeline).failed
        for name, (roles, departments, level) in PEOPLE.items():
            assistant.users.add(name, PASSWORD, roles=roles, departments=departments, level=level)
        ready = threading.Event()
        app = create_app(assistant, ready=ready)
        app.state.ready = ready
        with served(app) as url:
            yield Web(url, app, assistant, ollama, docs)


def settings(place: Path, ollama: ScriptedOllama, **blocks: Any) -> Settings:
    chain = [model(ollama), Llm(provider="extractive")]
    return company.settings(place / "storage", llms=chain, answer=Answer(retry_seconds=0.01), **blocks)


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    """Server-sent events as (name, data)."""
    found = []
    for block in answer.text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body, checked to be a problem document (RFC 9457)."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail"} <= set(body)
    assert body["status"] == status
    assert body["detail"]
    assert "Traceback" not in answer.text
    return body
