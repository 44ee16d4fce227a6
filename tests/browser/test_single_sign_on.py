"""Single sign-on as a person sees it: through the provider's own page, in Chromium, to the chat and out again.

The provider is `localhost` and the assistant `127.0.0.1`: for the browser two sites, so cookies travel as in a company.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.pages import serious_findings
from tests.conftest import need
from tests.integration.oidc_tokens import WRONG, claims_of
from tests.servers.assistant_process import AssistantProcess
from tests.servers.oidc_provider import CLIENT, PEOPLE, SECRET, OidcProvider, free_port, installed
from tests.servers.oidc_proxy import TamperingProxy

pytestmark = [pytest.mark.server, pytest.mark.browser]

GROUPS = """
groups:
  hr-staff:
    departments: {finance: 1}
"""


@dataclass
class Company:
    assistant: AssistantProcess
    provider: OidcProvider
    proxy: TamperingProxy


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    need(installed(), "node and npm, for the OpenID provider (apt-get install nodejs npm)")
    place = tmp_path_factory.mktemp("sso-browser")
    access = place / "access.yaml"
    access.write_text(GROUPS, "utf-8")
    port, issuer_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    provider = OidcProvider(url, issuer_port=issuer_port)
    block = {
        "name": "corp",
        "label": "Северный ветер",
        "issuer": provider.issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "scopes": ["openid", "profile", "email", "groups"],
        "timeout_seconds": 20,
    }
    environment = {
        "ASSISTANT_SERVER__PUBLIC_URL": url,
        "ASSISTANT_AUTH__OIDC": json.dumps([block]),
        "ASSISTANT_ACCESS__FILE": str(access),
        "ASSISTANT_LLMS": '[{"provider": "extractive"}]',
    }
    assistant = AssistantProcess(place / "storage", arguments=("--port", str(port)), **environment)
    with provider, TamperingProxy(issuer_port, provider.port) as proxy, assistant:
        yield Company(assistant, provider, proxy)


@contextmanager
def visiting(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="ru-RU", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    try:
        yield context
    finally:
        context.close()


def through_the_provider(page: Page, company: Company, login: str) -> None:
    page.goto(company.assistant.url)
    page.get_by_role("link", name="Войти через Северный ветер").click()
    page.wait_for_url(re.compile(re.escape(company.provider.issuer)))
    page.fill("input[name=login]", PEOPLE[login]["sub"])
    page.fill("input[name=password]", "any")
    page.click("button[type=submit]")
    page.wait_for_selector("button[autofocus], button.login-submit")
    page.click("button[type=submit]")  # it may know the name and the groups


def sign_in(page: Page, company: Company, login: str) -> None:
    through_the_provider(page, company, login)
    page.wait_for_selector("#question textarea")
    page.wait_for_selector("#header .bar")


def departments_found(page: Page) -> set[str]:
    """In whose documents this person's search finds something."""
    script = """async () => (await fetch('/api/search', {method: 'POST', headers: {'content-type': 'application/json'},
        body: JSON.stringify({query: 'порядок согласования и оплаты расходов', k: 20})})).json()"""
    found: dict[str, Any] = page.evaluate(script)
    return {one["department"] for one in found["results"]}


def test_a_person_comes_in_through_the_providers_page(browser: Browser, company: Company) -> None:
    with visiting(browser) as context:
        page = context.new_page()
        page.goto(company.assistant.url)
        assert serious_findings(page) == []
        sign_in(page, company, "ivanova")
        assert page.url.rstrip("/").startswith(company.assistant.url)
        assert "ivanova" in page.inner_text("#header")
        assert departments_found(page) == {"company", "finance"}
    with visiting(browser) as context:
        page = context.new_page()
        sign_in(page, company, "petrov")
        assert "petrov" in page.inner_text("#header")
        assert departments_found(page) == {"company"}


def test_signing_out_signs_out_at_the_provider_too(browser: Browser, company: Company) -> None:
    with visiting(browser) as context:
        page = context.new_page()
        sign_in(page, company, "ivanova")
        page.get_by_role("button", name="Выйти").click()
        page.wait_for_url(re.compile(r"/session/end\?"))  # by itself: a page of ours leads there
        page.click("button[type=submit][value=yes]")
        page.wait_for_url(f"{company.assistant.url}/login")
        page.get_by_role("link", name="Войти через Северный ветер").click()
        page.wait_for_selector("input[name=login]")  # the provider asks again


def test_signing_out_at_the_provider_ends_the_session_in_the_other_tab(browser: Browser, company: Company) -> None:
    with visiting(browser) as context:
        chat = context.new_page()
        sign_in(chat, company, "ivanova")
        other = context.new_page()
        before = len([line for line in company.provider.output if "backchannel.success" in line])
        other.goto(f"{company.provider.issuer}/session/end")
        other.click("button[type=submit][value=yes]")
        other.wait_for_url(re.compile("/session/end/success"))
        assert len([line for line in company.provider.output if "backchannel.success" in line]) == before + 1
        chat.reload()
        expect(chat).to_have_url(f"{company.assistant.url}/login")


@pytest.mark.parametrize("case", ["another's key under the right id", "alg none", "another nonce"])
def test_a_tampered_token_ends_on_the_sign_in_page_with_a_sentence(
    browser: Browser, company: Company, case: str
) -> None:
    def change(path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path != "/token":
            return body
        return {**body, "id_token": WRONG[case](claims_of(body["id_token"]), company.provider.key)}

    with visiting(browser) as context:
        page = context.new_page()
        company.proxy.change = change
        try:
            through_the_provider(page, company, "ivanova")
            expect(page.get_by_role("alert")).to_have_text(re.compile("не прошёл проверку"))
        finally:
            company.proxy.reset()
        assert serious_findings(page) == []
        assert "assistant_session" not in {cookie.get("name") for cookie in context.cookies()}
        page.goto(company.assistant.url)
        expect(page).to_have_url(f"{company.assistant.url}/login")
