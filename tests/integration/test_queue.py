"""More people than places, over HTTP: each sees the own place, leaves when wanted, and is told when there is no room."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from assistant.settings import Server
from tests.integration.web_site import Web, problem, site

pytestmark = pytest.mark.server
ASK = {"question": "Кто выдаёт пропуск на проходной?"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with site(tmp_path_factory.mktemp("queue"), server=Server(concurrent_answers=1, waiting_answers=2)) as found:
        yield found


@contextmanager
def slow(web: Web) -> Iterator[None]:
    """Answers that take as long as somebody listens."""
    web.ollama.change(answer="слово " * 3000, tokens_per_second=50.0)
    yield
    web.ollama.change(answer="cite", tokens_per_second=0.0)


class Stream:
    """One person's question in a thread: what came, until the end or until the person leaves."""

    def __init__(self, web: Web, name: str) -> None:
        self.events: list[tuple[str, Any]] = []
        self._leaving = threading.Event()
        self._web, self._name = web, name
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._web.client(self._name) as client, client.stream("POST", "/api/ask", json=ASK) as answer:
            name = ""
            for line in answer.iter_lines():
                name = line.removeprefix("event: ") if line.startswith("event: ") else name
                if line.startswith("data: "):
                    self.events.append((name, json.loads(line.removeprefix("data: "))))
                if self._leaving.is_set():
                    return

    def wait_for(self, name: str, seconds: float = 15) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for found, data in list(self.events):
                if found == name:
                    return data
            time.sleep(0.01)
        raise AssertionError(f"no {name}: {self.events}")

    @property
    def places(self) -> list[int]:
        return [data["place"] for name, data in self.events if name == "queued"]

    def leave(self) -> None:
        self._leaving.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


def test_the_place_is_shown_and_whoever_leaves_makes_room(web: Web) -> None:
    with slow(web):
        first = Stream(web, "staff")
        first.wait_for("token")
        second = Stream(web, "hr")
        assert second.wait_for("queued") == {"place": 1, "seconds": None}, "no answer has ended yet"
        third = Stream(web, "sales")
        assert third.wait_for("queued")["place"] == 2
        with web.client("admin", headers={"accept-language": "en"}) as client:
            refused = client.post("/api/ask", json=ASK)
        body = problem(refused, 503)
        assert (body["title"], body["retryable"]) == ("Busy", True)
        assert int(refused.headers["retry-after"]) > 0
        first.leave()
        second.wait_for("token")
        assert [name for name, _ in second.events][:3] == ["queued", "step", "sources"]
        web.ollama.wait_for(lambda record: record.disconnected, seconds=5)
        second.leave()
        third.wait_for("token")
        assert third.places == [2, 1]
        third.leave()


def test_who_is_answered_in_the_end_was_never_refused(web: Web) -> None:
    """Ten quick questions of one who has one place and one to wait at: the busy ones come again and are answered."""

    def ask(_: int) -> httpx.Response:
        with web.client("staff") as client:
            for _ in range(200):
                answer = client.post("/api/ask", json=ASK)
                if answer.status_code != 503:
                    return answer
                time.sleep(0.05)
        return answer

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert all("event: finished" in answer.text for answer in answers)
