"""An administrator in a real browser: from the chat to a disliked answer, into the golden set, to the plots; the survey."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from assistant.records.account_tables import UserRow
from assistant.records.database import Database
from assistant.records.surveys import ANSWERS_BEFORE
from tests.browser.pages import signed_in
from tests.review_pictures import NO_MODEL, asked
from tests.servers.assistant_process import AssistantProcess
from tests.unit.test_statistics import add

pytestmark = [pytest.mark.browser, pytest.mark.server]
QUESTION = "Сколько дней отпуска положено?"


def test_a_disliked_answer_becomes_a_golden_question(browser: Browser, tmp_path: Path) -> None:
    server = AssistantProcess(tmp_path / "storage", ASSISTANT_LLMS=NO_MODEL)
    with server, signed_in(browser, server) as (page, foreign):
        message = asked(page, server.url, QUESTION)
        opinion = {"message": message, "rating": -1, "reason": "wrong"}
        assert page.request.post(f"{server.url}/api/feedback", data=opinion, headers={"origin": server.url}).ok
        page.get_by_role("link", name="Ответы", exact=True).click()
        answer = page.locator("article").filter(has_text=QUESTION)
        expect(answer).to_contain_text("Ошибка в ответе")
        answer.get_by_text("В эталонный набор").click()
        expect(answer.locator("input[name=gold]:checked")).not_to_have_count(0)
        answer.get_by_role("button", name="Добавить с этими документами").click()
        expect(page.get_by_role("status")).to_contain_text("Вопрос добавлен")
        (line,) = (tmp_path / "storage" / "golden" / "questions.jsonl").read_text("utf-8").splitlines()
        assert json.loads(line)["question"] == QUESTION
        assert json.loads(line)["gold"]

        page.get_by_role("link", name="Статистика").click()
        expect(page.locator("svg.chart")).to_have_count(6)
        page.select_option("#days", "7")
        page.get_by_role("button", name="Показать").click()
        expect(page).to_have_url(f"{server.url}/admin/statistics?days=7&department=")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "no scrolling aside"
        assert foreign == []


def test_the_survey_is_answered_and_does_not_come_again(browser: Browser, tmp_path: Path) -> None:
    with AssistantProcess(tmp_path / "storage", ASSISTANT_LLMS=NO_MODEL) as server:
        database = Database(f"sqlite:///{tmp_path / 'storage' / 'assistant.db'}")
        with database.transaction() as session:
            (admin,) = [row.id for row in session.query(UserRow)]
        for _ in range(ANSWERS_BEFORE):
            add(database, admin)
        database.close()
        with signed_in(browser, server) as (page, _):
            page.get_by_role("spinbutton", name="Сколько минут").fill("25")
            with page.expect_response("**/api/survey") as answered:
                page.get_by_role("button", name="Ответить").click()
            assert answered.value.status == 204
            expect(page.locator("#survey")).to_contain_text("Спасибо")
            with page.expect_response("**/survey") as again:
                page.reload()
                assert again.value.status == 204
            expect(page.locator("#survey")).to_have_count(0)
