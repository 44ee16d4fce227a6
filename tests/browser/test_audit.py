"""The page when its audit can't be written: a sentence with a number, and nothing of any document."""

from __future__ import annotations

import re
import sqlite3

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.pages import LINKS, answer_text, ask, signed_in
from tests.servers.assistant_process import AssistantProcess

pytestmark = [pytest.mark.browser, pytest.mark.server]
USED_UP = "CREATE TRIGGER used_up BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'disk full'); END"


def test_no_record_no_answer_on_the_page(browser: Browser, quoting: AssistantProcess) -> None:
    question = "Как настроить VPN?"
    with signed_in(browser, quoting) as (page, _), sqlite3.connect(quoting.storage / "assistant.db") as database:
        database.execute(USED_UP)
        database.commit()
        try:
            ask(page, question)
            expect(page.locator("#chat")).to_contain_text(re.compile(r"Номер ошибки: [0-9a-f]{8}"), timeout=30_000)
            assert page.locator(LINKS).count() == 0
            assert not re.search(r"\[\d", answer_text(page))
            assert page.input_value("#question textarea") == question, "it is not lost"
        finally:
            database.execute("DROP TRIGGER used_up")
            database.commit()
        page.click("#send")
        expect(page.locator(LINKS).locator("visible=true").first).to_be_visible(timeout=30_000)
    database.close()
