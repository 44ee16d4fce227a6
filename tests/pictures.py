"""Pictures of the page's main states, made by one command: `make docs` (or `python -m tests.pictures FOLDER`)."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from assistant.ingest.lock import one_at_a_time
from tests.browser.pages import LINKS, ask, chromium, signed_in
from tests.integration import company
from tests.review_pictures import review_pages
from tests.servers.assistant_process import AssistantProcess
from tests.servers.ollama import ScriptedOllama
from tests.servers.ollama_script import Script

STATES = (
    # name, language, question, what to wait for, width, height, dark
    ("chat-ru", "ru-RU", "Как настроить VPN?", "Источники", 1000, 1000, False),
    ("chat-en", "en-US", "How many days of annual leave do I have?", "Sources", 1100, 900, False),
    ("narrow-dark-ru", "ru-RU", "Сколько дней отпуска положено?", "Источники", 390, 844, True),
    ("nothing-found-ru", "ru-RU", "Какая столица у Австралии?", "нет ответа", 1100, 900, False),
    ("error-en", "en-US", "x" * 5000, "too long", 1100, 900, False),
)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    quoting = '[{"provider": "ollama", "model": "m", "url": "http://127.0.0.1:9"}, {"provider": "extractive"}]'
    with tempfile.TemporaryDirectory() as storage, chromium() as browser:
        with AssistantProcess(Path(storage) / "quoting", ASSISTANT_LLMS=quoting) as server:
            _login_page(browser, server, folder)
            for name, locale, question, awaited, width, height, dark in STATES:
                with signed_in(browser, server, locale=locale, width=width, height=height, dark=dark) as (page, _):
                    page.screenshot(path=folder / f"empty-{name}.png")
                    ask(page, question)
                    expect(page.locator("#chat")).to_contain_text(awaited, timeout=20_000)
                    page.wait_for_selector("#send", timeout=20_000)
                    page.wait_for_timeout(600)
                    page.screenshot(path=folder / f"{name}.png")
                    if name == "chat-ru":
                        page.evaluate("document.querySelectorAll('#chat, #chat *').forEach(part => part.scrollTop = 0)")
                        page.wait_for_timeout(300)
                        page.screenshot(path=folder / "chat-ru-top.png")
                        _sidebar_and_rating(page, folder)
                    if name.startswith("narrow"):
                        page.click("#header .menu")
                        page.wait_for_timeout(400)
                        page.screenshot(path=folder / "sidebar-narrow-dark-ru.png")
            _cited_pages(browser, server, folder)
        _with_a_model(browser, Path(storage) / "model", folder)
        _documents_page(browser, Path(storage), folder)
        review_pages(browser, Path(storage), folder)
    print(f"pictures are in {folder}")


def _sidebar_and_rating(page: Page, folder: Path) -> None:
    """What can be done with an answer and with a conversation."""
    page.locator("[data-rating='-1']").first.click()
    page.wait_for_selector("form.why textarea")
    page.locator("form.why").first.scroll_into_view_if_needed()
    page.wait_for_timeout(400)
    page.screenshot(path=folder / "rating-ru.png")
    page.locator("#talks li").first.hover()
    page.locator("#talks [data-do=delete]").first.click()
    page.wait_for_selector("#undo button")
    page.wait_for_timeout(400)
    page.screenshot(path=folder / "deleted-ru.png")


def _login_page(browser: Browser, server: AssistantProcess, folder: Path) -> None:
    page = browser.new_page(locale="ru-RU")
    page.goto(server.url)
    page.fill("#name", "admin")
    page.fill("#password", "wrong")
    page.click("form button")
    page.screenshot(path=folder / "login-ru.png")
    page.close()


def _cited_pages(browser: Browser, server: AssistantProcess, folder: Path) -> None:
    """A source as its citation opens it: the page of a PDF, the same enlarged, and a document that has no pages."""
    looks = (("ru", "ru-RU", 1100, False), ("dark-en", "en-US", 1100, True), ("narrow-ru", "ru-RU", 360, False))
    sources = (("pdf", "Как настроить VPN?", "VPN"), ("text", "Какие требования к паролям учётных записей?", "Пароли"))
    for name, locale, width, dark in looks:
        for kind, question, title in sources:
            with signed_in(browser, server, locale=locale, width=width, height=800, dark=dark) as (page, _):
                ask(page, question)
                link = page.locator(LINKS).filter(has_text=title).last
                expect(link).to_be_visible(timeout=20_000)
                page.goto(server.url + (link.get_attribute("href") or ""))
                page.wait_for_load_state("networkidle")
                page.screenshot(path=folder / f"document-{kind}-{name}.png")
                page.screenshot(path=folder / f"document-{kind}-{name}-whole.png", full_page=True)
                if kind == "pdf":
                    page.check("#zoom-3", force=True)
                    page.locator("#found").scroll_into_view_if_needed()
                    page.screenshot(path=folder / f"document-enlarged-{name}.png")


def _documents_page(browser: Browser, place: Path, folder: Path) -> None:
    """The administrator's: after a load with failures, after a refused file, and while a load runs."""
    docs = Path(shutil.copytree(company.DOCS, place / "docs" / "company")).parent
    company.write(docs, {"company/it/Пустой приказ.md": "", "company/finance/Смета на 2027 год.docx": "не документ"})
    recipe = company.recipe(place / "company.yaml", docs)
    refused = place / "Фотографии с праздника.zip"
    refused.write_bytes(b"PK")
    settings = {"ASSISTANT_LLMS": '[{"provider": "extractive"}]', "ASSISTANT_INGEST__PIPELINES": f'["{recipe}"]'}
    looks = (("ru", "ru-RU", 1100, False), ("en", "en-US", 1100, True), ("narrow-ru", "ru-RU", 390, True))
    with AssistantProcess(place / "documents", **settings) as server:
        for name, locale, width, dark in looks:
            with signed_in(browser, server, locale=locale, width=width, dark=dark) as (page, _):
                page.click("#header a")
                page.click("#load")
                page.wait_for_selector("#send-files", timeout=30_000)
                page.screenshot(path=folder / f"documents-{name}.png", full_page=True)
                page.select_option("#place", index=2)
                page.set_input_files("#files", refused)
                page.click("#send-files")
                page.wait_for_selector("[role=alert]")
                page.screenshot(path=folder / f"documents-refused-{name}.png")
                with one_at_a_time(place / "documents" / "run" / "ingest.lock"):
                    page.click("#load")
                    page.wait_for_selector("text=/Ждём|Waiting/")
                    page.screenshot(path=folder / f"documents-running-{name}.png")


def _with_a_model(browser: Browser, storage: Path, folder: Path) -> None:
    with ScriptedOllama(Script(tokens_per_second=40)) as ollama:
        models = f'[{{"provider": "ollama", "model": "qwen2.5:7b", "url": "{ollama.url}"}}]'
        with AssistantProcess(storage, ASSISTANT_LLMS=models) as server, signed_in(browser, server) as (page, _):
            ask(page, "Как настроить VPN?")
            page.wait_for_selector("#stop", timeout=20_000)
            page.wait_for_timeout(700)
            page.screenshot(path=folder / "streaming-ru.png")
            expect(page.locator("#chat")).to_contain_text("Источники", timeout=20_000)
            page.locator("#chat").get_by_text("Поиск в базе знаний").click()
            page.wait_for_timeout(600)
            page.screenshot(path=folder / "step-ru.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "pictures"))
