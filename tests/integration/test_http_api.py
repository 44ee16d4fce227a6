"""Documents, search, answers and health over HTTP: who gets what, in which form, and what can't be smuggled in."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote

import httpx
import pytest

from assistant.settings import Chroma
from assistant.ui.texts import LANGUAGES
from assistant.web.app import create_app
from assistant.wiring import build
from tests.integration import company
from tests.integration.app_routes import steady_headers, without_nonce
from tests.integration.sample import MODEL
from tests.integration.web_site import EVIL_NAME, PASSWORD, Web, events, problem, settings, site

pytestmark = pytest.mark.server
PASS, PRICES = "Кто выдаёт пропуск на проходной?", "Какая скидка без согласования?"
STANDING = ["page", "page_kind", "date", "expired", "superseded_by"]
PLACE = ["document", "chunk", "source", "title"]
RESULT = ["rank", "score", *PLACE, "section", *STANDING, "department", "level", "text"]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with site(tmp_path_factory.mktemp("web")) as found:
        yield found


class Elements(HTMLParser):
    """Every element with its attributes, and the text inside the marked passage."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_a_forbidden_document_is_like_none_at_all(web: Web, accept: str) -> None:
    forbidden = web.document("sales/prices.md")
    with web.client("hr", headers={"accept": accept}) as client:
        for ending in ("", "/original", "?chunk=x"):
            hidden = client.get(f"/documents/{forbidden}{ending}")
            unknown = client.get(f"/documents/{'0' * 20}{ending}")
            assert (hidden.status_code, without_nonce(hidden.text)) == (404, without_nonce(unknown.text)), ending
            assert steady_headers(hidden) == steady_headers(unknown)
            assert "prices" not in hidden.text
    with web.client("admin") as client:
        assert problem(client.get(f"/documents/{forbidden}"), 404), "the role admin gives no right to read"
    with web.client("sales") as client:
        assert client.get(f"/documents/{forbidden}").status_code == 200


def test_ids_are_no_paths(web: Web) -> None:
    secret = web.docs.parent / "storage" / "assistant.db"
    assert secret.exists()
    with web.client("staff") as client:
        for wrong in ("../storage/assistant.db", "%00", "x" * 5000, "notice.md", str(secret)):
            for path in (f"/documents/{quote(wrong, safe='')}", f"/documents/{quote(wrong, safe='')}/original"):
                answer = client.get(path)
                assert answer.status_code == 404, path
                assert b"SQLite" not in answer.content


@pytest.mark.parametrize(
    ("path", "kind", "shown"),
    [
        ("it/VPN.pdf", "application/pdf", "inline"),
        ("hr/hiring.txt", "application/octet-stream", "attachment"),
        ("notice.md", "application/octet-stream", "attachment"),
        ("it/passwords.docx", "application/octet-stream", "attachment"),
        ("it/почта.html", "application/octet-stream", "attachment"),
        (EVIL_NAME, "application/octet-stream", "attachment"),
    ],
)
def test_the_original_is_the_file(web: Web, path: str, kind: str, shown: str) -> None:
    with web.client("hr") as client:
        answer = client.get(f"/documents/{web.document(path)}/original")
    assert answer.content == (web.docs / path).read_bytes()
    assert answer.headers["content-type"] == kind
    disposition, _, name = answer.headers["content-disposition"].partition("; filename*=utf-8''")
    assert (disposition, unquote(name)) == (shown, Path(path).name)
    assert not set(name) & set("\"'<> ")


def test_a_changed_or_missing_original_is_not_given_out(web: Web) -> None:
    file = web.docs / "hr" / "hiring.txt"
    content = file.read_bytes()
    with web.client("hr") as client:
        address = f"/documents/{web.document('hr/hiring.txt')}"
        try:
            company.keep_stat(file, b"x" * len(content))
            changed = problem(client.get(f"{address}/original"), 404)
            file.unlink()
            gone = problem(client.get(f"{address}/original"), 404)
            file.symlink_to(web.docs / "notice.md")
            assert problem(client.get(f"{address}/original"), 404) == gone == changed
            assert "the next ingest" in changed["detail"]
            assert client.get(address).status_code == 200, "its text is still shown"
        finally:
            file.unlink(missing_ok=True)
            file.write_bytes(content)
        assert client.get(f"{address}/original").status_code == 200


def test_the_passage_is_marked(web: Web) -> None:
    document = web.document("notice.md")
    with web.client("staff", headers={"accept-language": "en"}) as client:
        found = client.post("/api/search", json={"query": "Кто встречает гостей?"}).json()["results"][0]
        page = client.get(f"/documents/{document}", params={"chunk": found["chunk"]}).text
        plain = client.get(f"/documents/{document}").text
        old = client.get(f"/documents/{document}", params={"chunk": "<script>alert(1)</script>"}).text
    assert found["document"] == document
    (marked,) = [a for a in Elements(page).named("div") if a.get("id") == "found"]
    assert marked["class"] == "passage marked"
    assert page.index('id="found"') < page.index("Гостей встречает сотрудник")
    assert page.index("Пропуск выдаёт охрана") < page.index('id="found"')
    assert "marked" not in [a.get("class") for a in Elements(plain).named("div")]
    assert 'id="found"' not in plain
    assert "<script>" not in old
    assert "no longer has this passage" in old


def test_a_document_cannot_inject_anything(web: Web) -> None:
    document = web.document(EVIL_NAME)
    with web.client("staff") as client:
        answer = client.get(f"/documents/{document}")
    elements = Elements(answer.text)
    assert answer.status_code == 200
    assert not {tag for tag, _ in elements.found} & {"script", "img", "iframe", "object", "form", "svg", "base"}
    links = [attributes["href"] for attributes in elements.named("a")]
    assert links == ["/", f"/documents/{document}/original", "/language/en"]
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    for text in ("alert(1)", "пиксель", "нажмите", "Сноска канцелярии", "https://evil.example/bare"):
        assert text in answer.text, f"{text}: what a document says is shown, as text"


def test_search_gives_what_the_caller_may_read(web: Web) -> None:
    with web.client("sales") as client, web.client("hr") as other:
        body = client.post("/api/search", json={"query": PRICES, "k": 3}).json()
        hidden = other.post("/api/search", json={"query": PRICES, "k": 200}).json()
    assert list(body) == ["query", "principal", "answerable", "notices", "results", "timings_ms"]
    assert (body["query"], body["answerable"], body["notices"], len(body["results"])) == (PRICES, True, [], 3)
    first = body["results"][0]
    assert list(first) == [*RESULT, "scores"]
    assert list(first["scores"]) == ["bm25", "vector", "rerank"]
    assert (first["rank"], first["source"], first["department"], first["level"]) == (1, "sales/prices.md", "sales", 1)
    assert {result["department"] for result in hidden["results"]} == {"company", "hr"}
    assert {result["level"] for result in hidden["results"]} == {1}


def test_an_answer_arrives_as_events(web: Web) -> None:
    with web.client("staff") as client:
        answer = client.post("/api/ask", json={"question": f"  {PASS} "})
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events(answer)
    names = [name for name, _ in found]
    tokens = names.count("token")
    assert names == ["step", "sources", *["token"] * tokens, "finished"]
    assert tokens > 2
    step, given, finished = found[0][1], found[1][1], found[-1][1]
    assert list(step) == ["question", "asked", "documents", "seconds", "results"]
    assert step["question"] == PASS
    assert list(given["sources"][0]) == [*RESULT, "scores"]
    wanted = ["answer", "citations", "model", "grounded", "conversation", "message", "notices", "timings_ms"]
    wanted += ["unsupported", "nearest"]
    assert list(finished) == wanted
    assert finished["answer"] == "".join(data["text"] for name, data in found if name == "token").strip()
    assert (finished["model"], finished["grounded"]) == (MODEL, True)
    cited = finished["citations"][0]
    assert list(cited) == ["n", *PLACE, *STANDING, "quote"]
    assert (cited["n"], cited["source"]) == (1, "notice.md")
    assert cited["quote"] == given["sources"][0]["text"]


def test_notices_come_before_the_sources_and_other_departments_stay_hidden(web: Web) -> None:
    web.ollama.change(models=())
    try:
        with web.client("sales") as client, web.client("hr") as other:
            quoted = events(client.post("/api/ask", json={"question": PRICES}))
            hidden = other.post("/api/ask", json={"question": PRICES})
    finally:
        web.ollama.change(models=(MODEL,))
    assert [name for name, _ in quoted][:3] == ["step", "notice", "sources"]
    assert quoted[1][1] == {"kind": "extractive", "detail": LANGUAGES["ru"]["notice.extractive"]}
    assert quoted[-1][1]["notices"] == [quoted[1][1]], "a sentence, and no address of a server"
    assert quoted[-1][1]["model"] == "extractive"
    assert "семи процентов" in quoted[-1][1]["answer"]
    assert "процентов" not in hidden.text
    assert "sales" not in hidden.text


@pytest.mark.parametrize("path", ["/api/search", "/api/ask"])
def test_wrong_requests_are_problem_documents(web: Web, path: str) -> None:
    field = "query" if path == "/api/search" else "question"
    with web.client("staff") as client, web.client() as stranger:
        for content in (b"", b"{", b"[]", b'"x"', b"{}", b'{"other": 1}', f'{{"{field}": 5}}'.encode(), b"\xff\xfe"):
            body = problem(client.post(path, content=content, headers={"content-type": "application/json"}), 422)
            assert body["title"] == "InvalidRequest"
        for question in ("", "   ", "\0"):
            body = problem(client.post(path, json={field: question}), 422)
            assert (body["title"], body["retryable"]) == ("InvalidQuestion", False)
        assert "4000" in problem(client.post(path, json={field: "о" * 20_000}), 422)["detail"]
        if path == "/api/search":
            assert problem(client.post(path, json={field: "x", "k": 0}), 422)["detail"].startswith("k: ")
        assert problem(stranger.post(path, json={field: PASS}), 401)["title"] == "NotSignedIn"
        for unknown in (f"{path}/more", "/unknown", "/api", "/documents/"):
            assert problem(client.get(unknown), 404)
        browser = client.get("/unknown", headers={"accept": "text/html", "accept-language": "en"})
        assert (browser.status_code, "There is no such document" in browser.text) == (404, True)


def test_health_tells_details_to_administrators_only(web: Web) -> None:
    web.forget_health()
    with web.client() as stranger, web.client("staff") as user, web.client("admin") as admin:
        answers = [client.get("/health") for client in (stranger, user, admin)]
        assert [answer.status_code for answer in answers] == [200] * 3
        for answer in answers[:2]:
            body = answer.json()
            assert list(body) == ["status", "version", "checks"]
            assert {tuple(check) for check in body["checks"].values()} == {("state", "latency_ms")}
            assert str(web.docs.parent) not in answer.text
        body = answers[2].json()
        assert body["status"] == "healthy"
        assert set(body["checks"]) == {
            "storage",
            "database",
            "chroma",
            "access",
            "limits",
            "access_verified",
            "bm25",
            "embedding",
            "reranker",
            "ocr",
            f"llm {MODEL}",
        }
        assert str(web.docs.parent) in body["checks"]["storage"]["detail"]
        assert body["checks"][f"llm {MODEL}"]["version"] == web.ollama.script.version
        assert stranger.get("/health/live").json() == {"status": "alive"}


def test_without_a_language_model_it_is_degraded(web: Web) -> None:
    web.ollama.change(models=())
    web.forget_health()
    try:
        with web.client("admin") as admin:
            answer = admin.get("/health")
    finally:
        web.ollama.change(models=(MODEL,))
        web.forget_health()
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    check = answer.json()["checks"][f"llm {MODEL}"]
    assert (check["state"], check["advice"]) == ("degraded", "until then the best sentences are quoted")
    assert f"ollama pull {MODEL}" in check["detail"]


def test_ready_is_said_when_it_is(web: Web) -> None:
    ready: threading.Event = web.app.state.ready
    with web.client() as client:
        before = client.get("/health/ready")
        ready.set()
        after = client.get("/health/ready")
        ready.clear()
    assert (before.status_code, before.json()) == (503, {"status": "starting"})
    assert (after.status_code, after.json()) == (200, {"status": "ready"})


def test_without_chroma_it_is_unhealthy_and_says_so_while_words_still_find(web: Web, tmp_path: Path) -> None:
    storage = web.docs.parent / "storage"
    shutil.copytree(storage, tmp_path / "storage", ignore=shutil.ignore_patterns("chroma", "run"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]  # bound, and free again below: nobody answers there

    async def asked() -> list[httpx.Response]:
        dead = settings(tmp_path, web.ollama).model_copy(update={"chroma": Chroma(mode="server", port=port)})
        with build(dead) as assistant:
            app = create_app(assistant, ready=threading.Event())
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app), base_url="http://x", headers={"origin": "http://x"}
            ) as client:
                await client.post("/login", data={"name": "admin", "password": PASSWORD})
                search = client.post("/api/search", json={"query": PASS})
                return [
                    await client.get("/health"),
                    await search,
                    await client.post("/api/ask", json={"question": PASS}),
                ]

    health, search, answer = asyncio.run(asked())
    assert (health.status_code, health.json()["status"]) == (503, "unhealthy")
    assert health.json()["checks"]["chroma"]["state"] == "down"
    assert str(port) in health.json()["checks"]["chroma"]["detail"]
    assert health.json()["checks"]["bm25"]["state"] == "ok"
    assert search.json()["notices"] == [{"kind": "keyword_only", "detail": LANGUAGES["ru"]["notice.keyword_only"]}]
    assert str(port) not in search.text + answer.text
    assert search.json()["results"][0]["source"] == "notice.md"
    assert [name for name, _ in events(answer)][:3] == ["step", "notice", "sources"]
    assert events(answer)[-1][1]["model"] == MODEL
