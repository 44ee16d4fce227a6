"""The walk of a new user in a real browser: sign in, ask, see the step, read, open a source."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.pages import LINKS, answer_text, ask, signed_in
from tests.servers.assistant_process import AssistantProcess
from tests.servers.ollama import ScriptedOllama
from tests.servers.ollama_script import Script

pytestmark = [pytest.mark.browser, pytest.mark.server]
VPN = "Как настроить VPN?"


def test_vpn_question_without_a_language_model(browser: Browser, quoting: AssistantProcess) -> None:
    with signed_in(browser, quoting) as (page, foreign):
        ask(page, VPN)
        step = page.locator("#chat").get_by_text("Поиск в базе знаний")
        expect(step).to_be_visible(timeout=15_000)
        expect(page.locator("#chat").get_by_text("Источники")).to_be_visible(timeout=15_000)
        shown = answer_text(page)
        assert "Языковая модель не запущена" in shown
        assert "OpenVPN Connect" in shown
        assert "стр. 2" in shown

        step.click()
        expect(page.locator("#chat").get_by_text(f"Искали: {VPN}")).to_be_visible()

        source = page.locator(LINKS).filter(has_text="стр.").last
        page.goto(quoting.url + (source.get_attribute("href") or ""))
        marked = page.locator(".marked")
        expect(marked).to_be_visible()
        assert "OpenVPN" in marked.inner_text()
        original = page.get_by_text("Открыть исходный файл").get_attribute("href")
        assert original is not None
        assert original.endswith("#page=2")
        response = page.request.get(quoting.url + original.partition("#")[0])
        assert response.headers["content-type"] == "application/pdf"
        assert response.body().startswith(b"%PDF")
        assert foreign == []


def test_english_by_the_browser(browser: Browser, quoting: AssistantProcess) -> None:
    with signed_in(browser, quoting, locale="en-US") as (page, foreign):
        expect(page.locator("#send")).to_have_text("Ask")
        expect(page.locator("#header")).to_contain_text("Sign out")
        ask(page, "How many days of annual leave do I have?")
        expect(page.locator("#chat").get_by_text("Sources")).to_be_visible(timeout=15_000)
        assert "28 calendar days" in answer_text(page)
        assert "Searching the knowledge base" in answer_text(page)
        assert foreign == []


def test_nothing_found_is_said(browser: Browser, quoting: AssistantProcess) -> None:
    with signed_in(browser, quoting) as (page, _):
        ask(page, "Какая столица у Австралии?")
        expect(page.locator("#chat")).to_contain_text("В документах нет ответа на этот вопрос.", timeout=15_000)
        assert "Источники" not in answer_text(page)


def test_too_long_a_question_is_refused_and_kept(browser: Browser, quoting: AssistantProcess) -> None:
    with signed_in(browser, quoting) as (page, _):
        ask(page, "я" * 20_000)
        expect(page.locator("#chat")).to_contain_text("Вопрос слишком длинный", timeout=15_000)
        expect(page.locator("#question textarea")).to_have_value(re.compile("^я{20000}$"))


def test_signing_out_ends_the_session(browser: Browser, quoting: AssistantProcess) -> None:
    with signed_in(browser, quoting) as (page, _):
        page.click("#header form button")
        expect(page.locator("#password")).to_be_visible()
        page.goto(quoting.url)
        expect(page.locator("#password")).to_be_visible()


def test_a_language_model_streams(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Through the wire that Ollama speaks: the text arrives in several pieces, with its citations; Stop stops it."""
    with ScriptedOllama(Script(tokens_per_second=12)) as ollama:
        models = (
            f'[{{"provider": "ollama", "model": "qwen2.5:7b", "url": "{ollama.url}"}}, {{"provider": "extractive"}}]'
        )
        with AssistantProcess(tmp_path_factory.mktemp("ollama") / "storage", ASSISTANT_LLMS=models) as server:
            with signed_in(browser, server) as (page, foreign):
                ask(page, VPN)
                lengths = _lengths_while_streaming(page)
                assert len(lengths) >= 3, lengths
                assert page.locator(LINKS).filter(has_text="стр.").count() >= 1
                assert "Языковая модель не запущена" not in answer_text(page)
                assert foreign == []
            with signed_in(browser, server) as (page, _):
                ollama.change(answer="слово " * 400)
                ask(page, VPN)
                expect(page.locator("#chat")).to_contain_text("слово слово", timeout=15_000)
                page.click("#stop")
                stopped = ollama.wait_for(lambda record: record.disconnected, 5)
                assert stopped.tokens < 400
                expect(page.locator("#send")).to_be_visible()


def _lengths_while_streaming(page: Page) -> list[int]:
    """The different lengths the answer had until its sources were shown."""
    lengths: list[int] = []
    end = time.monotonic() + 30
    while time.monotonic() < end:
        shown = answer_text(page)
        if not lengths or len(shown) != lengths[-1]:
            lengths.append(len(shown))
        if "Источники" in shown:
            return lengths
        time.sleep(0.03)
    raise AssertionError(f"no sources: {answer_text(page)}")
