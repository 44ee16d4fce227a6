"""The page of one's own account: what it shows, what it changes, and that it is one's own."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator

import httpx
import pytest

from assistant.records.users import Users
from assistant.web.app import create_app
from assistant.web.session import COOKIE
from assistant.wiring import build
from tests.integration.web_site import PASSWORD, Web, problem, served, settings
from tests.servers.ollama import ScriptedOllama

BROWSER = {"accept": "text/html", "accept-language": "en"}
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEW = "another long password"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    place = tmp_path_factory.mktemp("account")
    with ScriptedOllama() as ollama, build(settings(place, ollama)) as assistant:
        app = create_app(assistant, ready=threading.Event())
        with served(app) as url:
            yield Web(url, app, assistant, ollama, place)


@pytest.fixture
def users(web: Web) -> Iterator[Users]:
    users = web.assistant.users
    users.add("anna", PASSWORD, roles=["engineer"], departments=["hr"], level=2)
    users.add("<b>boris</b>", PASSWORD, roles=[], departments=[], level=1)
    yield users
    for who in users.list():
        users.remove(who.name)


def page(client: httpx.Client, language: str = "en") -> str:
    answer = client.get("/account", headers={**BROWSER, "accept-language": language})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-store"
    return html.unescape(answer.text)


def created(client: httpx.Client, **form: object) -> httpx.Response:
    return client.post("/account/tokens", data={"name": "ci", "scope": ["ask"], "days": 30, **form}, headers=BROWSER)


def test_it_says_who_one_is_what_one_may_and_why(web: Web, users: Users) -> None:
    with web.client("anna", headers={"user-agent": FIREFOX}) as anna, web.client("anna") as other:
        shown = page(anna)
        for said in ("an account of this system", "given to this account", "company", "open to all staff", "engineer"):
            assert said in shown
        assert "Firefox, Windows" in shown
        assert "python-httpx" in shown
        assert shown.count("this browser") == 1
        assert 'href="/admin/answers"' in shown
        assert "Моя учётная запись" in page(other, "ru")
    with web.client("<b>boris</b>") as boris:
        assert "<b>boris" not in boris.get("/account", headers=BROWSER).text
        assert "engineer" not in page(boris)


def test_the_password_is_changed_and_all_other_sessions_end(web: Web, users: Users) -> None:
    users.set_password("anna", PASSWORD, must_change=True)
    with web.client("anna") as waiting:
        assert waiting.get("/health").status_code != 403
    with web.client("anna") as here, web.client("anna") as there:
        assert "Change your password first" in page(here)
        before = here.cookies[COOKIE]
        answer = here.post("/account/password", data={"old": PASSWORD, "new": NEW, "again": NEW})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account?said=changed")
        assert here.cookies[COOKIE] != before
        assert "The password was changed" in here.get("/account?said=changed", headers=BROWSER).text
        assert here.get("/api/survey").status_code == 200, "nothing has to be changed any more"
        assert there.get("/api/survey").status_code == 401
        old = {"cookie": f"{COOKIE}={before}"}
        assert here.get("/api/survey", headers=old).status_code == 401
    with web.client() as client:
        assert client.post("/login", data={"name": "anna", "password": PASSWORD}).status_code == 401
        assert client.post("/login", data={"name": "anna", "password": NEW}).status_code == 303


@pytest.mark.parametrize(
    ("old", "new", "again", "said", "status"),
    [
        ("wrong", NEW, NEW, "The present password is wrong", 403),
        (PASSWORD, "short", "short", "10 characters or more", 422),
        (PASSWORD, " " * 20, " " * 20, "10 characters or more", 422),
        (PASSWORD, NEW, f"{NEW}x", "typed differently", 422),
        (PASSWORD, PASSWORD, PASSWORD, "choose another", 422),
        ("", "", "", "10 characters or more", 422),
    ],
)
def test_a_change_that_is_refused(
    web: Web, users: Users, old: str, new: str, again: str, said: str, status: int
) -> None:
    with web.client("anna") as client:
        form = {"old": old, "new": new, "again": again}
        answer = client.post("/account/password", data=form, headers=BROWSER)
        assert answer.status_code == status
        assert said in html.unescape(answer.text)
        assert PASSWORD not in answer.text
        assert client.get("/api/survey").status_code == 200
    assert users.check_password(users.local("anna"), PASSWORD)


def test_signing_out_everywhere(web: Web, users: Users) -> None:
    with web.client("anna") as here, web.client("anna") as there, web.client("<b>boris</b>") as boris:
        answer = here.post("/account/sign-out-everywhere")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert [client.get("/api/survey").status_code for client in (here, there, boris)] == [401, 401, 200]


def test_a_token_is_shown_once_listed_and_revoked(web: Web, users: Users) -> None:
    with web.client("anna") as client:
        made = created(client, scope=["ask", "conversations"])
        assert made.status_code == 200
        assert made.headers["cache-control"] == "private, no-store"
        secret = re.search(r"lca_[\w-]{40,}", made.text)
        assert secret is not None
        assert secret[0] not in page(client)
        assert "questions and search; your conversations and ratings" in page(client)
        assert "never" in page(client)
        with web.client(headers={"authorization": f"Bearer {secret[0]}"}) as program:
            assert program.get("/api/survey").status_code == 200
        (token,) = web.assistant.tokens.list("anna")
        assert (token.scopes, token.used_at is not None) == (("ask", "conversations"), True)
        with web.client("<b>boris</b>") as boris:
            problem(boris.post(f"/account/tokens/{token.id}/revoke"), 404)
            problem(boris.post("/account/tokens/ci/revoke"), 404)
        problem(client.post("/account/tokens/ci/revoke"), 404)
        assert client.post(f"/account/tokens/{token.id}/revoke").status_code == 303
        assert web.assistant.tokens.list("anna") == []
    told = [record for record in web.assistant.audit.records() if record.kind.startswith("token.")]
    assert [(record.kind, record.actor) for record in told[-2:]] == [
        ("token.created", "anna"),
        ("token.revoked", "anna"),
    ]


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"name": " "}, 422, "give it a name"),
        ({"scope": []}, 422, "tick what it opens"),
        ({"scope": ["admin"]}, 403, ""),
        ({"scope": ["everything"]}, 403, ""),
        ({"days": 36500}, 403, ""),
        ({"days": "many"}, 422, ""),
    ],
)
def test_a_token_that_is_not_made(web: Web, users: Users, form: dict[str, object], status: int, said: str) -> None:
    with web.client("<b>boris</b>") as client:
        answer = created(client, **form)
        assert answer.status_code == status
        assert said in html.unescape(answer.text)
        assert "administration" not in page(client), "a scope for people with its roles"
    assert web.assistant.tokens.list("<b>boris</b>") == []


def test_an_engineer_may_have_a_token_for_his_pages(web: Web, users: Users) -> None:
    with web.client("anna") as client:
        assert "administration" in page(client)
        assert created(client, scope=["admin"]).status_code == 200
