"""The page that stays open all day: conversations, reloads, tabs, stop, errors, keys, narrow screens, both languages."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.pages import LINKS, ask, serious_findings, signed_in
from tests.servers.assistant_process import AssistantProcess
from tests.servers.ollama import ScriptedOllama
from tests.servers.ollama_script import Script

pytestmark = [pytest.mark.browser, pytest.mark.server]
VPN, LEAVE = "Как настроить VPN?", "Сколько дней отпуска положено?"
SLOW, FAST = 12.0, 200.0
expect.set_options(timeout=15_000)


@dataclass
class Site:
    server: AssistantProcess
    ollama: ScriptedOllama


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One model and nothing after it: when it is down, there is no answer."""
    with ScriptedOllama(Script(tokens_per_second=FAST)) as ollama:
        models = f'[{{"provider": "ollama", "model": "qwen2.5:7b", "url": "{ollama.url}"}}]'
        with AssistantProcess(tmp_path_factory.mktemp("chat") / "storage", ASSISTANT_LLMS=models) as server:
            yield Site(server, ollama)


@pytest.fixture
def ollama(site: Site) -> Iterator[ScriptedOllama]:
    yield site.ollama
    site.ollama.script = Script(tokens_per_second=FAST)


def articles(page: Page) -> int:
    return page.locator("#chat article").count()


def finished(page: Page, messages: int) -> None:
    expect(page.locator("#history article .tools")).to_have_count(messages, timeout=40_000)
    expect(page.locator("#send")).to_be_visible()


def test_a_reload_follows_the_answer_and_keeps_its_sources(
    browser: Browser, site: Site, ollama: ScriptedOllama
) -> None:
    ollama.change(tokens_per_second=SLOW)
    with signed_in(browser, site.server) as (page, foreign):
        ask(page, VPN)
        expect(page.locator("#live .text")).to_be_visible(timeout=15_000)
        page.reload()
        expect(page.locator("#live .text")).to_be_visible(timeout=15_000)
        expect(page.locator("#stop")).to_be_visible()
        finished(page, 1)
        links = page.locator(LINKS).evaluate_all("links => links.map(one => one.getAttribute('href'))")
        page.reload()
        finished(page, 1)
        assert page.locator(LINKS).evaluate_all("links => links.map(one => one.getAttribute('href'))") == links
        assert links
        assert foreign == []


def test_a_double_send_is_one_message(browser: Browser, site: Site, ollama: ScriptedOllama) -> None:
    with signed_in(browser, site.server) as (page, _):
        page.fill("#question textarea", LEAVE)
        page.evaluate("""() => {
            const send = document.querySelector('#send');
            document.querySelector('#question textarea').dispatchEvent(
                new KeyboardEvent('keypress', {key: 'Enter', code: 'Enter', keyCode: 13, bubbles: true}));
            send.click();
            send.click();
        }""")
        finished(page, 1)
        page.wait_for_timeout(500)
        assert articles(page) == 1


def test_two_tabs_and_the_way_back(browser: Browser, site: Site, ollama: ScriptedOllama) -> None:
    with signed_in(browser, site.server) as (page, _):
        ask(page, VPN)
        finished(page, 1)
        address = page.url
        assert re.search(r"/\?c=\w+$", address)
        other = page.context.new_page()
        other.goto(site.server.url)
        other.wait_for_selector("#question textarea")
        ask(other, LEAVE)
        finished(other, 1)
        assert other.url != address
        other.goto(address)
        expect(other.locator("#history h2")).to_contain_text(VPN)

        page.click("#new")
        expect(page.locator("#chat .empty")).to_be_visible()
        page.locator("#talks a").filter(has_text=LEAVE).first.click()
        expect(page.locator("#history h2")).to_contain_text(LEAVE)
        page.go_back()
        expect(page.locator("#chat .empty")).to_be_visible()
        page.go_back()
        expect(page.locator("#history h2")).to_contain_text(VPN)
        assert page.url == address


def test_conversations_are_renamed_found_deleted_and_brought_back(browser: Browser, site: Site) -> None:
    with signed_in(browser, site.server) as (page, _):
        ask(page, "Кому положен служебный телефон?")
        finished(page, 1)
        row = page.locator("#talks li", has=page.locator("[aria-current=page]"))
        row.hover()
        row.locator("[data-do=rename]").click()
        page.keyboard.type("Телефоны")
        page.keyboard.press("Enter")
        expect(page.locator("#history h1")).to_have_text("Телефоны")
        page.reload()
        expect(page.locator("#history h1")).to_have_text("Телефоны")

        page.fill("#search", "СЛУЖЕБНЫЙ")
        expect(page.locator("#talks li")).to_have_count(1)
        page.fill("#search", "такого слова нет")
        expect(page.locator("#talks")).to_contain_text("Ничего не найдено")
        page.fill("#search", "телефоны")
        expect(page.locator("#talks li")).to_have_count(1)

        page.locator("#talks li").hover()
        page.locator("#talks [data-do=delete]").click()
        undo = page.locator("#undo button")
        expect(undo).to_be_focused()
        expect(page.locator("#talks li")).to_have_count(0)
        expect(page.locator("#chat .empty")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.locator("#talks li")).to_have_count(1)
        page.locator("#talks a").click()
        finished(page, 1)


def test_a_rating_is_kept_changed_and_taken_back(browser: Browser, site: Site) -> None:
    with signed_in(browser, site.server) as (page, _):
        ask(page, VPN)
        finished(page, 1)
        page.get_by_role("button", name="Плохой ответ").click()
        page.get_by_label("Не тот источник").check()
        page.get_by_label("Комментарий").fill("есть новая инструкция")
        page.get_by_role("button", name="Сохранить", exact=True).click()
        expect(page.locator("#rated")).to_contain_text("оценка сохранена")
        page.reload()
        bad, good = (page.get_by_role("button", name=name) for name in ("Плохой ответ", "Полезный ответ"))
        expect(bad).to_have_attribute("aria-pressed", "true")
        bad.click()
        expect(page.get_by_label("Не тот источник")).to_be_checked()
        expect(page.get_by_label("Комментарий")).to_have_value("есть новая инструкция")
        good.click()
        expect(good).to_have_attribute("aria-pressed", "true")
        expect(bad).to_have_attribute("aria-pressed", "false")
        good.click()
        expect(good).to_have_attribute("aria-pressed", "false")
        page.reload()
        expect(good).to_have_attribute("aria-pressed", "false")


def test_what_is_typed_outlives_a_reload(browser: Browser, site: Site) -> None:
    with signed_in(browser, site.server) as (page, _):
        page.locator("#question textarea").press_sequentially("Начал спраш")
        page.reload()
        expect(page.locator("#question textarea")).to_have_value("Начал спраш")
        page.goto(f"{site.server.url}/?c=no-such-talk")
        expect(page.locator("#chat")).to_contain_text("Такого разговора нет")


def test_what_was_sent_and_what_another_person_typed_does_not_come_back(browser: Browser, site: Site) -> None:
    with signed_in(browser, site.server) as (page, _):
        question = page.locator("#question textarea")

        def is_empty() -> None:
            """The list comes after the draft."""
            expect(page.locator("#talks li").first).to_be_visible()
            expect(question).to_have_value("")

        question.press_sequentially(LEAVE)
        question.press("Enter")
        finished(page, 1)
        page.reload()
        is_empty()
        page.goto(site.server.url)
        is_empty()
        question.press_sequentially("Личное")
        page.locator("#header form button").click()
        page.fill("#name", "admin")
        page.fill("#password", site.server.password)
        page.click("form button")
        is_empty()


def test_with_the_keyboard_alone(browser: Browser, site: Site, ollama: ScriptedOllama) -> None:
    with signed_in(browser, site.server) as (page, _):
        expect(page.locator("#question textarea")).to_be_focused()
        page.keyboard.type(VPN)
        page.keyboard.press("Enter")
        finished(page, 1)
        seen: list[str] = []
        page.keyboard.press("Tab")
        for _ in range(70):
            name = page.evaluate("""() => {
                const at = document.activeElement;
                if (at === document.body) return '';  // between the last one and the first
                const shown = getComputedStyle(at);
                const isSeen = shown.outlineStyle !== 'none' || shown.boxShadow !== 'none';
                return (isSeen ? '' : 'UNSEEN ') + (at.getAttribute('aria-label') || at.innerText || at.id || at.tagName);
            }""")
            seen.append(name)
            page.keyboard.press("Tab")
        reached = "\n".join(seen)
        assert "UNSEEN" not in reached, reached
        for wanted in ("Спросить", "Документы", "English", "Выйти", "Новый разговор", "Переименовать", "Удалить"):
            assert wanted in reached, reached
        for wanted in ("Сохранить разговор", "Поиск в базе знаний", "Скопировать ответ", "Полезный ответ", "[1]"):
            assert wanted in reached, reached
        page.get_by_role("button", name="Плохой ответ").focus()
        page.keyboard.press("Enter")
        expect(page.locator("form.why input").first).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Плохой ответ")).to_be_focused()


def test_on_a_screen_of_360_pixels(browser: Browser, site: Site, ollama: ScriptedOllama) -> None:
    with signed_in(browser, site.server, width=360, height=740) as (page, _):
        ask(page, VPN)
        finished(page, 1)
        page.locator(".step summary").click()
        page.get_by_role("button", name="Плохой ответ").click()
        for selector in ("html", "#chat"):
            assert (
                page.evaluate(
                    "at => { const e = document.querySelector(at); return e.scrollWidth - e.clientWidth }", selector
                )
                <= 0
            )
        for selector in ("#send", "#question textarea", "#header form button"):
            box = page.locator(selector).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360
        expect(page.locator("#sidebar")).to_be_hidden()
        menu = page.get_by_role("button", name="Показать разговоры")
        menu.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#new")).to_be_focused()
        assert serious_findings(page) == []
        page.keyboard.press("Escape")
        expect(page.locator("#sidebar")).to_be_hidden()
        expect(menu).to_be_focused()


def test_what_was_unfolded_can_be_folded_again(browser: Browser, site: Site) -> None:
    with signed_in(browser, site.server) as (page, _):
        ask(page, VPN)
        finished(page, 1)
        step = page.locator("details.step")
        for is_open in (True, False, True):
            step.locator("summary").first.click()
            page.wait_for_timeout(200)  # what Gradio and the observer do afterwards
            assert step.evaluate("part => part.open") is is_open
        step.locator("summary").first.press("Enter")
        page.wait_for_timeout(200)
        assert not step.evaluate("part => part.open"), "the keyboard closes it too"
        files, opener = page.locator(".export div"), page.locator(".export summary")
        opener.click()
        expect(files).to_be_visible()
        page.locator("#history .text").first.click()
        expect(files).to_be_hidden()
        opener.click()
        page.keyboard.press("Escape")
        expect(files).to_be_hidden()
        expect(opener).to_be_focused()
        opener.click()
        with page.expect_download():
            page.locator(".export a").first.click()
        expect(files).to_be_hidden()


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(browser: Browser, site: Site, ollama: ScriptedOllama, *, dark: bool) -> None:
    found: dict[str, list[str]] = {}
    page = browser.new_page(locale="ru-RU", color_scheme="dark" if dark else "light")
    page.goto(site.server.url)
    found["sign-in"] = serious_findings(page)
    page.context.close()
    with signed_in(browser, site.server, dark=dark) as (page, _):
        found["empty"] = serious_findings(page)
        ask(page, VPN)
        finished(page, 1)
        page.locator(".step summary").click()
        page.locator(".export summary").click()
        page.get_by_role("button", name="Плохой ответ").click()
        expect(page.locator("form.why")).to_be_visible()
        found["answer"] = serious_findings(page)
        source = page.locator(LINKS).last.get_attribute("href") or ""
        ask(page, "я" * 5000)
        expect(page.locator("#live .problem")).to_be_visible(timeout=15_000)
        found["error"] = serious_findings(page)
        page.goto(site.server.url + source)
        found["document"] = serious_findings(page)
        page.goto(f"{site.server.url}/admin/documents")
        found["admin"] = serious_findings(page)
    assert {name: one for name, one in found.items() if one} == {}


def test_the_language_is_switched_and_remembered(browser: Browser, site: Site) -> None:
    with signed_in(browser, site.server) as (page, _):
        assert page.locator("html").get_attribute("lang") == "ru"
        page.get_by_role("link", name="English").click()
        expect(page.locator("#send")).to_have_text("Ask")
        assert page.locator("html").get_attribute("lang") == "en"
        expect(page.locator("#new")).to_have_text("New conversation")
        page.goto(f"{site.server.url}/admin/documents")
        assert page.locator("html").get_attribute("lang") == "en"
        page.goto(site.server.url)
        expect(page.locator("#send")).to_have_text("Ask")


def test_a_database_that_cannot_be_written_is_told_and_what_was_typed_is_kept(browser: Browser, site: Site) -> None:
    with signed_in(browser, site.server) as (page, _):
        other = sqlite3.connect(site.server.storage / "assistant.db", isolation_level=None)
        try:
            other.execute("BEGIN EXCLUSIVE")  # as a disk that is full: nothing can be written
            ask(page, LEAVE)
            problem = page.locator("#live .problem")
            expect(problem).to_contain_text("Хранилище недоступно", timeout=75_000)
        finally:
            other.close()
        number = re.search(r"Номер ошибки: (\w+)", problem.inner_text())
        assert number is not None
        site.server.wait_for(number[1])
        expect(page.locator("#question textarea")).to_have_value(LEAVE)
        assert "Traceback" not in page.inner_text("body")


def test_chroma_that_is_killed_costs_no_answer(browser: Browser, site: Site) -> None:
    """By its process id; the server starts it again, and meanwhile the search is by words and says so."""
    chroma = [one for one in psutil.Process(site.server.process.pid).children(recursive=True) if _is_chroma(one)]
    assert chroma
    for one in chroma:
        one.kill()
    with signed_in(browser, site.server) as (page, _):
        ask(page, VPN)
        finished(page, 1)
        assert page.locator(LINKS).count() > 0
        assert "Traceback" not in page.inner_text("body")


def _is_chroma(process: psutil.Process) -> bool:
    return any("chroma" in part for part in process.cmdline())


def test_a_model_that_fails_is_told_with_a_number_that_the_log_has(
    browser: Browser, site: Site, ollama: ScriptedOllama
) -> None:
    ollama.change(fail_status=500)
    with signed_in(browser, site.server) as (page, _):
        ask(page, LEAVE)
        problem = page.locator("#history .problem")
        expect(problem).to_contain_text("Языковая модель не отвечает. Попробуйте через минуту", timeout=30_000)
        number = re.search(r"Номер ошибки: (\w+)", problem.inner_text())
        assert number is not None
        site.server.wait_for(number[1])
        assert "Traceback" not in page.inner_text("body")
        page.reload()
        expect(problem).to_contain_text(number[1])
        ollama.script = Script(tokens_per_second=FAST)
        page.get_by_role("button", name="Спросить ещё раз").click()
        expect(page.locator("#history h2").nth(1)).to_contain_text(LEAVE, timeout=40_000)
