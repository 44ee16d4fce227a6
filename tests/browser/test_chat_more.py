"""The chat page beside other people and over time: the place in the line, and access that was withdrawn since."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from playwright.sync_api import Browser, expect

from assistant.conversations.masking import WITHHELD
from assistant.ui.texts import texts
from tests.browser.pages import LINKS, ask, signed_in
from tests.browser.test_chat import FAST, LEAVE, SLOW, VPN, Site, finished
from tests.servers.assistant_process import AssistantProcess
from tests.servers.ollama import ScriptedOllama
from tests.servers.ollama_script import Script

pytestmark = [pytest.mark.browser, pytest.mark.server]
EXPENSES = "Когда сдавать авансовый отчёт?"
expect.set_options(timeout=15_000)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """It answers one question at a time."""
    with ScriptedOllama(Script(tokens_per_second=FAST)) as ollama:
        models = f'[{{"provider": "ollama", "model": "qwen2.5:7b", "url": "{ollama.url}"}}]'
        settings = {"ASSISTANT_LLMS": models, "ASSISTANT_SERVER__CONCURRENT_ANSWERS": "1"}
        with AssistantProcess(tmp_path_factory.mktemp("more") / "storage", **settings) as server:
            yield Site(server, ollama)


@pytest.fixture
def ollama(site: Site) -> Iterator[ScriptedOllama]:
    yield site.ollama
    site.ollama.script = Script(tokens_per_second=FAST)


def test_who_waits_sees_the_place_in_the_line_and_then_the_answer(
    browser: Browser, site: Site, ollama: ScriptedOllama
) -> None:
    with signed_in(browser, site.server) as (first, _), signed_in(browser, site.server) as (second, _):
        ask(first, LEAVE)
        finished(first, 1)  # how long an answer takes is known from here on
        ollama.change(tokens_per_second=SLOW)
        ask(first, VPN)
        expect(first.locator("#live .text")).to_be_visible()
        ask(second, LEAVE)
        expect(second.locator("#live")).to_contain_text(re.compile(r"Вы в очереди: место 1, примерно \d+ с"))
        expect(second.locator("#stop")).to_be_visible()
        expect(first.locator("#live .text")).to_be_visible()
        finished(first, 2)
        finished(second, 1)
        assert "Вы в очереди" not in second.inner_text("#chat")
        assert second.locator(LINKS).count() > 0


def test_an_old_conversation_withholds_what_may_no_longer_be_read(browser: Browser, site: Site) -> None:
    with signed_in(browser, site.server) as (page, _):
        ask(page, EXPENSES)
        finished(page, 1)
        sources = page.locator("#chat .sources")
        expect(sources.locator("a")).to_have_count(2)
        secret = sources.locator("details").nth(1).text_content() or ""
        assert "Банка России" in secret
        assert "Банка России" in page.locator("#history .text").inner_text()
        with _departments(site, ["hr"]):
            page.reload()
            finished(page, 1)
            expect(page.locator("#history .text")).to_contain_text(WITHHELD["ru"])
            expect(page.locator("#chat .others")).to_contain_text(f"[2] {texts('ru')['withheld']}")
            expect(page.locator("#history")).to_contain_text(texts("ru")["withheld_note"])
            expect(sources.locator("a")).to_have_count(1)
            shown = _words(page.locator("body").text_content() or "")
            assert [run for run in _runs(secret) if run in shown] == []
            assert "подотчётные" not in shown, "a word of its title"
        page.reload()
        expect(sources.locator("a")).to_have_count(2)


def test_what_was_said_of_a_rating_goes_with_its_conversation(browser: Browser, site: Site) -> None:
    with signed_in(browser, site.server) as (page, _):
        ask(page, LEAVE)
        finished(page, 1)
        said = page.locator("#rated")
        page.get_by_role("button", name="Плохой ответ").click()
        expect(said).to_contain_text("оценка сохранена")
        page.locator("#new").click()
        expect(page.locator("#chat .empty")).to_be_visible()
        expect(said).to_be_hidden()
        page.go_back()
        finished(page, 1)
        expect(said).to_be_hidden()
        page.get_by_role("button", name="Полезный ответ").click()
        expect(said).to_be_visible()
        page.go_forward()
        expect(page.locator("#chat .empty")).to_be_visible()
        expect(said).to_be_hidden()


def test_undoing_the_deletion_of_the_open_conversation_opens_it_again(browser: Browser, site: Site) -> None:
    with signed_in(browser, site.server) as (page, _):
        ask(page, VPN)
        finished(page, 1)
        address = page.url
        current = page.locator("#talks li", has=page.locator("[aria-current=page]"))
        current.hover()
        current.locator("[data-do=delete]").click()
        undo = page.locator("#undo button")
        expect(undo).to_be_focused()
        expect(page.locator("#chat .empty")).to_be_visible()
        undo.click()
        expect(undo).to_have_count(0)
        finished(page, 1)
        assert page.url == address


@contextmanager
def _departments(site: Site, departments: list[str]) -> Iterator[None]:
    """The account has only these for a while."""
    with closing(sqlite3.connect(site.server.storage / "assistant.db", isolation_level=None)) as database:
        (before,) = database.execute("SELECT departments FROM users WHERE name = 'admin'").fetchone()
        change = "UPDATE users SET departments = ? WHERE name = 'admin'"
        database.execute(change, [json.dumps(departments)])
        try:
            yield
        finally:
            database.execute(change, [before])


def _runs(text: str) -> list[str]:
    """Each four words in a row."""
    words = _words(text).split()
    return [" ".join(words[start : start + 4]) for start in range(len(words) - 3)]


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text))
