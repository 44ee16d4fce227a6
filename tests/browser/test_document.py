"""A citation is clicked in a real browser: the page of the PDF opens with the marked passage in sight."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.pages import LINKS, ask, signed_in
from tests.servers.assistant_process import AssistantProcess

pytestmark = [pytest.mark.browser, pytest.mark.server]
LOOKS: dict[str, dict[str, Any]] = {
    "wide": {},
    "narrow": {"width": 360, "height": 740},
    "dark, English": {"locale": "en-US", "dark": True},
}


def cited(page: Page, question: str, file: str) -> Page:
    """The page that a click on the answer's citation opens."""
    ask(page, question)
    link = page.locator(LINKS).filter(has_text=re.compile(file)).last
    expect(link).to_be_visible(timeout=20_000)
    if link.get_attribute("target") != "_blank":
        link.click()
        return page
    with page.context.expect_page() as opened:
        link.click()
    return opened.value


@pytest.mark.parametrize("look", LOOKS)
def test_a_citation_opens_its_page_with_the_passage_in_sight(
    browser: Browser, quoting: AssistantProcess, look: str
) -> None:
    with signed_in(browser, quoting, **LOOKS[look]) as (page, foreign):
        document = cited(page, "Как настроить VPN?", "VPN.*2")
        picture = document.locator(".paper img")
        expect(picture).to_be_visible()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("picture => picture.naturalWidth") > 1000, "the picture was drawn and has arrived"
        assert (picture.get_attribute("src") or "").endswith("/pages/2")
        found = document.locator("#found")
        expect(found).to_be_in_viewport()
        expect(found).to_be_focused()
        assert "15 минут" in (found.get_attribute("aria-label") or "")
        assert document.locator(".box").count() > 10
        assert _inside(document), "every box lies on the paper"
        assert document.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out sideways"
        assert foreign == []


def test_the_mark_lies_on_the_words(browser: Browser, quoting: AssistantProcess) -> None:
    """Under the first box the picture has ink; beside it, at the same height, only paper."""
    with signed_in(browser, quoting) as (page, _):
        document = cited(page, "Как настроить VPN?", "VPN.*2")
        expect(document.locator(".paper img")).to_have_js_property("complete", True)
        dark = document.evaluate(
            """() => {
                const picture = document.querySelector('.paper img'), box = document.getElementById('found').style;
                const canvas = document.createElement('canvas'), [w, h] = [picture.naturalWidth, picture.naturalHeight];
                [canvas.width, canvas.height] = [w, h];
                const paint = canvas.getContext('2d');
                paint.drawImage(picture, 0, 0);
                const share = (left, top, width, height) => {
                    const pixels = paint.getImageData(left * w / 100, top * h / 100, width * w / 100, height * h / 100).data;
                    let ink = 0;
                    for (let n = 0; n < pixels.length; n += 4) ink += pixels[n] < 128;
                    return ink / (pixels.length / 4);
                };
                const [left, top, width, height] = [box.left, box.top, box.width, box.height].map(parseFloat);
                return [share(left, top, width, height), share(0.1, top, left - 1, height)];
            }"""
        )
        assert dark[0] > 0.05
        assert dark[1] == 0


def test_pages_are_turned_and_enlarged_with_the_keyboard(browser: Browser, quoting: AssistantProcess) -> None:
    with signed_in(browser, quoting, locale="en-US") as (page, _):
        document = cited(page, "Как настроить VPN?", "VPN.*2")
        before = document.locator(".paper").bounding_box()
        document.locator("#zoom-1").focus()
        document.keyboard.press("ArrowRight")
        after = document.locator(".paper").bounding_box()
        assert before is not None
        assert after is not None
        assert after["width"] > 1.4 * before["width"]
        document.get_by_role("link", name="Next page").first.press("Enter")
        expect(document.get_by_role("navigation").first).to_contain_text("Page 3 of 3")
        expect(document.locator(".box")).to_have_count(0)
        document.get_by_role("link", name="To the passage: page 2").first.press("Enter")
        expect(document.locator("#found")).to_be_focused()
        document.get_by_role("link", name="Show as text").press("Enter")
        expect(document.locator("#found")).to_be_focused()
        expect(document.locator("#found")).to_be_in_viewport()
        assert document.locator(".paper").count() == 0


def test_other_formats_scroll_to_the_passage(browser: Browser, quoting: AssistantProcess) -> None:
    with signed_in(browser, quoting, width=360, height=740) as (page, _):
        ask(page, "Какие требования к паролям учётных записей?")
        link = page.locator(LINKS).filter(has_text="Пароли").last
        expect(link).to_be_visible(timeout=20_000)
        page.goto(quoting.url + (link.get_attribute("href") or ""))
        expect(page.locator("#found")).to_be_in_viewport()
        expect(page.locator("#found")).to_be_focused()
        assert page.locator("img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def _inside(document: Page) -> bool:
    return bool(
        document.evaluate(
            """() => {
                const paper = document.querySelector('.paper').getBoundingClientRect();
                return [...document.querySelectorAll('.box')].every(box => {
                    const at = box.getBoundingClientRect();
                    const across = at.left >= paper.left && at.right <= paper.right;
                    return across && at.top >= paper.top && at.bottom <= paper.bottom;
                });
            }"""
        )
    )
