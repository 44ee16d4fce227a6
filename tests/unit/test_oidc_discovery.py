"""A provider that does not answer: nobody stands in a line for it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from assistant.errors import SignInUnavailable
from assistant.parts.sign_in import oidc_discovery
from assistant.parts.sign_in.oidc_discovery import Discovery
from assistant.settings_oidc import Oidc

ISSUER = "https://id.example"


class Away:
    """It takes its time to fail, until it is back."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_back = False

    def get(self, url: str, what: str) -> dict[str, Any]:
        self.asked += 1
        if not self.is_back:
            time.sleep(0.2)
            raise SignInUnavailable(f"no {what}")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        return {"issuer": ISSUER, **{name: f"{ISSUER}/{name}" for name in names}}


def test_one_asks_and_those_who_waited_are_told_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    http = Away()
    discovery = Discovery(Oidc(name="corp", issuer=ISSUER, client_id="assistant"), http)  # type: ignore[arg-type]

    def asked(_: int) -> str:
        try:
            return discovery.provider().jwks_uri
        except SignInUnavailable as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(asked, range(8))) == {"no discovery"}
    assert http.asked == 1
    http.is_back = True
    monkeypatch.setattr(oidc_discovery, "_REST_SECONDS", 0.0)
    assert asked(0) == f"{ISSUER}/jwks_uri"
