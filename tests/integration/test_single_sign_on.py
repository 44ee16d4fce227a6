"""Single sign-on at a real provider: who comes in, and with what; every other way ends with a sentence."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

import httpx
import pytest

from assistant.access.principal import AccessClass
from assistant.errors import SignInUnavailable
from assistant.parts.sign_in import oidc_discovery
from assistant.parts.sign_in.oidc import OidcSignIn
from assistant.settings_oidc import Oidc
from tests.conftest import need
from tests.integration.oidc_tokens import ATTACKER, WRONG, claims_of, sign
from tests.integration.single_sign_on import SignOn, Visitor, query, sign_on_site
from tests.servers.oidc_provider import CLIENT, SECRET, installed

pytestmark = pytest.mark.server
CHECKS = "did not pass the checks"
OVER = "finished, out of time, or was begun in another browser"


@pytest.fixture(scope="module")
def sign_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignOn]:
    need(installed(), "node and npm, for the OpenID provider (apt-get install nodejs npm)")
    with sign_on_site(tmp_path_factory.mktemp("sso")) as found:
        yield found


@pytest.fixture(autouse=True)
def _untouched(sign_on: SignOn) -> Iterator[None]:
    yield
    sign_on.proxy.reset()


@pytest.fixture(scope="module")
def known(sign_on: SignOn) -> Iterator[Visitor]:
    """Somebody whom the provider does not ask again."""
    with sign_on.visitor() as visitor:
        assert visitor.sign_in().status_code == 303
        yield visitor


def refused(visitor: Visitor, answer: httpx.Response, sentence: str, status: int = 403) -> None:
    """The sign-in page with that sentence, and no session of ours."""
    assert answer.status_code == status, answer.text
    assert sentence in answer.text
    assert "assistant_session" not in answer.headers.get("set-cookie", "")


def begin_again(visitor: Visitor) -> str:
    """Without the session that is there: the address that the provider sends him back to."""
    visitor.client.cookies.delete("assistant_session", domain="127.0.0.1") if visitor.session else None
    return visitor.at_provider(visitor.begin(), "ivanova")


# --- who comes in


def test_a_person_comes_in_with_the_rights_of_the_groups(sign_on: SignOn) -> None:
    with sign_on.visitor() as visitor:
        answer = visitor.sign_in("ivanova")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert visitor.is_in()
        assert visitor.session
        person = sign_on.assistant.accounts.of_session(visitor.session)
    assert person is not None
    assert (person.name, "engineer" in person.roles) == ("ivanova", True)
    assert person.grants == {AccessClass("hr", 2)}


def test_a_person_without_groups_has_the_rights_of_everyone(sign_on: SignOn) -> None:
    with sign_on.visitor() as visitor:
        assert visitor.sign_in("petrov").status_code == 303
        assert visitor.session
        person = sign_on.assistant.accounts.of_session(visitor.session)
    assert person is not None
    assert (person.grants, person.roles) == (frozenset(), {"user"})


def test_a_person_is_known_by_sub_whatever_the_name(sign_on: SignOn, known: Visitor) -> None:
    sign_on.proxy.change = lambda path, body: _with_token(body, sign_on, preferred_username="ivanova-married")
    answer = known.come_back(begin_again(known))
    assert answer.status_code == 303
    assert known.session
    renamed = sign_on.assistant.accounts.of_session(known.session)
    assert renamed is not None
    assert renamed.name == "ivanova-married"
    sign_on.proxy.change = lambda path, body: _with_token(
        body, sign_on, sub="another", preferred_username="ivanova-married"
    )
    assert known.come_back(begin_again(known)).status_code == 303
    other = sign_on.assistant.accounts.of_session(known.session)
    assert other is not None
    assert (other.id == renamed.id, other.name == renamed.name) == (False, False)


@pytest.mark.parametrize("login", ["many", "overage", "odd"])
def test_who_comes_without_a_list_of_groups_is_told_so(sign_on: SignOn, login: str) -> None:
    with sign_on.visitor() as visitor:
        refused(visitor, visitor.sign_in(login), "did not list your groups")
        assert not visitor.is_in()


def test_who_comes_without_a_name_is_told_so(sign_on: SignOn) -> None:
    with sign_on.visitor() as visitor:
        refused(visitor, visitor.sign_in("nameless"), "did not tell your name")


def test_what_the_id_token_lacks_comes_from_userinfo(sign_on: SignOn, known: Visitor) -> None:
    sign_on.proxy.change = lambda path, body: _with_token(body, sign_on, groups=None)
    assert known.come_back(begin_again(known)).status_code == 303
    assert "/me" in sign_on.proxy.seen
    assert known.session
    person = sign_on.assistant.accounts.of_session(known.session)
    assert person is not None
    assert person.grants == {AccessClass("hr", 2)}

    def of_another(path: str, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "sub": "another"} if path == "/me" else _with_token(body, sign_on, groups=None)

    sign_on.proxy.change = of_another
    refused(known, known.come_back(begin_again(known)), CHECKS)


# --- on the way there


def test_what_the_provider_is_asked(sign_on: SignOn) -> None:
    with sign_on.visitor() as visitor:
        first, second = query(visitor.begin()), query(visitor.begin())
        forged = query(
            visitor.client.get(f"{sign_on.url}/auth/oidc/corp", headers={"host": "evil.example"}).headers["location"]
        )
        cookie = visitor.client.get(f"{sign_on.url}/auth/oidc/corp").headers["set-cookie"]
    assert (first["response_type"], first["code_challenge_method"]) == ("code", "S256")
    assert first["scope"] == "openid profile email groups"
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]
    assert first["redirect_uri"] == forged["redirect_uri"] == f"{sign_on.url}/auth/oidc/corp/callback"
    assert {"HttpOnly", "Max-Age=600", "Path=/auth/oidc/", "SameSite=lax"} <= set(cookie.split("; "))


def test_pkce_the_code_is_worth_nothing_without_the_verifier(sign_on: SignOn, known: Visitor) -> None:
    page = known.begin()
    code = query(known.at_provider(page, "ivanova"))["code"]
    redeem = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": f"{sign_on.url}/auth/oidc/corp/callback",
    }
    answer = httpx.post(
        f"{sign_on.provider.issuer}/token", data=redeem, auth=(CLIENT, quote_plus(SECRET)), trust_env=False
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    page = known.begin()
    assert known.come_back(known.at_provider(page, "ivanova")).status_code == 303
    (body,) = [body for path, _, body in sign_on.proxy.forms[-1:] if path == "/token"]
    verifier = parse_qs(body.decode())["code_verifier"][0]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert query(page)["code_challenge"] == challenge


def test_several_tabs_at_once(sign_on: SignOn) -> None:
    with sign_on.visitor() as visitor:
        pages = [visitor.begin(), visitor.begin()]
        assert [visitor.come_back(visitor.at_provider(page, "ivanova")).status_code for page in pages] == [303, 303]


def test_there_is_nowhere_else_to_be_sent(sign_on: SignOn, known: Visitor) -> None:
    elsewhere = urlencode({"next": "https://evil.example", "redirect_uri": "https://evil.example"})
    page = known.client.get(f"{sign_on.url}/auth/oidc/corp?{elsewhere}").headers["location"]
    assert "evil" not in page
    answer = known.come_back(f"{known.at_provider(page, 'ivanova')}&{elsewhere}")
    assert answer.headers["location"] == "/"


# --- coming back with something else


@pytest.mark.parametrize("case", WRONG)
def test_a_tampered_token_is_refused(sign_on: SignOn, known: Visitor, case: str) -> None:
    address = begin_again(known)

    def change(path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path != "/token":
            return body
        return {**body, "id_token": WRONG[case](claims_of(body["id_token"]), sign_on.provider.key)}

    sign_on.proxy.change = change
    refused(known, known.come_back(address), CHECKS)
    assert not known.is_in()


def test_a_token_signed_anew_without_a_change_is_accepted(sign_on: SignOn, known: Visitor) -> None:
    """What the test before this one makes is refused for its change alone."""
    sign_on.proxy.change = lambda path, body: _with_token(body, sign_on)
    assert known.come_back(begin_again(known)).status_code == 303


def test_an_answer_without_a_token_is_refused(sign_on: SignOn, known: Visitor) -> None:
    address = begin_again(known)
    sign_on.proxy.change = lambda path, body: {name: value for name, value in body.items() if name != "id_token"}
    refused(known, known.come_back(address), "did not work")


def test_a_state_is_good_once(sign_on: SignOn) -> None:
    with sign_on.visitor() as visitor:
        address = visitor.at_provider(visitor.begin(), "ivanova")
        assert visitor.come_back(address).status_code == 303
        refused(visitor, visitor.come_back(address), OVER)


@pytest.mark.parametrize("state", [None, "", "wrong"])
def test_a_wrong_state_is_refused(sign_on: SignOn, known: Visitor, state: str | None) -> None:
    address = begin_again(known)
    given = {**query(address), "state": state}
    changed = urlencode({name: value for name, value in given.items() if value is not None})
    refused(known, known.come_back(f"{address.partition('?')[0]}?{changed}"), OVER)
    assert "/token" not in sign_on.proxy.seen  # the code of a stranger is not redeemed


def test_a_state_ends_by_itself(sign_on: SignOn, known: Visitor) -> None:
    address = begin_again(known)
    with sqlite3.connect(sign_on.assistant.settings.storage.path / "assistant.db") as database:
        assert database.execute("UPDATE one_time SET expires_at = datetime('now', '-1 second')").rowcount
    database.close()
    refused(known, known.come_back(address), OVER)


def test_nobody_is_signed_in_as_another_who_leads_him_here(sign_on: SignOn) -> None:
    """A stranger begins, and has somebody else's browser open the address that ends it: login CSRF."""
    with sign_on.visitor() as stranger, sign_on.visitor() as victim:
        address = stranger.at_provider(stranger.begin(), "petrov")
        victim.begin()  # he has a cookie of his own
        refused(victim, victim.come_back(address), OVER)
        assert not victim.is_in()
        refused(stranger, stranger.come_back(address), OVER)  # nor can it be used after that


@pytest.mark.parametrize("issuer", [None, "https://evil.example"])
def test_an_answer_of_another_provider_is_refused(sign_on: SignOn, known: Visitor, issuer: str | None) -> None:
    """RFC 9207: this provider says that its answers name it."""
    address = begin_again(known)
    given = {**query(address), "iss": issuer}
    changed = urlencode({name: value for name, value in given.items() if value is not None})
    refused(known, known.come_back(f"{address.partition('?')[0]}?{changed}"), CHECKS)
    assert "/token" not in sign_on.proxy.seen


def test_who_cancels_at_the_provider_is_told_so(sign_on: SignOn) -> None:
    with sign_on.visitor() as visitor:
        page = visitor.client.get(visitor.begin())
        cancelled = visitor.client.get(f"{sign_on.provider.issuer}{urlsplit(page.headers['location']).path}/abort")
        back = visitor.client.get(cancelled.headers["location"]).headers["location"]
        assert query(back)["error"] == "access_denied"
        refused(visitor, visitor.come_back(back), "refused, or the sign-in was cancelled")


def test_words_of_the_provider_are_not_shown(sign_on: SignOn, known: Visitor) -> None:
    kept = query(begin_again(known))
    evil = {
        "error": "<script>alert(1)</script>",
        "error_description": "call 555-0100 <b>",
        "error_uri": "https://evil.example",
    }
    address = f"{sign_on.url}/auth/oidc/corp/callback?{urlencode({**evil, 'state': kept['state'], 'iss': kept['iss']})}"
    answer = known.come_back(address)
    refused(known, answer, "did not work")
    assert not any(word in answer.text for word in ("alert(1)", "555", "evil.example"))


def test_a_provider_that_is_not_there(sign_on: SignOn, known: Visitor) -> None:
    answer = known.client.get(f"{sign_on.url}/auth/oidc/other")
    assert answer.status_code == 404
    assert known.client.get(f"{sign_on.url}/auth/oidc/other/callback?state=x&code=y").status_code == 404


def test_a_provider_that_hangs_is_not_waited_for(sign_on: SignOn, known: Visitor) -> None:
    address = begin_again(known)
    sign_on.proxy.hang.set()
    refused(known, known.come_back(address), "does not answer", 503)


# --- the provider's keys and its word of itself


def test_a_new_key_is_fetched_and_unknown_ones_not_again_and_again(
    sign_on: SignOn, known: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_new_key(path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path == "/jwks":
            return {"keys": [*body["keys"], {"kty": "future"}, ATTACKER.as_dict(private=False)]}
        if path == "/token":
            return {**body, "id_token": sign(claims_of(body["id_token"]), ATTACKER, kid="attacker")}
        return body

    sign_on.proxy.change = with_new_key
    monkeypatch.setattr(oidc_discovery, "_REFETCH_SECONDS", 3600.0)
    for _ in range(2):
        refused(known, known.come_back(begin_again(known)), CHECKS)
    assert "/jwks" not in sign_on.proxy.seen  # not so soon after the last time
    monkeypatch.setattr(oidc_discovery, "_REFETCH_SECONDS", 0.0)
    assert known.come_back(begin_again(known)).status_code == 303
    assert sign_on.proxy.seen.count("/jwks") == 1
    sign_on.proxy.change = None
    monkeypatch.setattr(oidc_discovery, "_KEPT_SECONDS", 0.0)  # as an hour later: a key that is withdrawn is forgotten
    assert known.come_back(begin_again(known)).status_code == 303


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"issuer": "http://localhost:1"}, "it says issuer 'http://localhost:1'"),
        ({"issuer": None}, "it says issuer"),
        ({"token_endpoint": "http://evil.example/token"}, "its token_endpoint is no https address"),
        ({"jwks_uri": None}, "its jwks_uri is no https address"),
        ({"end_session_endpoint": "javascript:alert(1)"}, "its end_session_endpoint is no https address"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
    ],
)
def test_a_discovery_that_does_not_fit_is_refused(sign_on: SignOn, changed: dict[str, Any], why: str) -> None:
    sign_on.proxy.change = lambda path, body: {**body, **changed}
    way = OidcSignIn(Oidc(name="corp", issuer=sign_on.provider.issuer, client_id=CLIENT))
    with pytest.raises(SignInUnavailable, match=why):
        way.begin(f"{sign_on.url}/auth/oidc/corp/callback")


def _with_token(body: dict[str, Any], sign_on: SignOn, **claims: Any) -> dict[str, Any]:
    """The answer with these claims in its token, signed by the provider's key; None leaves one out."""
    if "id_token" not in body:
        return body
    changed = {**claims_of(body["id_token"]), **claims}
    kept = {name: value for name, value in changed.items() if value is not None}
    return {**body, "id_token": sign(kept, sign_on.provider.key)}
