"""tests/data/injections.jsonl in Chromium, as document, answer, question, title, comment, name of a file, of a person, of a
department and of a token: it is all text.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from assistant.access.principal import Principal
from assistant.ask.events import Finished
from tests.integration import company
from tests.integration.sample import FAST
from tests.integration.web_site import PASSWORD, Web, site
from tests.servers.ollama_script import Prompt

pytestmark = [pytest.mark.browser, pytest.mark.server]

DATA = Path(__file__).parents[1] / "data" / "injections.jsonl"
PAYLOADS = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
TEXTS = [one["text"] for one in PAYLOADS]
BATCHES = [TEXTS[at : at + 42] for at in range(0, len(TEXTS), 42)]
QUESTION = "Кто выдаёт пропуск на проходной?"
# What a page must not have where payloads stand: handlers, elements that load or run, addresses of others.
FOUND_ALIVE = """(root) => {
  const found = [];
  const banned = new Set(["SCRIPT", "IFRAME", "OBJECT", "EMBED", "STYLE", "LINK", "META", "BASE", "VIDEO", "AUDIO", "IMG",
    "MARQUEE", "MATH", "TEMPLATE", "SLOT", "GRADIO-APP"]);
  for (const element of document.querySelectorAll(root + " *")) {
    const shown = element.outerHTML.slice(0, 160);
    if (banned.has(element.tagName) && !element.matches("main > style, img.page")) found.push(shown);
    for (const { name, value } of element.attributes) {
      if (/^on/i.test(name)) found.push(shown);
      if (/^(xlink:)?href$|^src|^action$|^formaction$|^data$|^poster$/.test(name)) {
        const address = new URL(value, location.href);
        if (address.origin !== location.origin) found.push(shown);
        if (element.tagName === "A" && !/^\\/|^#|^\\?/.test(value)) found.push(shown);
      }
    }
  }
  return found;
}"""
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


@dataclass
class Seen:
    """What a browser was made to do."""

    foreign: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass
class Hostile:
    web: Web
    talks: list[str]
    documents: list[str]
    people: list[str]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """Everything that people and documents may write, written by somebody hostile."""
    place = tmp_path_factory.mktemp("hostile")
    with site(place) as web:
        files = {f"it/hostile {n}.md": f"# {texts[0]}\n\n" + "\n\n".join(texts) for n, texts in enumerate(BATCHES)}
        names = [one["text"].replace("/", "∕").replace("\0", "") for one in PAYLOADS if one["kind"] == "name"]
        files |= {f"it/{name}.md": f"# Канцелярия\n\nПропуск {n} выдаёт канцелярия." for n, name in enumerate(names)}
        company.write(web.docs, {path: text.replace("\0", "") for path, text in files.items()})
        web.assistant.ingest(place / "company.yaml")
        who = web.assistant.users.add("engineer", PASSWORD, roles=["engineer", "admin"], departments=["*"], level=9)
        with ThreadPoolExecutor(1) as thread:  # Playwright has a loop running in this one
            talks = thread.submit(lambda: asyncio.run(_talks(web, who))).result()
        shown = [
            one.row.id for one in web.assistant.documents() if "hostile" in one.row.path or "Канц" in one.row.title
        ]
        yield Hostile(web, talks, shown, _people(web))


def _people(web: Web) -> list[str]:
    """Accounts with such names, and departments and tokens too; those whose name a form takes are returned."""
    names = list(dict.fromkeys(text.replace("\0", "").strip() for text in TEXTS))
    web.assistant.users.add(names[0], PASSWORD, roles=["admin"], departments=names[1:], level=1)
    made = [names[0]]
    for name in names[1:40:3]:  # a password takes its time
        web.assistant.users.add(name, PASSWORD, roles=[], departments=[name], level=1)
        made.append(name)
    return [name for name in made if len(name) <= 200 and name.isprintable()]


async def _talks(web: Web, who: Principal) -> list[str]:
    """In each a batch as answer, as question, as title and as comment."""
    turn = count()

    def answer(_: Prompt) -> str:
        number = next(turn)
        return "\n\n".join(BATCHES[number % len(BATCHES)]) + " [1]"

    web.ollama.script = replace(FAST, answer=answer)
    talks = []
    for texts in BATCHES:
        talk, message = await _ask(web, who, QUESTION, "new")
        await _ask(web, who, f"{QUESTION} {' '.join(texts)}"[:900], talk)
        web.assistant.conversations.rename(who, talk, texts[0][:80].strip() or "x")
        web.assistant.conversations.rate(who, message, -1, reason="wrong", comment="\n".join(texts)[:900])
        talks.append(talk)
    return talks


async def _ask(web: Web, who: Principal, question: str, talk: str) -> tuple[str, str]:
    question = question.replace("\0", "")
    events = [event async for event in web.assistant.ask(question, who, talk)]
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.conversation
    assert last.message
    return last.conversation, last.message


@contextmanager
def signed_in(browser: Browser, web: Web, name: str = "engineer") -> Iterator[tuple[Page, Seen]]:
    context = browser.new_context(locale="ru-RU")
    context.add_init_script(WATCH)
    page, seen = context.new_page(), Seen()
    own = (web.url, "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else seen.foreign.append(request.url))
    page.on("dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    try:
        page.goto(f"{web.url}/login")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.click("form button")
        page.wait_for_selector("#header .bar", timeout=60_000)
        yield page, seen
    finally:
        context.close()


def assert_dead(page: Page, seen: Seen, root: str) -> None:
    alive: Any = page.evaluate(FOUND_ALIVE, root)
    assert not alive, alive[:5]
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("window.violations") == []
    assert seen == Seen()


def test_there_are_enough_payloads() -> None:
    assert len({one["text"] for one in PAYLOADS}) >= 200
    assert len({one["kind"] for one in PAYLOADS}) == 8


def test_the_chat_shows_all_of_it_as_text(browser: Browser, hostile: Hostile) -> None:
    with signed_in(browser, hostile.web) as (page, seen):
        for talk in hostile.talks:
            page.goto(f"{hostile.web.url}/?c={talk}")
            expect(page.locator("#history article")).to_have_count(2, timeout=60_000)
            expect(page.locator("#talks li").first).to_be_visible(timeout=60_000)
            for fold in page.locator("#history details").all():
                fold.evaluate("(one) => (one.open = true)")
            page.locator("#history article a[href^='/documents/']").first.hover()
            assert_dead(page, seen, "#layout")
        assert_dead(page, seen, "#header")


def test_documents_and_the_pages_of_administrators_show_all_of_it_as_text(browser: Browser, hostile: Hostile) -> None:
    pages = [f"/documents/{one}" for one in hostile.documents]
    pages += [
        "/admin/documents",
        "/admin/view-as",
        "/admin/answers",
        "/admin/unanswered",
        "/admin/statistics",
        "/account",
    ]
    with signed_in(browser, hostile.web) as (page, seen):
        for path in pages:
            answer = page.goto(hostile.web.url + path)
            assert answer
            assert answer.status == 200, path
            policy = answer.headers["content-security-policy"]
            assert "unsafe-eval" not in policy
            assert "script-src 'self';" in policy
            assert_dead(page, seen, "body")


def test_names_of_people_departments_and_tokens_are_text(browser: Browser, hostile: Hostile) -> None:
    web = hostile.web
    assert len(hostile.people) > 5
    for name in hostile.people[:2]:
        with signed_in(browser, web, name) as (page, seen):
            expect(page.locator("#header .who")).to_have_text(name)
            assert_dead(page, seen, "#header")
            page.goto(f"{web.url}/account")
            for token in TEXTS[:3]:
                page.fill("#token-name", token)
                page.click("form[action='/account/tokens'] button")
                expect(page.locator("#tokens td").first).to_be_visible()
                assert_dead(page, seen, "body")
    admin = hostile.people[0]
    with signed_in(browser, web, admin) as (page, seen):
        page.goto(f"{web.url}/admin/view-as")
        page.fill("[name=person]", hostile.people[1])
        page.fill("[name=question]", QUESTION)
        page.click("form.ask button")
        expect(page.locator("#found h2")).to_contain_text(hostile.people[1])
        assert_dead(page, seen, "body")


def test_a_live_answer_is_as_harmless_while_it_grows(browser: Browser, hostile: Hostile) -> None:
    with signed_in(browser, hostile.web) as (page, seen):
        for _ in BATCHES[:2]:
            page.goto(hostile.web.url)
            page.wait_for_selector("#question textarea", timeout=60_000)
            page.fill("#question textarea", QUESTION)
            page.click("#send")
            expect(page.locator("#history article .tools")).to_have_count(1, timeout=60_000)
            assert_dead(page, seen, "#layout")
