"""An assistant that is served for real, and a real provider behind a proxy that can change what it answers."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from assistant.assistant import Assistant
from assistant.settings import Server
from assistant.settings_security import Access, Auth
from assistant.web.app import create_app
from assistant.web.session import COOKIE
from assistant.wiring import build
from tests.integration import company
from tests.integration.web_site import served
from tests.servers.oidc_provider import CLIENT, PEOPLE, SECRET, OidcProvider, free_port
from tests.servers.oidc_proxy import TamperingProxy

GROUPS = """
groups:
  hr-staff:
    departments: {hr: 2}
    roles: [engineer]
"""
HTML = {"accept": "text/html", "accept-language": "en"}


@dataclass
class SignOn:
    """The assistant, the provider, and who stands between them."""

    url: str
    assistant: Assistant
    provider: OidcProvider
    proxy: TamperingProxy

    @contextmanager
    def visitor(self) -> Iterator[Visitor]:
        """A browser as far as redirects, forms and cookies go."""
        with httpx.Client(trust_env=False, timeout=30, headers=HTML) as client:
            yield Visitor(self, client)


@dataclass
class Visitor:
    site: SignOn
    client: httpx.Client

    def begin(self) -> str:
        """The provider's page that the assistant leads to."""
        answer = self.client.get(f"{self.site.url}/auth/oidc/corp")
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def at_provider(self, page: str, login: str) -> str:
        """Through its pages: the address of ours that it leads back to."""
        answer = self.client.get(page)
        for _ in range(12):
            if answer.is_redirect:
                address = urljoin(str(answer.request.url), answer.headers["location"])
                if address.startswith(self.site.url):
                    return address
                answer = self.client.get(address)
                continue
            action = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
            assert action, answer.text
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            assert prompt, answer.text
            form = {"prompt": prompt[1], "login": PEOPLE[login]["sub"], "password": "any"}
            answer = self.client.post(urljoin(str(answer.request.url), action[1]), data=form)
        raise AssertionError(f"the provider leads nowhere: {answer.url}")

    def come_back(self, address: str) -> httpx.Response:
        return self.client.get(address)

    def sign_in(self, login: str = "ivanova") -> httpx.Response:
        """The assistant's answer to the one that comes back."""
        return self.come_back(self.at_provider(self.begin(), login))

    @property
    def session(self) -> str | None:
        """The assistant's cookie."""
        return self.client.cookies.get(COOKIE)

    def is_in(self) -> bool:
        return self.client.get(f"{self.site.url}/login").status_code == 303


def query(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


@contextmanager
def sign_on_site(place: Path, *, id_token_claims: bool = True, **oidc: Any) -> Iterator[SignOn]:
    port, issuer_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    place.mkdir(exist_ok=True)
    access = place / "access.yaml"
    access.write_text(GROUPS, "utf-8")
    provider = OidcProvider(url, issuer_port=issuer_port, id_token_claims=id_token_claims)
    block = {
        "name": "corp",
        "label": "Company",
        "issuer": provider.issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "scopes": ["openid", "profile", "email", "groups"],
        "timeout_seconds": 3,
        **oidc,
    }
    settings = company.settings(
        place / "storage",
        server=Server(public_url=f"{url}/", port=port),
        auth=Auth.model_validate({"oidc": [block]}),
        access=Access(file=access),
    )
    with provider, TamperingProxy(issuer_port, provider.port) as proxy, build(settings) as assistant:
        app = create_app(assistant, ready=threading.Event())
        with served(app, port):
            yield SignOn(url, assistant, provider, proxy)
