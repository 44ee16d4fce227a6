"""What the browser tests do again and again: a Chromium, a signed-in page, an asked question."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.servers.assistant_process import AssistantProcess

CHROMIUM = "/usr/bin/chromium"
# Chromium's own calls home would look like the page's.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
LINKS = "#chat a[href*='/documents/']"


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def signed_in(
    browser: Browser,
    server: AssistantProcess,
    *,
    locale: str = "ru-RU",
    width: int = 1280,
    height: int = 900,
    dark: bool = False,
) -> Iterator[tuple[Page, list[str]]]:
    """A page after the sign-in, and the addresses of other hosts that it asked for."""
    options: dict[str, Any] = {"locale": locale, "viewport": {"width": width, "height": height}}
    context = browser.new_context(**options, color_scheme="dark" if dark else "light")
    page = context.new_page()
    foreign: list[str] = []
    page.on("request", lambda request: _note_foreign(request.url, server.url, foreign))
    try:
        page.goto(server.url)
        page.fill("#name", "admin")
        page.fill("#password", server.password)
        page.click("form button")
        page.wait_for_selector("#question textarea", timeout=30_000)
        page.wait_for_selector("#header .bar", timeout=30_000)
        yield page, foreign
    finally:
        context.close()


def ask(page: Page, question: str) -> None:
    page.fill("#question textarea", question)
    page.click("#send")


def answer_text(page: Page) -> str:
    """All that the chat shows."""
    return page.inner_text("#chat")


def serious_findings(page: Page) -> list[str]:
    """What axe finds that keeps people from using the page."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
        for one in violations
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def _note_foreign(url: str, own: str, foreign: list[str]) -> None:
    if not url.startswith((own, "data:", "blob:")):
        foreign.append(url)
