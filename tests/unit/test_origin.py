"""Which requests may change something: what browsers say of where they come from."""

from __future__ import annotations

import pytest
from fastapi import Request

from assistant.web.origin import may_change

COOKIE = "assistant_session"
HOST = "assistant.company.example"


def asked(method: str = "POST", path: str = "/api/ask", *, signed_in: bool = True, **headers: str) -> Request:
    told = {"host": HOST, **({"cookie": f"{COOKIE}=x"} if signed_in else {}), **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in told.items()]
    return Request({"type": "http", "method": method, "path": path, "headers": raw, "query_string": b""})


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_is_free_from_anywhere(method: str) -> None:
    """Links in mails and chats have to work; no GET changes anything but the language."""
    assert may_change(asked(method, origin="https://evil.example", sec_fetch_site="cross-site"), cookie=COOKIE)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "ANYTHING"])
@pytest.mark.parametrize(
    ("headers", "may"),
    [
        # a browser over HTTPS or on this machine
        ({"sec_fetch_site": "same-origin", "origin": f"https://{HOST}"}, True),
        ({"sec_fetch_site": "same-origin", "origin": "https://name-before-the-proxy.example"}, True),
        ({"sec_fetch_site": "none"}, True),  # typed, a bookmark, a form sent again by hand
        ({"sec_fetch_site": "cross-site", "origin": "https://evil.example"}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site", "origin": "https://wiki.company.example"}, False),
        ({"sec_fetch_site": ""}, False),
        # one over plain HTTP sends Origin alone
        ({"origin": f"http://{HOST}"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": f"http://{HOST}.evil.example"}, False),
        ({"origin": f"http://{HOST}@evil.example"}, False),
        ({"origin": f"http://evil.example/{HOST}"}, False),
        ({"origin": f"http://{HOST}:8080"}, False),
        ({"origin": "null"}, False),  # a sandboxed frame, a file, a redirect through another site
        ({"origin": "http://["}, False),
        ({"origin": "null", "referer": f"http://{HOST}/"}, False),
        # an old one may send the page alone
        ({"referer": f"http://{HOST}/account"}, True),
        ({"referer": "http://evil.example/"}, False),
        ({"referer": f"http://evil.example/?http://{HOST}/"}, False),
        # and what says nothing is no browser of today: with a session's cookie it is refused
        ({}, False),
    ],
)
def test_a_change_with_a_session_comes_from_our_own_pages(method: str, headers: dict[str, str], may: bool) -> None:
    assert may_change(asked(method, **headers), cookie=COOKIE) == may


@pytest.mark.parametrize("headers", [{}, {"referer": "http://evil.example/"}, {"sec_fetch_site": "cross-site"}])
def test_nobody_is_signed_in_from_another_site(headers: dict[str, str]) -> None:
    """Or a person would ask, unnoticed, in an account whose owner reads the conversations later."""
    assert not may_change(asked(path="/login", signed_in=False, **headers), cookie=COOKIE)
    assert may_change(asked(path="/login", signed_in=False, origin=f"http://{HOST}"), cookie=COOKIE)


def test_without_a_session_there_is_nothing_to_abuse() -> None:
    """A provider's server, for one, says so that somebody has signed out there."""
    assert may_change(asked(path="/auth/oidc/corp/logout", signed_in=False), cookie=COOKIE)
    assert may_change(asked(signed_in=True), cookie=f"__Host-{COOKIE}"), "a cookie of another name is no session"
    assert not may_change(asked(signed_in=False, origin="http://evil.example"), cookie=COOKIE)
