"""Coming in over HTTP: the sign-in page, its cookie and its time, who must change the password, what a token opens."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from assistant.parts.sign_in import PasswordSignIn
from assistant.records.database import Database
from assistant.records.tokens import SCOPES
from assistant.settings import Server
from assistant.web.app import create_app
from assistant.web.session import COOKIE, scope_for
from assistant.wiring import build
from tests.integration.app_routes import routes
from tests.integration.web_site import PASSWORD, Web, problem, served, settings
from tests.servers.ollama import ScriptedOllama
from tests.unit.accounts import Directory, service

BROWSER = {"accept": "text/html", "accept-language": "en"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Nothing is loaded, nobody asks: only who comes in."""
    place = tmp_path_factory.mktemp("sign-in")
    with ScriptedOllama() as ollama, build(settings(place, ollama)) as assistant:
        for name, roles in (("anna", []), ("boris", ["admin"])):
            assistant.users.add(name, PASSWORD, roles=roles, departments=[], level=1)
        app = create_app(assistant, ready=threading.Event())
        with served(app) as url:
            yield Web(url, app, assistant, ollama, place)


@pytest.fixture
def newcomer(web: Web) -> Iterator[str]:
    """Somebody whose password was made for him."""
    web.assistant.users.add("newcomer", PASSWORD, roles=["admin"], departments=[], level=1, must_change=True)
    yield "newcomer"
    web.assistant.users.remove("newcomer")


def database(web: Web) -> Database:
    return Database(web.assistant.settings.database_url)


# --- the page


def test_without_any_way_in_the_page_says_so(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with web.client(headers=BROWSER) as client:
        page = client.get("/login")
        assert 'action="/login"' in page.text
        assert page.headers["cache-control"] == "no-store"
        monkeypatch.setattr(type(web.assistant.accounts), "has_passwords", property(lambda _: False))
        page = client.get("/login")
        assert 'action="/login"' not in page.text
        assert "No way to sign in is set up" in page.text


@pytest.mark.parametrize(("language", "said"), [("ru", "отключена"), ("en", "switched off")])
def test_an_account_that_is_off_is_told_so_to_who_has_its_password(web: Web, language: str, said: str) -> None:
    web.assistant.users.expire("anna", datetime.now(UTC))
    try:
        with web.client(headers={"accept": "text/html", "accept-language": language}) as client:
            refused = client.post("/login", data={"name": "anna", "password": PASSWORD})
            wrong = client.post("/login", data={"name": "anna", "password": "wrong"})
    finally:
        web.assistant.users.expire("anna", None)
    assert refused.status_code == 403
    assert said in refused.text
    assert 'value="anna"' in refused.text
    assert wrong.status_code == 401
    assert said not in wrong.text


def site_of(place: Path, *ways: PasswordSignIn, **blocks: Any) -> Iterator[Web]:
    """Another one, with ways to sign in of its own."""
    with ScriptedOllama() as ollama, build(settings(place, ollama, **blocks)) as built:
        accounts = service(Database(built.settings.database_url), *ways, settings=built.settings.auth)
        assistant = replace(built, accounts=accounts)
        assistant.users.add("local", PASSWORD, roles=[], departments=[], level=1)
        app = create_app(assistant, ready=threading.Event())
        with served(app) as url:
            yield Web(url, app, assistant, ollama, place)


def test_a_directory_that_is_away(tmp_path: Path) -> None:
    corp = Directory()
    corp.person("petrov", "7", password=PASSWORD)
    for web in site_of(tmp_path, corp):
        with web.client("petrov") as client, web.client(headers=BROWSER) as stranger:
            corp.down = True
            for name in ("petrov", "nobody"):
                refused = stranger.post("/login", data={"name": name, "password": PASSWORD})
                assert refused.status_code == 503
                assert "staff directory does not answer" in refused.text
                assert "is wrong" not in refused.text
            assert stranger.post("/login", data={"name": "local", "password": PASSWORD}).status_code == 303
            with create_engine(web.assistant.settings.database_url).begin() as connection:
                long_ago = datetime.now(UTC) - timedelta(hours=1, minutes=1)
                connection.execute(text("UPDATE users SET checked_at = :at WHERE name = 'petrov'"), {"at": long_ago})
            said = problem(client.get("/api/survey"), 503)
            assert said["title"] == "SignInUnavailable"
            assert "'corp' does not answer" in said["detail"]
            page = client.get("/", headers=BROWSER)
            assert page.status_code == 503
            assert "staff directory does not answer" in page.text
            assert client.get("/login", headers=BROWSER).status_code == 503, "he may come in another way"


def test_wrong_names_and_wrong_passwords_take_the_same_time(web: Web) -> None:
    """To half a second, whoever checks them: `python -m tests.load.sign_in` measures it more finely."""
    with web.client() as client:
        for name in ("anna", "nobody"):
            began = time.monotonic()
            assert client.post("/login", data={"name": name, "password": "wrong"}).status_code == 401
            taken = time.monotonic() - began
            assert taken % 0.5 < 0.15, taken


# --- the session


def test_signing_in_makes_a_new_session_and_ends_the_one_that_was_there(web: Web) -> None:
    planted = "x" * 43
    with web.client() as client:
        client.cookies.set(COOKIE, planted, domain="127.0.0.1", path="/")
        client.post("/login", data={"name": "anna", "password": PASSWORD})
        first = client.cookies[COOKIE]
        assert first != planted
        client.post("/login", data={"name": "boris", "password": PASSWORD})
        assert client.cookies[COOKIE] != first
        old = client.get("/api/survey", headers={"cookie": f"{COOKIE}={first}"})
        assert old.status_code == 401


def test_behind_tls_the_cookie_can_be_set_by_this_host_alone(tmp_path: Path) -> None:
    for web in site_of(tmp_path, server=Server(secure_cookies=True)):
        with web.client() as client:
            answer = client.post("/login", data={"name": "local", "password": PASSWORD})
            found, known = answer.headers.get_list("set-cookie")
            assert known.startswith("__Host-assistant_browser=")
            assert re.fullmatch(
                rf"__Host-{COOKIE}=[\w-]{{40,}}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax; Secure", found
            )
            value = found.partition("=")[2].partition(";")[0]
            assert client.get("/api/survey", headers={"cookie": f"__Host-{COOKIE}={value}"}).status_code == 200
            assert client.get("/api/survey", headers={"cookie": f"{COOKIE}={value}"}).status_code == 401
            out = client.post("/logout", headers={"cookie": f"__Host-{COOKIE}={value}"})
            assert re.match(
                rf'__Host-{COOKIE}=""; .*Max-Age=0; Path=/; SameSite=lax; Secure', out.headers["set-cookie"]
            )


def test_so_is_the_cookie_that_binds_a_single_sign_on_to_a_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for web in site_of(tmp_path, server=Server(secure_cookies=True)):
        monkeypatch.setattr(web.assistant.single_sign_on, "begin", lambda *_, **__: "https://id.example/")
        with web.client() as client:
            found = client.get("/auth/oidc/corp").headers["set-cookie"]
            key = r"__Host-assistant_sign_in=[\w-]{43}"
            assert re.fullmatch(rf"{key}; HttpOnly; Max-Age=600; Path=/; SameSite=lax; Secure", found)


def test_disabling_an_account_ends_what_it_has_open_at_once(web: Web) -> None:
    _, secret = web.assistant.tokens.create("anna", "ci", days=1, scopes=SCOPES)
    program = {"authorization": f"Bearer {secret}"}
    with web.client("anna") as person, web.client(headers=program) as other:
        assert (person.get("/api/survey").status_code, other.get("/api/survey").status_code) == (200, 200)
        web.assistant.users.disable("anna")
        try:
            assert (person.get("/api/survey").status_code, other.get("/api/survey").status_code) == (401, 401)
        finally:
            web.assistant.users.enable("anna")
            web.assistant.tokens.revoke("anna", "ci")
        assert person.get("/api/survey").status_code == 401, "what was ended stays so"


def test_a_change_with_the_cookie_alone_is_refused(web: Web) -> None:
    with web.client("anna") as client:
        cookie = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
        with httpx.Client(base_url=web.url, trust_env=False) as silent:
            refused = problem(silent.delete("/api/conversations/x", headers=cookie), 403)
            assert refused["title"] == "CrossOrigin"
            assert "token" in refused["detail"]
            assert silent.get("/api/survey", headers=cookie).status_code == 200
            assert silent.post("/login", data={"name": "anna", "password": PASSWORD}).status_code == 403
        cross = {"sec-fetch-site": "cross-site"}
        assert client.post("/logout", headers=cross).status_code == 403
        assert client.post("/account/password", headers=cross).status_code == 403
        assert client.get("/api/survey").status_code == 200


# --- a password that has to be changed


def test_who_must_change_the_password_gets_nowhere_else(web: Web, newcomer: str) -> None:
    with web.client(newcomer) as client:
        for path in ("/api/survey", "/api/conversations", "/v1/models", "/openapi.json", "/gradio_api/info", "/config"):
            answer = client.get(path)
            assert answer.status_code == 403, path
            assert "change your password first: open /account" in answer.text
        for path in ("/", "/admin/documents", "/documents/x", "/survey"):
            answer = client.get(path, headers=BROWSER)
            assert (answer.status_code, answer.headers["location"]) == (303, "/account"), path
        assert client.post("/account/tokens", data={"name": "x"}).status_code == 403
        page = client.get("/account", headers=BROWSER)
        assert page.status_code == 200
        assert len(re.findall("<form", page.text)) == 2, "the change, and signing out"
        assert client.get("/language/ru").status_code == 303
        assert client.post("/logout").status_code == 303


def test_a_program_of_such_a_person_works(web: Web, newcomer: str) -> None:
    """Its token was made by an administrator, or the password was only now set anew: it opens what it opened."""
    _, secret = web.assistant.tokens.create(newcomer, "ci", days=1)
    with web.client(headers={"authorization": f"Bearer {secret}"}) as client:
        assert client.get("/v1/models").status_code == 200


# --- what a token opens


def listed(web: Web) -> set[tuple[str, str]]:
    """(method, path) of our own routes: Gradio's are mounted, and a token opens none of them."""
    names = (name.split(" ", 1) for name in routes(web.app.routes))
    return {(method, path) for method, path in names}


def test_every_address_for_programs_belongs_to_a_scope(web: Web) -> None:
    begins = ("/api/", "/v1/", "/documents/", "/openapi.json")
    found = {path for _, path in listed(web) if path.startswith(begins)}
    assert len(found) > 12
    assert {path for path in found if scope_for(path) is None} == set()
    assert {scope_for(path) for path in found} == {*SCOPES, ""}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_opens_its_scope_and_nothing_else(web: Web, scope: str) -> None:
    _, secret = web.assistant.tokens.create("boris", scope, days=1, scopes=[scope])
    begins = ("/api/", "/v1/", "/documents/")
    found = {(method, path) for method, path in listed(web) if path.startswith(begins)}
    opened = 0
    with web.client(headers={"authorization": f"Bearer {secret}"}) as client:
        for method, path in sorted(found | {("GET", "/api/new"), ("POST", "/api/searching"), ("GET", "/api/")}):
            answer = client.request(method, re.sub(r"\{[^}]*\}", "x", path), json={} if method == "POST" else None)
            if scope_for(path) == scope:
                opened += 1
                assert answer.status_code not in (401, 403), path
            elif method == "HEAD":
                assert answer.status_code == 403, path
            else:
                said = answer.json()["error"]["message"] if path.startswith("/v1/") else problem(answer, 403)["detail"]
                assert f"this token opens {scope}, not this" in said, path
        assert client.get("/openapi.json").status_code == 200
        assert client.get("/account", headers=BROWSER).headers["location"] == "/login", "no page"
    assert opened
    web.assistant.tokens.revoke("boris", scope)


def test_the_scope_admin_gives_nobody_a_role(web: Web) -> None:
    _, secret = web.assistant.tokens.create("anna", "too much", days=1, scopes=SCOPES)
    with web.client(headers={"authorization": f"Bearer {secret}"}) as client:
        problem(client.get("/api/admin/statistics"), 404)
