"""The walk of a new user, over a restart of the server; and a server that is killed in the middle of an answer."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.pages import LINKS, ask, signed_in
from tests.servers.assistant_process import AssistantProcess
from tests.servers.ollama import ScriptedOllama
from tests.servers.ollama_script import Script

pytestmark = [pytest.mark.browser, pytest.mark.server]
SECONDS = 40_000


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_the_walk_of_a_new_user(browser: Browser, tmp_path: Path) -> None:
    """Ask, follow up, open the source at its page, rate; after a restart all is found again; then in English."""
    with ScriptedOllama(Script(tokens_per_second=100)) as ollama:
        models = f'[{{"provider": "ollama", "model": "qwen2.5:7b", "url": "{ollama.url}"}}]'
        start = AssistantProcess(tmp_path / "storage", ASSISTANT_LLMS=models)
        with start as server, signed_in(browser, server) as (page, foreign):
            ask(page, "Как настроить VPN?")
            tools = page.locator("#history article .tools")
            expect(tools).to_have_count(1, timeout=SECONDS)
            ask(page, "А на телефоне?")
            expect(tools).to_have_count(2, timeout=SECONDS)
            links = page.locator(LINKS).evaluate_all("links => links.map(one => one.getAttribute('href'))")

            with page.context.expect_page() as opened:
                page.locator("#history article").first.locator(".sources a").filter(has_text="стр. 2").first.click()
            document = opened.value
            expect(document.get_by_text("Страница 2 из").first).to_be_visible(timeout=SECONDS)
            document.close()

            page.get_by_role("button", name="Плохой ответ").first.click()
            page.get_by_label("Ответ неполный").first.check()
            page.get_by_role("button", name="Сохранить", exact=True).first.click()
            expect(page.locator("#rated")).to_contain_text("оценка сохранена", timeout=SECONDS)
            address = page.url.removeprefix(server.url)

            server.__exit__(None, None, None)
            with AssistantProcess(tmp_path / "storage", ASSISTANT_LLMS=models) as again:
                page.goto(again.url)  # cookies know no ports: the session is still there
                page.wait_for_selector("#search")
                page.fill("#search", "vpn")
                expect(page.locator("#talks li")).to_have_count(1, timeout=SECONDS)
                page.locator("#talks a").click()
                expect(tools).to_have_count(2, timeout=SECONDS)
                assert page.url == again.url + address
                assert page.locator(LINKS).evaluate_all("links => links.map(one => one.getAttribute('href'))") == links
                bad = page.get_by_role("button", name="Плохой ответ").first
                expect(bad).to_have_attribute("aria-pressed", "true")
                page.get_by_role("link", name="English").click()
                expect(page.locator("#send")).to_have_text("Ask", timeout=SECONDS)
                expect(tools).to_have_count(2, timeout=SECONDS)
                expect(page.get_by_role("button", name="Bad answer").first).to_have_attribute("aria-pressed", "true")
            own = (server.url, again.url)
            assert [one for one in foreign if not one.startswith(own)] == []


def test_a_server_killed_in_the_middle_of_an_answer(browser: Browser, tmp_path: Path) -> None:
    """The page comes back by itself; the question is not lost, is not doubled, and says what became of its answer."""
    port = free_port()
    with ScriptedOllama(Script(tokens_per_second=4, answer="слово " * 400)) as ollama:
        models = f'[{{"provider": "ollama", "model": "qwen2.5:7b", "url": "{ollama.url}"}}]'
        where = ("--port", str(port))
        server = AssistantProcess(tmp_path / "storage", arguments=where, ASSISTANT_LLMS=models)
        with server, signed_in(browser, server) as (page, _):
            ask(page, "Как настроить VPN?")
            expect(page.locator("#live .text")).to_contain_text("слово слово", timeout=SECONDS)
            page.wait_for_timeout(6000)  # what has been said is kept every five seconds
            page.fill("#question textarea", "Ещё один вопрос")
            server.process.send_signal(signal.SIGKILL)
            server.process.wait(10)
            expect(page.locator("#header .lost")).to_be_visible(timeout=SECONDS)
            with AssistantProcess(tmp_path / "storage", arguments=where, ASSISTANT_LLMS=models):
                problem = page.locator("#history .problem")
                expect(problem).to_contain_text("Сервер остановился, не закончив ответ.", timeout=90_000)
                expect(page.locator("#history article")).to_have_count(1)
                expect(page.locator("#history .text")).to_contain_text("слово")
                expect(page.locator("#question textarea")).to_have_value("Ещё один вопрос")
                expect(page.get_by_role("button", name="Спросить ещё раз")).to_be_visible()
