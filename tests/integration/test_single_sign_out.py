"""Signing out of a single sign-on: here and at the provider, from here and from there."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from tests.conftest import need
from tests.integration.oidc_tokens import WRONG_LOGOUT, claims_of, logout_claims, sign
from tests.integration.single_sign_on import SignOn, Visitor, query, sign_on_site
from tests.servers.oidc_provider import PEOPLE, installed

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def sign_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignOn]:
    need(installed(), "node and npm, for the OpenID provider (apt-get install nodejs npm)")
    with sign_on_site(tmp_path_factory.mktemp("sso-out")) as found:
        yield found


@pytest.fixture
def inside(sign_on: SignOn) -> Iterator[Visitor]:
    with sign_on.visitor() as visitor:
        assert visitor.sign_in().status_code == 303
        yield visitor


def stored(sign_on: SignOn, columns: str = "sid, id_token") -> list[tuple[Any, ...]]:
    """Of the sessions that are there, the newest last."""
    with sqlite3.connect(sign_on.assistant.settings.storage.path / "assistant.db") as database:
        found = database.execute(f"SELECT {columns} FROM sessions ORDER BY created_at").fetchall()  # noqa: S608
    database.close()
    return found


def confirm(visitor: Visitor, page: str) -> str:
    """Says yes at the provider: where it leads in the end."""
    answer = visitor.client.get(page)
    action = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
    xsrf = re.search(r'name="xsrf" value="(\w+)"', answer.text)
    assert action, answer.text
    assert xsrf, answer.text
    answer = visitor.client.post(urljoin(page, action[1]), data={"xsrf": xsrf[1], "logout": "yes"})
    while answer.is_redirect and visitor.site.provider.issuer in answer.headers["location"]:
        answer = visitor.client.get(answer.headers["location"])
    return answer.headers.get("location", "")


def say(sign_on: SignOn, token: str) -> httpx.Response:
    """As the provider's server does: no cookie, no Origin."""
    return httpx.post(f"{sign_on.url}/auth/oidc/corp/logout", data={"logout_token": token}, trust_env=False)


def test_signing_out_here_leads_to_the_provider_and_back(sign_on: SignOn, inside: Visitor) -> None:
    answer = inside.client.post(f"{sign_on.url}/logout", headers={"origin": sign_on.url})
    assert answer.status_code == 200
    assert not inside.is_in()
    goodbye = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
    assert goodbye
    page = goodbye[1].replace("&amp;", "&")
    assert page.startswith(f"{sign_on.provider.issuer}/session/end?")
    assert query(page)["post_logout_redirect_uri"] == f"{sign_on.url}/login"
    assert claims_of(query(page)["id_token_hint"])["sub"] == PEOPLE["ivanova"]["sub"]
    assert confirm(inside, page) == f"{sign_on.url}/login"
    asked = inside.client.get(inside.begin())
    assert "/interaction/" in asked.headers["location"], "the provider still knows him"


def test_signing_out_at_the_provider_ends_the_session_here(sign_on: SignOn, inside: Visitor) -> None:
    with sign_on.visitor() as other:
        assert other.sign_in().status_code == 303
        confirm(inside, f"{sign_on.provider.issuer}/session/end")
        sign_on.provider.wait_for("backchannel.success")
        assert not inside.is_in()
        assert other.is_in(), "the same person's session of another browser has another name there"


@pytest.mark.parametrize("case", WRONG_LOGOUT)
def test_a_wrong_logout_token_ends_nothing(sign_on: SignOn, inside: Visitor, case: str) -> None:
    sid, _ = stored(sign_on)[-1]
    claims = logout_claims(sign_on.provider.issuer, sid=sid)
    answer = say(sign_on, WRONG_LOGOUT[case](claims, sign_on.provider.key))
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    assert inside.is_in()


def test_a_right_logout_token_ends_one_session_and_is_good_once(sign_on: SignOn, inside: Visitor) -> None:
    sid, _ = stored(sign_on)[-1]
    token = sign(logout_claims(sign_on.provider.issuer, sid=sid), sign_on.provider.key, typ="logout+jwt")
    answer = say(sign_on, token)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert not inside.is_in()
    assert say(sign_on, token).status_code == 400


def test_a_logout_token_with_the_person_ends_all_sessions_of_his_alone(sign_on: SignOn, inside: Visitor) -> None:
    with sign_on.visitor() as again, sign_on.visitor() as colleague:
        assert [again.sign_in().status_code, colleague.sign_in("petrov").status_code] == [303, 303]
        claims = logout_claims(sign_on.provider.issuer, sub=PEOPLE["ivanova"]["sub"])
        assert say(sign_on, sign(claims, sign_on.provider.key)).status_code == 200
        assert [visitor.is_in() for visitor in (inside, again, colleague)] == [False, False, True]


def test_an_id_token_is_no_logout_token(sign_on: SignOn, inside: Visitor) -> None:
    _, id_token = stored(sign_on)[-1]
    assert say(sign_on, id_token).status_code == 400
    assert inside.is_in()


def test_a_page_of_another_site_cannot_say_it(sign_on: SignOn, inside: Visitor) -> None:
    sid, _ = stored(sign_on)[-1]
    token = sign(logout_claims(sign_on.provider.issuer, sid=sid), sign_on.provider.key)
    answer = inside.client.post(
        f"{sign_on.url}/auth/oidc/corp/logout",
        data={"logout_token": token},
        headers={"origin": "https://evil.example"},
    )
    assert answer.status_code == 403
    assert inside.is_in()


def test_the_front_channel_ends_the_session_of_that_name(sign_on: SignOn, inside: Visitor) -> None:
    sid, _ = stored(sign_on)[-1]
    address = f"{sign_on.url}/auth/oidc/corp/logout"
    for wrong in ({}, {"sid": sid}, {"iss": "https://evil.example", "sid": sid}, {"iss": sign_on.provider.issuer}):
        assert httpx.get(address, params=wrong, trust_env=False).status_code == 400
    unknown = httpx.get(address, params={"iss": sign_on.provider.issuer, "sid": "unknown"}, trust_env=False)
    assert (unknown.status_code, inside.is_in()) == (200, True)
    assert httpx.get(address, params={"iss": sign_on.provider.issuer, "sid": sid}, trust_env=False).status_code == 200
    assert not inside.is_in()


def test_a_session_ends_after_the_hours_of_its_provider(sign_on: SignOn, inside: Visitor) -> None:
    path = sign_on.assistant.settings.storage.path / "assistant.db"
    for hours, is_in in (("-9 hours", True), ("-2 hours", False)):  # nine, then eleven of the ten it may have
        with sqlite3.connect(path) as database:
            database.execute("UPDATE sessions SET created_at = datetime(created_at, ?)", (hours,))
        database.close()
        assert inside.is_in() is is_in


def test_of_the_provider_nothing_is_kept_but_the_id_token(sign_on: SignOn, inside: Visitor) -> None:
    issued: list[dict[str, Any]] = []

    def note(path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path == "/token":
            issued.append(body)
        return body

    sign_on.proxy.change = note
    assert inside.come_back(inside.at_provider(inside.begin(), "ivanova")).status_code == 303
    sign_on.proxy.reset()
    storage = sign_on.assistant.settings.storage.path
    kept = b"".join(path.read_bytes() for path in storage.glob("assistant.db*"))
    assert issued[0]["id_token"].encode() in kept
    assert issued[0]["access_token"].encode() not in kept
