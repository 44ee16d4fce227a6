"""Guessing passwords and tokens over HTTP: who guesses waits, and the person whose account it is gets in."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import httpx
import pytest

from assistant.access import throttle
from assistant.settings import Server
from assistant.settings_security import Limits
from tests.integration.company import ANY
from tests.integration.web_site import PASSWORD, Web, problem, site

pytestmark = pytest.mark.server
GUESSER, COLLEAGUE = "198.51.100.7", "192.0.2.7"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """With the limits of sign-ins that a company has by default."""
    default = Limits()
    limits = ANY.model_copy(
        update={name: getattr(default, name) for name in ("wrong_passwords", "address_wrong_passwords")}
    )
    server = Server.model_validate({"trusted_proxies": ["127.0.0.1"]})
    with site(tmp_path_factory.mktemp("throttle"), limits=limits, server=server) as found:
        yield found


@pytest.fixture
def name(web: Web) -> str:
    """Somebody whom nobody has guessed yet."""
    name = f"anna-{time.monotonic_ns()}"
    web.assistant.users.add(name, PASSWORD, roles=[], departments=[], level=1)
    return name


def sign_in(client: httpx.Client, name: str, password: str, address: str, language: str = "en") -> httpx.Response:
    headers = {"x-forwarded-for": address, "accept": "text/html", "accept-language": language}
    return client.post("/login", data={"name": name, "password": password}, headers=headers)


def is_in(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.headers.get("location")) == (303, "/")


def test_twenty_wrong_passwords_in_ten_seconds(web: Web, name: str) -> None:
    with web.client() as client:
        answers = [sign_in(client, name, f"wrong-{number}", "198.51.100.1") for number in range(20)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 15
        seconds = answers[5].headers["retry-after"]
        assert 1 <= int(seconds) <= 60
        assert f"Too many failed attempts to sign in. Try again in {seconds}\N{NO-BREAK SPACE}s." in answers[5].text
        assert f'value="{name}"' in answers[5].text
        right = sign_in(client, name, PASSWORD, "198.51.100.1", "ru")
        assert right.status_code == 429
        assert "Слишком много неудачных попыток входа. Попробуйте снова через" in right.text
        assert is_in(sign_in(client, name, PASSWORD, COLLEAGUE)), "elsewhere at once"


def test_the_right_one_works_later(web: Web, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a first window for which a test can wait."""
    monkeypatch.setattr(throttle, "_MINUTE", 10)
    with web.client() as client:
        assert [sign_in(client, name, "wrong", "198.51.100.2").status_code for _ in range(6)] == [401] * 5 + [429]
        throttled = sign_in(client, name, PASSWORD, "198.51.100.2")
        assert throttled.status_code == 429
        time.sleep(int(throttled.headers["retry-after"]))
        assert is_in(sign_in(client, name, PASSWORD, "198.51.100.2"))


def test_a_throttled_attempt_costs_no_hash_and_says_nothing_of_the_name(web: Web, name: str) -> None:
    with web.client() as client:
        for who, address in ((name, "198.51.100.3"), ("nobody-at-all", "198.51.100.4")):
            assert [sign_in(client, who, "wrong", address).status_code for _ in range(5)] == [401] * 5
        known, unknown = (
            [sign_in(client, who, "wrong", address) for _ in range(5)]
            for who, address in ((name, "198.51.100.3"), ("nobody-at-all", "198.51.100.4"))
        )
        assert {answer.status_code for answer in (*known, *unknown)} == {429}
        first, second = known[0], unknown[0]
        waits = [f"in {answer.headers['retry-after']}\N{NO-BREAK SPACE}s" for answer in (first, second)]
        pages = [re.sub(r'nonce="[^"]+"', "", answer.text) for answer in (first, second)]
        assert waits[0] in pages[0]
        assert pages[0].replace(name, "N").replace(waits[0], "") == pages[1].replace("nobody-at-all", "N").replace(
            waits[1], ""
        )
        assert min(answer.elapsed.total_seconds() for answer in known) < 0.1


def test_a_colleague_gets_in_from_a_known_browser_while_a_stranger_guesses_at_the_same_address(
    web: Web, name: str
) -> None:
    with web.client() as colleague, web.client() as stranger:
        entered = sign_in(colleague, name, PASSWORD, "198.51.100.5")
        assert is_in(entered)
        (cookie,) = [one for one in entered.headers.get_list("set-cookie") if one.startswith("assistant_browser=")]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert f"Max-Age={180 * 86400}" in cookie
        guesses = [sign_in(stranger, name, "wrong", "198.51.100.5").status_code for _ in range(20)]
        assert 429 in guesses
        assert sign_in(stranger, name, PASSWORD, "198.51.100.5").status_code == 429
        colleague.cookies.delete("assistant_session")
        again = sign_in(colleague, name, PASSWORD, "198.51.100.5")
        assert is_in(again)
        assert again.cookies["assistant_browser"] == entered.cookies["assistant_browser"]
        assert sign_in(stranger, name, PASSWORD, "198.51.100.5").status_code == 429, "that freed nobody else"


def test_a_known_browser_of_one_is_none_of_anothers(web: Web, name: str) -> None:
    with web.client() as client:
        assert is_in(sign_in(client, "sales", PASSWORD, "198.51.100.6"))
        client.cookies.delete("assistant_session")
        guesses = [sign_in(client, name, "wrong", "198.51.100.6").status_code for _ in range(6)]
        assert guesses == [401] * 5 + [429]


def test_many_names_from_one_address(web: Web) -> None:
    with web.client() as client:
        said = [sign_in(client, f"name-{number}", "wrong", GUESSER).status_code for number in range(18)]
        assert said == [401] * 15 + [429] * 3


def test_the_present_password_on_the_account_page_is_no_way_to_guess_it(web: Web, name: str) -> None:
    with web.client() as client:
        assert is_in(sign_in(client, name, PASSWORD, "198.51.100.8"))
        form = {"old": "wrong", "new": "another good one", "again": "another good one"}
        headers = {"x-forwarded-for": "198.51.100.8", "origin": web.url}
        said = [client.post("/account/password", data=form, headers=headers).status_code for _ in range(6)]
        assert said == [403] * 5 + [429]


def test_wrong_tokens_are_limited_and_a_right_one_is_not(web: Web, name: str) -> None:
    secret = web.assistant.tokens.create(name, "test", days=1)[1]
    headers = {"x-forwarded-for": "198.51.100.9"}
    with web.client(headers=headers) as client:
        answers = [
            client.get(
                "/v1/models" if number % 2 else "/api/conversations", headers={"authorization": f"Bearer {number}"}
            )
            for number in range(17)
        ]
        assert [answer.status_code for answer in answers] == [401] * 15 + [429] * 2
        assert answers[15].json()["error"]["code"] == "rate_limit_exceeded"
        assert "too many wrong tokens" in problem(answers[16], 429)["detail"]
        assert int(answers[16].headers["retry-after"]) >= 1
        right = client.get("/v1/models", headers={"authorization": f"Bearer {secret}"})
        assert right.status_code == 200
