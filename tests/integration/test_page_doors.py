"""Gradio's own doors: those that the page does not need are shut, and a page's number is worth nothing to anybody else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio.routes
import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from assistant.web.page_doors import PageDoors
from tests.integration.web_site import Web, site

pytestmark = pytest.mark.server

# Everything of Gradio's that answers at all, with the session of the page: what the page needs.
NEEDED = {
    "GET /",
    "GET /config",
    "GET /theme.css",
    "GET /gradio_api/theme.css",
    "GET /favicon.ico",
    "GET /robots.txt",
    "GET /manifest.json",
    "GET /assets/{}",
    "GET /static/{}",
    "GET /svelte/{}",
    "GET /gradio_api/startup-events",
    "GET /gradio_api/heartbeat/{}",
    "GET /gradio_api/queue/data",
    "POST /gradio_api/queue/join",
    "POST /gradio_api/run/{}",
    "POST /gradio_api/cancel",
    "POST /gradio_api/reset",
}
OURS = {("POST", "/login"), ("POST", "/login/"), ("GET", "/logout")}  # our own routes come first
PAGE = "abc123xyz99"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with site(tmp_path_factory.mktemp("doors")) as web:
        yield web


def gradio_routes() -> set[tuple[str, str]]:
    """(method, path) of all, from Gradio's own source: a new version may bring more."""
    source = Path(gradio.routes.__file__).read_text("utf-8")
    found = re.findall(r"@(app|router)\.(get|post)\(\s*f?\"(/[^\"]*)\"", source)
    return {(method.upper(), path if on == "app" else f"/gradio_api{path}") for on, method, path in found}


def test_doors_that_the_page_does_not_need_are_shut(web: Web) -> None:
    found = gradio_routes()
    assert len(found) > 60
    shut, opened = set(), set()
    with web.client("staff") as client:
        for method, path in sorted(found - OURS):
            filled = re.sub(r"\{[^}]*\}", "predict" if "/run/" in path else "x", path)
            named = f"{method} {re.sub(r'{[^}]*}', '{}', path).rstrip('/') or '/'}"
            with client.stream(method, filled, json={} if method == "POST" else None) as answer:
                is_shut = answer.status_code == 404 and _title(answer) == "NotFound"
            (shut if is_shut else opened).add(named)
    assert opened <= NEEDED
    kinds = (
        "upload",
        "file=",
        "proxy=",
        "stream/",
        "component_server",
        "deep_link",
        "run-history",
        "vibe",
        "call/",
        "info",
    )
    for kind in (*kinds, "monitoring", "custom_component", "process_recording", "login_check", "token"):
        assert any(kind in one for one in shut), kind


def _title(answer: httpx.Response) -> str:
    if answer.headers.get("content-type") != "application/problem+json":
        return "NotFound" if "text/html" in answer.headers.get("content-type", "") else ""
    answer.read()
    return str(answer.json()["title"])


@pytest.mark.parametrize(
    "path", ["/", "/config", "/gradio_api/queue/data?session_hash=x", "/gradio_api/startup-events", "/theme.css"]
)
def test_nothing_of_it_without_a_session(web: Web, path: str) -> None:
    with web.client() as client:
        answer = client.get(path)
    assert answer.status_code in (303, 401)
    assert "gradio" not in answer.text


def function_of(client: httpx.Client) -> int:
    """The number of the function that asks."""
    found = [one["id"] for one in client.get("/config").json()["dependencies"] if "asked(question)" in str(one["js"])]
    return int(found[0])


def join(client: httpx.Client, page: str, fn: int, data: list[Any]) -> httpx.Response:
    body = {"data": data, "event_data": None, "fn_index": fn, "trigger_id": None, "session_hash": page}
    return client.post("/gradio_api/queue/join", json=body)


def test_a_stranger_who_knows_the_number_of_a_page_gets_nothing_of_it(web: Web) -> None:
    """Neither its stream, nor a place in its queue, nor its end; whoever opened it goes on."""
    with web.client("hr") as owner, web.client("sales") as stranger, web.client() as nobody:
        ask = function_of(owner)
        assert join(owner, PAGE, ask, ["Кто согласует перенос отпуска?", "", "k1"]).status_code == 200
        address = f"/gradio_api/queue/data?session_hash={PAGE}"
        assert stranger.get(address).status_code == 404
        assert nobody.get(address).status_code == 401
        assert join(stranger, PAGE, ask, ["Кто согласует перенос отпуска?", "", "k1"]).status_code == 404
        for path in ("cancel", "reset"):
            body = {"session_hash": PAGE, "fn_index": ask, "event_id": "x"}
            assert stranger.post(f"/gradio_api/{path}", json=body).status_code == 404
        assert stranger.get(f"/gradio_api/heartbeat/{PAGE}").status_code == 404
        run = {"data": ["", "", ""], "fn_index": ask, "session_hash": PAGE}
        assert stranger.post("/gradio_api/run/predict", json=run).status_code == 404
        told = _followed(owner, address)
        assert "начальник" in told
        assert "process_completed" in told


def _followed(client: httpx.Client, address: str) -> str:
    told = ""
    with client.stream("GET", address, timeout=60) as answer:
        assert answer.status_code == 200
        for text in answer.iter_text():
            told += text
            if "process_completed" in told or "close_stream" in told:
                break
    return told


def test_another_number_beside_ones_own_does_not_help(web: Web) -> None:
    with web.client("hr") as owner, web.client("sales") as stranger:
        ask = function_of(owner)
        assert join(owner, "pageone1", ask, ["Кто согласует перенос отпуска?", "", "k2"]).status_code == 200
        body = {"data": ["x", "", ""], "fn_index": ask, "session_hash": "pageone1"}
        assert stranger.post("/gradio_api/queue/join?session_hash=pagetwo2", json=body).status_code == 404
        address = "/gradio_api/queue/data?session_hash=pagetwo2&session_hash=pageone1"
        assert stranger.get(address).status_code == 404


def test_a_body_nested_so_deep_that_it_is_not_read_names_nobodys_page(web: Web) -> None:
    deep = b'{"session_hash": "pageone1", "data": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    with web.client("sales") as client:
        for path in ("queue/join", "run/predict", "cancel"):
            answer = client.post(f"/gradio_api/{path}", content=deep, headers={"content-type": "application/json"})
            assert answer.status_code == 404


def test_numbers_of_pages_do_not_fill_the_memory(web: Web) -> None:
    with web.client("staff") as client:
        assert join(client, "x" * 65, function_of(client), ["?", "", "k3"]).status_code == 404
        assert client.get(f"/gradio_api/heartbeat/{'x' * 65}").status_code == 404


@pytest.mark.parametrize(
    ("path", "name"),
    [("/", "staff"), ("/login", None), ("/account", "staff"), ("/admin/documents", "admin"), ("/health", None)],
)
def test_headers_of_pages(web: Web, path: str, name: str | None) -> None:
    with web.client(name) as client:
        headers = client.get(path).headers
    policy = {part.split()[0]: part.split()[1:] for part in headers["content-security-policy"].split("; ")}
    assert policy["default-src"] == ["'none'"]
    assert policy["object-src"] == policy["frame-ancestors"] == ["'none'"]
    assert policy["img-src"] == ["'self'", "data:"]
    assert policy["connect-src"] == policy["form-action"] == ["'self'"]
    assert "'unsafe-inline'" not in policy["script-src"]
    if path == "/":
        assert policy["script-src"][:2] == ["'self'", "'unsafe-eval'"]
        assert all(one.startswith("'sha256-") for one in policy["script-src"][2:])
    else:
        assert policy["script-src"] == ["'self'"]
        assert policy["base-uri"] == ["'none'"]
        assert re.fullmatch(r"'nonce-[\w-]{22}'", policy["style-src"][1])
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert "no-store" in headers["cache-control"]
    assert "strict-transport-security" not in headers


def test_styles_of_our_pages_carry_the_number_of_their_request(web: Web) -> None:
    with web.client() as client:
        pages = [client.get("/login") for _ in range(2)]
    numbers = [re.findall(r"<style nonce=\"([\w-]+)\">", page.text) for page in pages]
    assert all(numbers)
    assert set(numbers[0]).isdisjoint(numbers[1])
    for page, found in zip(pages, numbers, strict=True):
        assert "<style>" not in page.text
        assert f"'nonce-{found[0]}'" in page.headers["content-security-policy"]


def test_files_are_downloaded_and_run_nothing(web: Web) -> None:
    with web.client("staff") as client:
        answer = client.get(f"/documents/{web.document('it/canteen.html')}/original")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_error() -> None:
    """It is Gradio's to notice: here it would be logged as an unexpected error."""
    heard: list[str] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        raise AssertionError

    async def gradio(_: Scope, receive: Receive, send: Send) -> None:
        heard.append((await receive())["type"])

    scope = {"type": "http", "method": "POST", "path": "/gradio_api/queue/join", "query_string": b"", "headers": []}
    asyncio.run(PageDoors(gradio, script="")(scope, receive, send))
    assert heard == ["http.disconnect"]
