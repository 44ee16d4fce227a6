"""The page "view as": what somebody would find and what is withheld, without a word of what its reader may not read."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.access.principal import AccessClass
from assistant.explaining.view_as import ViewAs
from tests.integration import company
from tests.integration.web_site import PASSWORD, Web, problem, site

pytestmark = pytest.mark.server
PAGE = "/admin/view-as"
PRICES = "Скидка без согласования"
LEAVE = "Отпуск двадцать восемь дней"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with site(tmp_path_factory.mktemp("view-as")) as web:
        web.assistant.users.add("sales_admin", PASSWORD, roles=["admin"], departments=["sales"], level=1)
        yield web


def look(web: Web, viewer: str, person: str, question: str) -> ViewAs:
    who = web.assistant.users.find(viewer)
    return asyncio.run(web.assistant.viewing_as.look(who, person, question))


def shown(web: Web, viewer: str, person: str, question: str, language: str = "en") -> str:
    with web.client(viewer, headers={"accept-language": language}) as client:
        answer = client.post(PAGE, data={"person": person, "question": question})
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "private, no-store"
        return html.unescape(answer.text)


@pytest.mark.parametrize("name", ["staff", "hr", None])
def test_others_find_nothing(web: Web, name: str | None) -> None:
    with web.client(name, headers={"accept": "application/json"}) as client:
        for answer in (client.get(PAGE), client.post(PAGE, data={"person": "hr", "question": LEAVE})):
            problem(answer, 404 if name else 401)
        assert PAGE not in client.get("/admin/answers").text


def test_what_is_withheld_is_named_with_what_it_needs(web: Web) -> None:
    page = shown(web, "sales_admin", "staff", PRICES)
    assert re.search(r'id="withheld".*Цены.*sales/prices\.md.*needs department sales, level 1', page, re.DOTALL)
    assert "семи процентов" not in page  # not a word of the text, though the administrator could read it
    assert 'id="hidden"' not in page
    russian = shown(web, "sales_admin", "staff", PRICES, "ru")
    assert "нужен отдел sales, уровень 1" in russian
    assert "Глазами сотрудника" in russian


def test_what_both_read_is_shown_with_its_text(web: Web) -> None:
    page = shown(web, "sales_admin", "sales", PRICES)
    assert re.search(r'id="found".*Цены.*department sales, level 1.*семи процентов.*id="withheld"', page, re.DOTALL)


def test_what_the_administrator_may_not_read_has_no_name_and_no_place(web: Web) -> None:
    page = shown(web, "sales_admin", "hr", LEAVE)
    assert "hr/leave.md" not in page
    assert "двадцать восемь дней" not in page.replace(LEAVE, "")
    assert "department hr" not in page
    assert re.search(r"There are documents \(2\) that hr may read and you may not", page)


def test_a_guessed_word_tells_nothing(web: Web) -> None:
    """The same question before and after its words came into a text that the administrator may not read."""
    question = "увольнение директора Сидоренко"
    before = look(web, "admin", "hr", question)
    company.write(web.docs, {"hr/hiring.txt": f"{question} готовится. " * 3})
    web.assistant.ingest(web.docs.parent / "company.yaml")
    hr = web.assistant.users.find("hr")
    found = asyncio.run(web.assistant.search(question, hr))
    assert found.sources[0].passage.path == "hr/hiring.txt", "the person finds it"
    after = look(web, "admin", "hr", question)
    assert [one.passage.chunk for one in after.found] == [one.passage.chunk for one in before.found]
    assert (after.withheld, after.hidden) == (before.withheld, before.hidden)
    assert {one.passage.access_class for one in after.found} <= {AccessClass("company", 1)}


def test_each_look_is_in_the_audit(web: Web) -> None:
    look(web, "sales_admin", "staff", PRICES)
    last = [one for one in web.assistant.audit.records() if one.kind == "access.view_as"][-1]
    details = json.loads(last.details)
    assert (last.actor, details["person"], details["text"]) == ("sales_admin", "staff", PRICES)
    assert web.document("sales/prices.md") in details["withheld"]


def test_what_can_not_be_asked_is_said_on_the_page(web: Web) -> None:
    with web.client("sales_admin", headers={"accept-language": "en"}) as client:
        assert f'<a href="{PAGE}">View as</a>' in client.get("/admin/answers").text
        answer = client.post(PAGE, data={"person": "<b>nobody</b>", "question": "x"})
        assert answer.status_code == 404
        assert "There is no such account." in answer.text
        assert "<b>nobody" not in answer.text
        answer = client.post(PAGE, data={"person": "staff", "question": " "})
        assert answer.status_code == 422
        assert "The question is empty" in answer.text
        assert client.get(PAGE).status_code == 200


def test_names_are_shown_as_text(web: Web, tmp_path: Path) -> None:  # noqa: ARG001
    name = '"><img src=x onerror=alert(1)> {0}'
    web.assistant.users.add(name, PASSWORD, roles=[], departments=[], level=1)
    with web.client("sales_admin") as client:
        answer = client.post(PAGE, data={"person": name, "question": PRICES})
        assert answer.status_code == 200
        assert "<img" not in answer.text
