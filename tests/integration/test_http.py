"""Signing in and out, what nobody reaches without a session, and what every answer carries; over a real socket."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from assistant.settings import Server
from assistant.web.session import COOKIE
from tests.integration.app_routes import routes, without_nonce
from tests.integration.web_site import PASSWORD, Web, events, problem, served, settings, site

pytestmark = pytest.mark.server
BROWSER = {"accept": "text/html,application/xhtml+xml", "accept-language": "en"}
HEADERS = ("content-security-policy", "x-content-type-options", "referrer-policy", "x-frame-options")
PUBLIC = {"/login", "/logout", "/health", "/health/live", "/health/ready", "/favicon.ico", "/robots.txt"}
PUBLIC |= {"/language/{name}", "/auth/oidc/{name}", "/auth/oidc/{name}/callback", "/auth/oidc/{name}/logout"}
PUBLIC |= {"/assets/{path:path}", "/static/{path:path}", "/svelte/{path:path}"}
GRADIO = ["/config", "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/upload"]
GRADIO += ["/gradio_api/file={path_or_url:path}", "/gradio_api/proxy={url_path:path}", "/gradio_api/call/{api_name}"]
GRADIO += ["/gradio_api/heartbeat/{session_hash}", "/gradio_api/cancel", "/theme.css", "/openapi.json"]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with site(tmp_path_factory.mktemp("web")) as found:
        yield found


def age_session(web: Web, column: str, by: str) -> None:
    """Make all sessions older than they are."""
    with sqlite3.connect(web.assistant.settings.storage.path / "assistant.db") as database:
        changed = database.execute(f"UPDATE sessions SET {column} = datetime({column}, '{by}')")  # noqa: S608
        assert changed.rowcount
    database.close()


def test_a_wrong_password_is_the_same_page_as_a_wrong_name(web: Web) -> None:
    with web.client(headers=BROWSER) as client:
        page = client.get("/login")
        assert page.status_code == 200
        wrong = client.post("/login", data={"name": "staff", "password": "wrong"})
        unknown = client.post("/login", data={"name": "nobody", "password": PASSWORD})
        empty = client.post("/login", data={})
    assert [one.status_code for one in (wrong, unknown, empty)] == [401] * 3
    assert all("set-cookie" not in one.headers for one in (page, wrong, unknown, empty))
    assert without_nonce(wrong.text.replace("staff", "nobody")) == without_nonce(unknown.text)
    assert "Name or password is wrong." in wrong.text
    assert PASSWORD not in unknown.text


def test_a_name_cannot_inject_html(web: Web) -> None:
    with web.client() as client:
        answer = client.post("/login", data={"name": '"><script>alert(1)</script>', "password": "x"})
    assert "<script>alert" not in answer.text


def test_the_right_password_gives_a_session_cookie(web: Web) -> None:
    with web.client() as client:
        answer = client.post("/login", data={"name": " staff ", "password": PASSWORD})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie, known_browser = answer.headers.get_list("set-cookie")
        assert re.fullmatch(rf"{COOKIE}=[\w-]{{40,}}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax", cookie), (
            "without Secure on plain HTTP"
        )
        assert known_browser.startswith("assistant_browser="), "which opens nothing: access/throttle"
        page = client.get("/")
        assert page.status_code == 200
        assert "gradio" in page.text
        assert client.get("/login").headers["location"] == "/"


def test_the_cookie_is_for_https_only_where_that_is_set(web: Web, tmp_path: Path) -> None:
    import asyncio
    import threading

    from assistant.web.app import create_app
    from assistant.wiring import build

    async def sign_in() -> httpx.Response:
        with build(settings(tmp_path, web.ollama, server=Server(secure_cookies=True))) as assistant:
            assistant.users.add("staff", PASSWORD, roles=[], departments=[], level=1)
            transport = httpx.ASGITransport(app=create_app(assistant, ready=threading.Event()))
            async with httpx.AsyncClient(
                transport=transport, base_url="https://x", headers={"origin": "https://x"}
            ) as client:
                return await client.post("/login", data={"name": "staff", "password": PASSWORD})

    assert "; Secure" in asyncio.run(sign_in()).headers["set-cookie"]


@pytest.mark.parametrize("headers", [{}, BROWSER])
def test_the_page_leads_to_the_sign_in(web: Web, headers: dict[str, str]) -> None:
    with web.client(headers=headers) as client:
        for cookie in ("", "x" * 43, "../../etc"):
            answer = client.get("/", headers={"cookie": f"{COOKIE}={cookie}"})
            assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert client.head("/").status_code == 303


def test_no_route_but_the_public_ones_answers_without_a_session(web: Web) -> None:
    found = {tuple(name.split(" ", 1)) for name in routes(web.app.routes)}
    assert {path for _, path in found} >= PUBLIC | set(GRADIO), "the names of Gradio's routes have changed"
    with web.client() as client:
        for method, path in sorted(found):
            if path in PUBLIC:
                continue
            method = "GET" if method == "ANY" else method
            answer = client.request(method, re.sub(r"\{[^}]*\}", "x", path), json={} if method == "POST" else None)
            if path == "/":
                assert (answer.status_code, answer.headers["location"]) == (303, "/login")
            elif method == "HEAD":
                assert answer.status_code == 401, path
            else:
                title = answer.json()["error"]["code"] if path.startswith("/v1/") else problem(answer, 401)["title"]
                assert (answer.status_code, title) == (401, "NotSignedIn"), path
        for path in ("/gradio_api/upload", "//gradio_api/upload", "/assets/../gradio_api/info", "/unknown"):
            assert client.get(path).status_code == 401, path
        browser = client.get("/documents/x", headers=BROWSER)
        assert (browser.status_code, browser.headers["location"]) == (303, "/login")


def test_public_paths_below_a_prefix_hold_no_way_out(web: Web) -> None:
    outside = ("/assets/..%2f..%2f..%2fetc/passwd", "/static/%2e%2e/%2e%2e/routes.py", "/assets/%2fetc%2fpasswd")
    with web.client() as client:
        for path in outside:
            answer = client.get(path)
            assert answer.status_code in (401, 403, 404), path
            assert "root:" not in answer.text


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example"]
)
def test_other_sites_cannot_post(web: Web, origin: str) -> None:
    with web.client("staff") as client:
        for path in ("/logout", "/login", "/api/search", "/gradio_api/queue/join", "/gradio_api/upload"):
            assert problem(client.post(path, headers={"origin": origin}), 403)["title"] == "CrossOrigin"
        assert client.get("/").status_code == 200, "and nobody was signed out"
        own = client.post("/api/search", json={"query": "отпуск"}, headers={"origin": web.url})
        assert own.status_code == 200


def test_a_request_has_a_bound(web: Web) -> None:
    """Whether it says how long it is or not, and without signing in."""
    much = b"x" * (3 << 20)

    def untold() -> Iterator[bytes]:
        yield from (much[start : start + 65_536] for start in range(0, len(much), 65_536))

    with httpx.Client(base_url=web.url, headers={"origin": web.url}) as stranger:
        assert problem(stranger.post("/login", content=much), 413)["title"] == "TooLarge"
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert stranger.post("/login", content=untold(), headers=form).status_code == 400, "FastAPI's own"
    with web.client("staff") as client:
        problem(client.post("/api/search", content=much), 413)
        assert client.post(
            "/api/search", content=untold(), headers={"content-type": "application/json"}
        ).is_client_error
        assert client.post("/api/search", json={"query": "отпуск"}).status_code == 200
        assert client.post("/api/search", json={}, headers={"origin": "http://["}).status_code == 403


def test_signing_out_ends_the_session_on_the_server(web: Web) -> None:
    with web.client("staff") as client, web.client("staff") as other:
        cookie = client.cookies[COOKIE]
        assert client.get("/logout").headers["location"] == "/", "a link signs nobody out"
        assert client.get("/").status_code == 200
        answer = client.post("/logout", headers={"origin": web.url})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert "Max-Age=0" in answer.headers["set-cookie"]
        again = client.get("/config", headers={"cookie": f"{COOKIE}={cookie}"})
        assert again.status_code == 401
        assert other.get("/").status_code == 200, "another session of the same person stays"


@pytest.mark.parametrize(("column", "by"), [("used_at", "-13 hours"), ("created_at", "-31 days")])
def test_a_session_ends_by_itself(web: Web, column: str, by: str) -> None:
    with web.client("staff") as client:
        assert client.get("/config").status_code == 200
        age_session(web, column, by)
        assert client.get("/config").status_code == 401
        assert client.get("/").status_code == 303


def test_a_new_password_and_a_removed_account_end_sessions(web: Web) -> None:
    web.assistant.users.add("leaver", PASSWORD, roles=[], departments=[], level=1)
    with web.client("leaver") as client:
        web.assistant.users.set_password("leaver", PASSWORD)
        assert client.get("/config").status_code == 401
    with web.client("leaver") as client:
        web.assistant.users.remove("leaver")
        assert client.get("/config").status_code == 401


def test_every_kind_of_answer_carries_the_safe_headers(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret inside")

    document = web.document("notice.md")
    with web.client("staff") as client, web.client() as stranger:
        answers = {
            "page": client.get("/"),
            "redirect": stranger.get("/"),
            "sign-in": stranger.get("/login"),
            "not signed in": stranger.post("/api/search", json={}),
            "another site": client.post("/api/search", headers={"origin": "http://evil.example"}),
            "health": stranger.get("/health/live"),
            "asset": stranger.get("/assets/none.js"),
            "document": client.get(f"/documents/{document}"),
            "file": client.get(f"/documents/{document}/original"),
            "search": client.post("/api/search", json={"query": "отпуск"}),
            "stream": client.post("/api/ask", json={"question": "Кто выдаёт пропуск?"}),
            "bad body": client.post("/api/search", content=b"{"),
            "unknown": client.get("/unknown"),
            "gradio, shut": client.get("/gradio_api/info"),
        }
        monkeypatch.setattr(type(web.assistant.catalog), "document", broken)
        with capture_logs() as logged:
            answers["bug"] = client.get(f"/documents/{document}")
            answers["bug, browser"] = client.get(f"/documents/{document}", headers=BROWSER)
    statuses = [200, 303, 200, 401, 403, 200, 404, 200, 200, 200, 200, 422, 404, 404, 500, 500]
    assert [answer.status_code for answer in answers.values()] == statuses
    for kind, answer in answers.items():
        assert [name for name in HEADERS if name not in answer.headers] == [], kind
        policy = answer.headers["content-security-policy"]
        parts = {part.split()[0]: part for part in policy.split("; ")}
        nothing = parts.get("default-src") == "default-src 'none'"
        for name, most in (("img-src", "img-src 'self' data:"), ("connect-src", "connect-src 'self'")):
            assert parts[name] == most if name in parts else nothing, (kind, policy)
        assert parts["frame-ancestors"] == "frame-ancestors 'none'", kind
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
        assert "secret inside" not in answer.text
    assert [entry["event"] for entry in logged] == ["unexpected error"] * 2, "once each"
    assert logged[0]["error_id"] in problem(answers["bug"], 500)["detail"]
    assert logged[1]["error_id"] in answers["bug, browser"].text
    assert answers["bug, browser"].headers["content-type"].startswith("text/html")
    for kind in ("document", "file", "stream"):
        assert "no-store" in answers[kind].headers["cache-control"], kind


def test_a_client_that_leaves_stops_the_model(web: Web) -> None:
    web.ollama.change(answer="слово " * 3000, tokens_per_second=100.0)
    with web.client("staff") as client:
        with client.stream("POST", "/api/ask", json={"question": "Кто выдаёт пропуск?"}) as answer:
            for line in answer.iter_lines():
                if line == "event: token":
                    break
        web.ollama.wait_for(lambda record: record.disconnected, seconds=5)
    web.ollama.change(answer="cite", tokens_per_second=0.0)


def test_a_stream_that_breaks_says_so(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret inside")

    with web.client("staff", headers={"accept-language": "en"}) as client:
        with monkeypatch.context() as patched, capture_logs() as logged:
            patched.setattr(type(web.assistant.catalog), "passages", broken)
            before = client.post("/api/ask", json={"question": "Кто выдаёт пропуск?"})
        body = problem(before, 500)
        assert (body["title"], logged[0]["error_id"] in body["detail"]) == ("InternalError", True)
        with monkeypatch.context() as patched, capture_logs() as logged:
            patched.setattr(type(web.assistant.chain), "stream", broken)
            midway = client.post("/api/ask", json={"question": "Кто выдаёт пропуск?"})
        name, body = events(midway)[-1]
        assert (name, body["status"], body["title"]) == ("error", 500, "InternalError")
        assert logged[0]["error_id"] in body["detail"]
    assert "secret" not in before.text + midway.text


def test_served_and_stopped_twice(web: Web) -> None:
    with served(web.app) as url:
        assert httpx.get(f"{url}/health/live", trust_env=False).json() == {"status": "alive"}


def test_the_language_is_chosen_on_any_page_and_remembered(web: Web) -> None:
    with web.client("staff", headers=BROWSER) as client:
        assert 'href="/language/ru"' in client.get("/documents/none").text
        chosen = client.get("/language/ru", headers={"referer": f"{web.url}/documents/none?chunk=1"})
        assert (chosen.status_code, chosen.headers["location"]) == (303, "/documents/none?chunk=1")
        shown = client.get("/documents/none").text
        assert '<html lang="ru">' in shown
        assert "нет права" in shown
        assert client.post("/api/ask", json={"question": ""}).status_code == 422
        for elsewhere in ("https://evil.example/x", f"{web.url}//evil.example", f"{web.url}/\\evil.example", ""):
            back = client.get("/language/en", headers={"referer": elsewhere}).headers["location"]
            assert back == "/"
        assert client.get("/language/de").status_code == 404
    with web.client(headers=BROWSER) as client:
        client.get("/language/ru")
        assert "Войти" in client.get("/login").text
