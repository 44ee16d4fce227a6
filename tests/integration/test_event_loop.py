"""Nothing on the event loop asks for the index that serves: after a switch of generations that loads a model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import httpx
import pytest

from assistant.serving import Index, Serving
from assistant.settings import Ingest
from tests.integration import web_site
from tests.integration.web_site import Web

pytestmark = pytest.mark.server

Request = Callable[[httpx.Client, str], httpx.Response]
REQUESTS: dict[str, Request] = {
    "ask": lambda client, _: client.post("/api/ask", json={"question": "перенос отпуска"}),
    "search": lambda client, _: client.post("/api/search", json={"query": "перенос отпуска"}),
    "document": lambda client, document: client.get(f"/documents/{document}"),
    "original": lambda client, document: client.get(f"/documents/{document}/original"),
    "page": lambda client, _: client.get("/admin/documents"),
    "load": lambda client, _: client.post("/admin/documents/load"),
    "script": lambda client, _: client.get("/admin/documents/follow.js"),
    "list": lambda client, _: client.get("/api/admin/documents"),
    "send": lambda client, _: client.post(
        "/api/admin/documents", data={"place": "company|"}, files={"files": ("one.md", b"one")}
    ),
    "health": lambda client, _: client.get("/health"),
}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    place = tmp_path_factory.mktemp("loop")
    ingest = Ingest(workers=1, batch_chunks=2, pipelines=[str(place / "company.yaml")])
    with web_site.site(place, ingest=ingest) as web:
        yield web


@pytest.mark.parametrize("name", REQUESTS)
def test_the_serving_index_is_asked_for_beside_the_event_loop(
    web: Web, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call is made as ever, and it is noted whether a loop runs in its thread."""
    on_loop: list[bool] = []
    called = Serving.__call__

    def noting(serving: Serving) -> Index:
        try:
            asyncio.get_running_loop()
            on_loop.append(True)
        except RuntimeError:
            on_loop.append(False)
        return called(serving)

    document = web.document("notice.md")
    with web.client("admin") as client:
        monkeypatch.setattr(Serving, "__call__", noting)
        web.forget_health()
        answer = REQUESTS[name](client, document)
    assert answer.status_code == {"load": 303, "send": 404}.get(name, 200), answer.text  # there is no such place
    assert on_loop
    assert not any(on_loop)
