"""The administrator's documents page over HTTP: what is refused, what is shown, and a file's way from form to search."""

from __future__ import annotations

import html
import io
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from assistant.ingest.lock import one_at_a_time
from assistant.settings import Ingest, IngestLimits
from assistant.web.session import COOKIE
from tests.integration import company
from tests.integration.web_site import PASSWORD, Web, problem, site

pytestmark = pytest.mark.server
PAGE, API = "/admin/documents", "/api/admin/documents"
BROWSER = {"accept": "text/html", "accept-language": "en"}
ADMINS = {"hr_admin": (["hr"], 1), "chief": (["*"], 9)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("admin")


@pytest.fixture(scope="module")
def web(place: Path) -> Iterator[Web]:
    recipe = str(place / "company.yaml")
    lost = company.recipe(place / "lost.yaml", place / "nowhere", name="lost")
    ingest = Ingest(workers=1, batch_chunks=2, pipelines=[recipe, str(lost)], limits=IngestLimits(file_mb=1))
    with site(place, ingest=ingest) as found:
        for name, (departments, level) in ADMINS.items():
            found.assistant.users.add(name, PASSWORD, roles=["admin"], departments=departments, level=level)
        yield found


@pytest.fixture
def recipe(place: Path) -> str:
    return str(place / "company.yaml")


def send(client: httpx.Client, where: str, *files: tuple[str, bytes], path: str = API, **fields: str) -> httpx.Response:
    parts = [("files", (name, io.BytesIO(content))) for name, content in files]
    return client.post(path, data={"place": where, **fields}, files=parts or {"files": ("", b"")})


def wait(web: Web, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while web.app.state.loading.running is not None:
        assert time.monotonic() < deadline, web.app.state.loading.running
        time.sleep(0.05)


def tree(docs: Path) -> list[str]:
    return sorted(str(file.relative_to(docs)) for file in docs.rglob("*"))


def shown(client: httpx.Client, path: str = f"{PAGE}?still=1") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return html.unescape(answer.text)


def announced(web: Web, client: httpx.Client, size: int) -> str:
    """The answer to a body of that size, of which nothing was sent yet."""
    host, port = web.url.removeprefix("http://").split(":")
    cookie = f"{COOKIE}={client.cookies[COOKIE]}"
    head = f"POST {API} HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\nCookie: {cookie}\r\nContent-Length: {size}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode())
        return connection.recv(10_000).decode()


# --- who gets in


def test_others_than_administrators_find_nothing(web: Web, recipe: str) -> None:
    before = tree(web.docs)
    with web.client("hr") as client, web.client() as stranger:
        for method, path in (
            ("GET", PAGE),
            ("POST", PAGE),
            ("POST", f"{PAGE}/load"),
            ("GET", f"{PAGE}/follow.js"),
            ("GET", API),
            ("POST", API),
        ):
            assert problem(client.request(method, path), 404)["title"] == "NotFound"
            assert problem(stranger.request(method, path), 401)["title"] == "NotSignedIn"
        problem(send(client, f"{recipe}|hr", ("x.md", b"x")), 404)
        assert stranger.get(PAGE, headers=BROWSER).headers["location"] == "/login"
        assert client.get(PAGE, headers=BROWSER).status_code == 404
    assert tree(web.docs) == before


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_another_site_cannot_send(web: Web, recipe: str, origin: str) -> None:
    """By Origin; and the session cookie is SameSite=Lax, so a browser does not even send it along."""
    with web.client("chief") as client:
        client.headers["origin"] = origin
        for path in (PAGE, API):
            assert problem(send(client, f"{recipe}|", ("evil.md", b"x"), path=path), 403)["title"] == "CrossOrigin"
        assert problem(client.post(f"{PAGE}/load"), 403)["title"] == "CrossOrigin"
    assert not (web.docs / "evil.md").exists()


# --- what is shown


def test_documents_of_other_departments_are_only_counted(web: Web) -> None:
    company.write(web.docs, {"hr/empty_secret.md": "", "empty_notice.md": ""})
    with web.client("chief") as client:
        client.post(f"{PAGE}/load")
        wait(web)
    pages, lists = {}, {}
    for name in ("admin", "hr_admin", "chief"):
        with web.client(name, headers={"accept-language": "en"}) as client:
            pages[name], lists[name] = shown(client), client.get(API).json()
    seen = {name: {one["path"] for one in found["documents"]} for name, found in lists.items()}
    assert "notice.md" in seen["admin"]
    assert not any(path.startswith(("hr/", "sales/")) for path in seen["admin"])
    assert not any(word in pages["admin"] for word in ("leave.md", "grades", "prices", "empty_secret"))
    assert "empty_notice.md" in pages["admin"]
    assert "Documents of other departments: 1. Their names and reasons" in pages["admin"]
    assert {"hr/leave.md", "hr/empty_secret.md"} <= seen["hr_admin"]
    assert "hr/managers/grades.md" not in seen["hr_admin"]
    assert "hr/empty_secret.md" in pages["hr_admin"]
    assert "the file is empty" in pages["hr_admin"]
    assert lists["chief"]["other_departments"] == 0
    with web.client("admin") as client:
        failed = client.get(API, params={"status": "failed", "limit": 1, "offset": 0}).json()
    assert [one["path"] for one in failed["documents"]] == ["empty_notice.md"]
    assert (failed["total"], failed["other_departments"]) == (1, 1)
    whole = lists["chief"]["total"]
    assert all(found["total"] + found["other_departments"] == whole for found in lists.values())
    assert "the source folder" in pages["chief"], "a source that is away is said"
    with web.client("chief", headers={"accept-language": "ru"}) as client:
        russian, listed = shown(client), client.get(API, params={"status": "failed"}).json()
    assert "Файл пустой" in russian
    assert "источника «lost» нет" in russian
    assert "the file is empty" not in russian
    assert {one["error"] for one in listed["documents"]} == {"the file is empty"}, "programs read English"


def test_folders_are_offered_that_the_person_may_read(web: Web) -> None:
    (web.docs / "aside").symlink_to(web.docs / "hr")
    company.write(web.docs, {"it/closed/_meta.yaml": "level: 3", "it/closed/x.md": "закрыто"})
    with web.client("hr_admin") as client, web.client("admin") as plain, web.client("chief") as chief:
        assert 'company.yaml|hr"' in shown(client)
        assert 'company.yaml|hr/managers"' not in shown(client)
        assert 'company.yaml|hr"' not in shown(plain)
        assert 'company.yaml|it"' in shown(plain)
        assert 'company.yaml|it/closed"' not in shown(plain), "metadata of the folder narrows it"
        assert 'company.yaml|it/closed"' in shown(chief)
        assert "aside" not in shown(chief)
    (web.docs / "aside").unlink()


# --- what is refused


@pytest.mark.parametrize(
    ("folder", "name", "status", "said"),
    [
        ("sales", "x.md", 404, "no such folder"),
        ("hr/managers", "x.md", 404, "no such folder"),
        ("none", "x.md", 404, "no such folder"),
        ("../docs/hr", "x.md", 404, "no such folder"),
        ("hr/../sales", "x.md", 404, "no such folder"),
        ("/etc", "x.md", 404, "no such folder"),
        ("hr/", "x.md", 404, "no such folder"),
        ("hr", "x.exe", 422, ".docx"),
        ("hr", "../../x", 422, "can't be read"),
        ("hr", "C:\\x", 422, "can't be read"),
        ("hr", "x\0.md", 422, "invisible"),
        ("hr", ".x.md", 422, "no name for a document"),
        ("hr", "leave.md.meta.yaml", 422, "no name for a document"),
        ("hr", "я" * 200 + ".md", 422, "too long a name: 403 bytes"),
        ("hr", "leave.md", 409, "already"),
        ("link", "x.md", 404, "no such folder"),
    ],
)
def test_refusals(web: Web, recipe: str, folder: str, name: str, status: int, said: str) -> None:
    link = web.docs / "link"
    if not link.is_symlink():
        link.symlink_to(web.docs.parent)
    before = tree(web.docs)
    # written by hand: httpx escapes what browsers and attackers do not
    body = (
        f'--b\r\nContent-Disposition: form-data; name="place"\r\n\r\n{recipe}|{folder}\r\n'
        f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n# x\r\n--b--\r\n'
    )
    kind = {"content-type": "multipart/form-data; boundary=b"}
    with web.client("hr_admin") as client:
        if "\0" in name:  # a header may not hold it: the form is wrong as a whole
            answer = client.post(API, content=body.encode(), headers=kind)
            assert problem(answer, 422)
        else:
            assert said in problem(client.post(API, content=body.encode(), headers=kind), status)["detail"]
        page = client.post(PAGE, content=body.encode(), headers={**kind, **BROWSER})
        assert page.status_code == status
        assert "Not added" in page.text
    assert tree(web.docs) == before
    link.unlink()


def test_folders_in_a_name_lead_nowhere(web: Web, recipe: str) -> None:
    for number, name in enumerate(("../../up{}.md", "/etc/up{}.md", "C:\\windows\\up{}.md")):
        with web.client("hr_admin") as client:
            answer = send(client, f"{recipe}|hr", (name.format(number), b"# up"))
        assert (answer.status_code, answer.json()["stored"]) == (201, [f"hr/up{number}.md"])
        assert (web.docs / "hr" / f"up{number}.md").read_bytes() == b"# up"
    wait(web)


def test_too_large_a_file_is_never_stored(web: Web, recipe: str) -> None:
    large = b"x" * (1024 * 1024 + 1)
    with web.client("chief") as client:
        answer = send(client, f"{recipe}|", ("small.md", b"# small"), ("large.md", large))
        assert answer.json()["stored"] == ["small.md"]
        (refused,) = answer.json()["refused"]
        assert "larger than 1 MB" in refused["reason"]
        assert "larger than 1 MB" in problem(send(client, f"{recipe}|", ("large.md", large)), 413)["detail"]
        page = client.post(PAGE, data={"place": f"{recipe}|"}, files={"files": ("large.md", large)}, headers=BROWSER)
        assert (page.status_code, "larger than 1 MB" in page.text) == (413, True)
        assert "too much" in announced(web, client, 10**9)
    assert not (web.docs / "large.md").exists()
    wait(web)


def test_a_request_that_is_no_form_is_refused(web: Web, recipe: str) -> None:
    bad = b'--b\r\nContent-Disposition: form-data; name="place"\r\n\r\nno end'
    with web.client("chief") as client:
        for body, kind in ((b"{}", "application/json"), (b"x", "multipart/form-data"), (b"x", "")):
            assert (
                "not a form" in problem(client.post(API, content=body, headers={"content-type": kind}), 422)["detail"]
            )
        answer = client.post(API, content=bad, headers={"content-type": "multipart/form-data; boundary=b"})
        assert problem(answer, 422)
        assert "choose at least one" in problem(send(client, f"{recipe}|"), 422)["detail"]


def test_a_document_that_narrows_itself_is_not_overwritten(web: Web, recipe: str) -> None:
    """`hr/plan.md` is for level 2 by its metadata file: whoever may not read it can't put another one in its place."""
    company.write(web.docs, {"hr/plan.md": "# План\n\nПлан сокращений.", "hr/plan.md.meta.yaml": "level: 2"})
    with web.client("hr_admin") as client:
        for replace in ({}, {"replace": "1"}):
            problem(send(client, f"{recipe}|hr", ("plan.md", b"# x"), **replace), 404)
    assert "сокращений" in (web.docs / "hr" / "plan.md").read_text("utf-8")


# --- from the form to the search


def test_an_uploaded_document_is_found(web: Web, recipe: str) -> None:
    text = "# Велостоянка\n\nВелосипеды ставят во дворе у второго подъезда."
    with web.client("hr_admin", headers=BROWSER) as client:
        client.post(f"{PAGE}/load")
        wait(web)  # what other tests left
        answer = client.post(PAGE, data={"place": f"{recipe}|hr"}, files={"files": ("Велостоянка.md", text.encode())})
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?stored=1")
        assert "Files added: 1." in shown(client, answer.headers["location"])
        wait(web)
        page = shown(client, PAGE)
        assert 'http-equiv="refresh"' not in page
        assert "hr/Велостоянка.md" in page
        assert "Added: 1" in page
        found = client.post("/api/search", json={"query": "где ставят велосипеды"}, headers={"accept": "*/*"}).json()
        assert found["results"][0]["source"] == "hr/Велостоянка.md"

        again = text.replace("второго", "третьего").encode()
        assert send(client, f"{recipe}|hr", ("Велостоянка.md", again), replace="1").status_code == 201
        wait(web)
        found = client.post("/api/search", json={"query": "где ставят велосипеды"}, headers={"accept": "*/*"}).json()
        assert "третьего" in found["results"][0]["text"]
    with web.client("admin") as other:
        found = other.post("/api/search", json={"query": "где ставят велосипеды"}).json()
        assert not any(one["source"].startswith("hr/") for one in found["results"])


def test_the_page_follows_a_run_and_never_accepts_mass_deletions(web: Web) -> None:
    loading = web.app.state.loading
    with web.client("chief", headers=BROWSER) as client, web.client("admin", headers=BROWSER) as plain:
        with one_at_a_time(web.assistant.settings.storage.path / "run" / "ingest.lock"):
            client.post(f"{PAGE}/load")
            client.post(f"{PAGE}/load")
            deadline = time.monotonic() + 10
            while loading.running is None or not loading.running.waits:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            asked = loading.waiting()
            page = shown(client, PAGE)
            assert 'http-equiv="refresh" content="3' in page
            assert "another program is loading" in page
            assert 'type="file"' not in page
            assert 'type="file"' in shown(client, f"{PAGE}?still=1")
            assert "another program is loading" in shown(plain, PAGE)
        wait(web)
        assert len(asked) == 2, "a source that waits is not asked for twice"
        moved = web.docs.rename(web.docs.with_name("elsewhere"))
        web.docs.mkdir()
        client.post(f"{PAGE}/load")
        wait(web)
        assert "documents are gone from the source" in shown(client)
        web.docs.rmdir()
        moved.rename(web.docs)
    assert web.assistant.documents(status="indexed")
