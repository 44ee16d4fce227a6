"""What a person sees at a limit: on the chat page, and at the sign-in."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.pages import LINKS, ask, serious_findings, signed_in
from tests.servers.assistant_process import AssistantProcess

pytestmark = [pytest.mark.browser, pytest.mark.server]
LEAVE = "Сколько дней длится ежегодный отпуск?"
TOO_FAST = re.compile(r"Вы задаёте вопросы слишком часто\. Следующий можно задать через \d+\sс\.")
TOO_OFTEN = re.compile(r"Слишком много неудачных попыток входа\. Попробуйте снова через \d+\sс\.")
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AssistantProcess]:
    """One question a minute, and three wrong passwords."""
    with AssistantProcess(
        tmp_path_factory.mktemp("limits") / "storage",
        ASSISTANT_LLMS='[{"provider": "extractive"}]',
        ASSISTANT_LIMITS__PER_MINUTE="1",
        ASSISTANT_LIMITS__WRONG_PASSWORDS="3",
    ) as found:
        yield found


def test_the_page_says_in_how_long_the_next_question_may_come(browser: Browser, server: AssistantProcess) -> None:
    with signed_in(browser, server) as (page, foreign):
        ask(page, LEAVE)
        expect(page.locator("#told")).to_contain_text("Ответ готов")
        expect(page.locator("#send")).to_be_visible()
        kept = page.url
        ask(page, "А в Москве?")
        expect(page.locator("#live")).to_contain_text(TOO_FAST)
        expect(page.locator("#live .problem")).to_be_in_viewport()
        expect(page.locator("#question textarea")).to_have_value("А в Москве?")
        assert "№" not in page.inner_text("#live"), "a limit is no failure that somebody has to look up"
        assert page.locator(LINKS).count() > 0, "the answer before it stands"
        assert serious_findings(page) == []
        page.reload()
        expect(page.locator("#history")).to_contain_text(LEAVE)
        assert page.url == kept
        assert "А в Москве?" not in page.inner_text("#history"), "what was refused is no message"
        assert foreign == []


def test_the_sign_in_page_says_when_to_try_again(browser: Browser, server: AssistantProcess) -> None:
    """The browser that has signed in before is another one, and gets in."""
    context = browser.new_context(locale="ru-RU")
    page = context.new_page()
    with signed_in(browser, server) as (known, _):
        page.goto(f"{server.url}/login")
        for _ in range(4):
            page.fill("#name", "admin")
            page.fill("#password", "wrong password")
            page.click("form button")
            page.wait_for_load_state()
        expect(page.locator(".wrong")).to_have_text(TOO_OFTEN)
        assert page.locator("#name").input_value() == "admin"
        assert serious_findings(page) == []
        context.close()
        known.context.clear_cookies(name="assistant_session")
        known.goto(f"{server.url}/login")
        known.fill("#name", "admin")
        known.fill("#password", server.password)
        known.click("form button")
        known.wait_for_selector("#question textarea")
