"""An administrator in a real browser: from the chat to the documents, a file sent, and a question answered from it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from assistant.ingest.lock import one_at_a_time
from tests.browser.pages import answer_text, ask, signed_in
from tests.integration import company
from tests.servers.assistant_process import AssistantProcess

pytestmark = [pytest.mark.browser, pytest.mark.server]
NO_MODEL = '[{"provider": "extractive"}]'


def test_a_question_is_answered_from_an_uploaded_file(browser: Browser, tmp_path: Path) -> None:
    docs = Path(shutil.copytree(company.DOCS, tmp_path / "docs" / "company")).parent
    recipe = company.recipe(tmp_path / "company.yaml", docs, chunk_size=320)
    sent = tmp_path / "Велостоянка.md"
    sent.write_text("# Велостоянка\n\nВелосипеды сотрудников ставят во дворе, код замка 4417.", encoding="utf-8")
    settings = {"ASSISTANT_LLMS": NO_MODEL, "ASSISTANT_INGEST__PIPELINES": f'["{recipe}"]'}
    with AssistantProcess(tmp_path / "storage", **settings) as server, signed_in(browser, server) as (page, foreign):
        page.get_by_role("link", name="Документы").click()
        send(page, sent)
        expect(page.locator("#loaded")).to_contain_text("company/it/Велостоянка.md", timeout=60_000)
        assert (docs / "company" / "it" / "Велостоянка.md").read_bytes() == sent.read_bytes()

        send(page, sent)
        expect(page.get_by_role("alert")).to_contain_text("Такой файл в этой папке уже есть")

        page.goto(server.url)
        page.wait_for_selector("#question textarea")
        ask(page, "Где ставят велосипеды сотрудников?")
        expect(page.locator("#chat").get_by_text("Источники")).to_be_visible(timeout=15_000)
        assert "4417" in answer_text(page)
        assert foreign == []


def test_a_load_is_followed_beside_what_was_refused_and_chosen(browser: Browser, tmp_path: Path) -> None:
    docs = Path(shutil.copytree(company.DOCS, tmp_path / "docs" / "company")).parent
    recipe = company.recipe(tmp_path / "company.yaml", docs, chunk_size=320)
    settings = {"ASSISTANT_LLMS": NO_MODEL, "ASSISTANT_INGEST__PIPELINES": f'["{recipe}"]'}
    good, odd = tmp_path / "Столовая.md", tmp_path / "Фото.zip"
    good.write_text("# Столовая\n\nСтоловая открыта до 16:30.", encoding="utf-8")
    odd.write_bytes(b"PK")
    with AssistantProcess(tmp_path / "storage", **settings) as server, signed_in(browser, server) as (page, _):
        page.goto(f"{server.url}/admin/documents")
        with one_at_a_time(tmp_path / "storage" / "run" / "ingest.lock"):
            page.select_option("#place", index=1)
            page.set_input_files("#files", [good, odd])
            page.click("#send-files")
            expect(page.locator("#loading")).to_contain_text("Ждём", timeout=20_000)
            page.check("[name=replace]")
        expect(page.locator("#loaded")).to_contain_text("Столовая.md", timeout=60_000)
        expect(page.locator("#load")).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("Фото.zip")
        expect(page.locator("[name=replace]")).to_be_checked()


def send(page: Page, file: Path) -> None:
    page.select_option("#place", label="company/it — company")
    page.set_input_files("#files", file)
    page.click("#send-files")
