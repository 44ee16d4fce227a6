"""From where a request comes, with and without proxies, whatever the headers say."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, Request
from pydantic import ValidationError
from structlog.testing import capture_logs

from assistant.access.caller import ADDRESS
from assistant.assistant import Assistant
from assistant.settings import Server, Settings
from assistant.web import address
from assistant.web.address import client_address, is_https
from assistant.web.guard import Guard

PROXY, FAR = "10.0.0.1", "203.0.113.9"


def request(
    peer: str | None, *headers: tuple[str, str], trusted: tuple[str, ...] = (), scheme: str = "http"
) -> Request:
    app = FastAPI()
    server = Server.model_validate({"trusted_proxies": list(trusted)})
    app.state.assistant = assistant = object.__new__(Assistant)  # of which the guard reads the settings alone
    object.__setattr__(assistant, "settings", Settings(server=server))
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    client = None if peer is None else (peer, 50000)
    scope = {"type": "http", "app": app, "headers": raw, "client": client, "method": "GET", "path": "/"}
    return Request({**scope, "query_string": b"", "scheme": scheme, "server": ("assistant.local", 80)})


def forwarded(*values: str) -> tuple[tuple[str, str], ...]:
    return tuple(("x-forwarded-for", value) for value in values)


@pytest.mark.parametrize("said", ["1.2.3.4", "1.2.3.4, 5.6.7.8", "", "nonsense"])
def test_nobody_is_believed_by_default(said: str) -> None:
    assert client_address(request(FAR, *forwarded(said))) == FAR


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (["203.0.113.9"], FAR),
        (["1.1.1.1, 203.0.113.9"], FAR),  # the left one was written by whoever asked
        (["1.1.1.1", "203.0.113.9"], FAR),  # the same in two header lines
        (["203.0.113.9, 10.0.0.2"], FAR),  # two proxies, both trusted
        (["203.0.113.9:4711"], FAR),
        (["::ffff:203.0.113.9"], FAR),
        (["2001:db8::5"], "2001:db8::5"),
        (["[2001:db8::5]:4711"], "2001:db8::5"),
        (['"[2001:DB8:0::5]"'], "2001:db8::5"),
        (["fe80::1%eth0"], "fe80::1"),
        (["10.0.0.7, 10.0.0.2"], "10.0.0.7"),  # somebody on the proxies' own network
        ([], PROXY),
        ([""], PROXY),
        (["203.0.113.9, <script>"], PROXY),
        (["203.0.113.9, unknown, 10.0.0.2"], "10.0.0.2"),
        (["203.0.113.9, 999.1.1.1"], PROXY),
        (["203.0.113.9, " + "9" * 5000], PROXY),
    ],
)
def test_the_rightmost_hop_that_is_no_trusted_proxy(said: list[str], found: str) -> None:
    assert client_address(request(PROXY, *forwarded(*said), trusted=("10.0.0.0/8",))) == found


def test_an_ipv6_proxy_and_an_ipv4_one_seen_through_ipv6() -> None:
    assert client_address(request("fd00::1", *forwarded(FAR), trusted=("fd00::/8",))) == FAR
    assert client_address(request("::ffff:10.0.0.1", *forwarded(FAR), trusted=(PROXY,))) == FAR
    assert client_address(request("fd01::1", *forwarded(FAR), trusted=(PROXY,))) == "fd01::1"


def test_a_connection_without_an_address_has_a_name_all_the_same() -> None:
    assert client_address(request(None, *forwarded(FAR), trusted=("0.0.0.0/0",))) == "unknown"


def test_a_proxy_that_nobody_named_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "_told", set())
    with capture_logs() as logged:
        for _ in range(3):
            client_address(request(PROXY, *forwarded(FAR)))
        client_address(request(FAR))
    (entry,) = logged
    assert entry["sender"] == PROXY
    assert "server.trusted_proxies" in entry["advice"]


@pytest.mark.parametrize(
    ("peer", "said", "expected"),
    [
        (PROXY, ["https"], True),
        (PROXY, ["HTTPS "], True),
        (PROXY, ["http, https"], True),  # the nearest proxy's word is the last one
        (PROXY, ["https", "http"], False),
        (PROXY, ["http"], False),
        (PROXY, [], False),
        (FAR, ["https"], False),
    ],
)
def test_https_is_what_a_trusted_proxy_says(peer: str, said: list[str], expected: bool) -> None:
    headers = [("x-forwarded-proto", value) for value in said]
    assert is_https(request(peer, *headers, trusted=(PROXY,))) is expected


def test_https_of_our_own_needs_no_proxy() -> None:
    assert is_https(request(FAR, scheme="https"))


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "proxy.local", "10.0.0.0/40", ""])
def test_a_network_that_is_none_is_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Server.model_validate({"trusted_proxies": [wrong]})


async def test_the_guard_gives_each_request_its_address() -> None:
    seen: list[str] = []

    async def app(*_: object) -> None:
        seen.append(ADDRESS.get())

    for peer in (FAR, "203.0.113.10"):
        found = request(peer)
        found.scope["path"] = "/health/live"
        await Guard(app)(found.scope, _nothing, _nothing)  # type: ignore[arg-type]
    assert seen == [FAR, "203.0.113.10"]
    assert ADDRESS.get() == ""


async def _nothing(*_: object) -> None:
    raise AssertionError("nothing is read or sent")
