"""Pages for engineers and administrators over HTTP: who gets in, what is masked, golden questions, figures, the survey."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from assistant.access.principal import Principal
from assistant.evaluation.datasets import read_dataset
from assistant.records.database import Database
from assistant.records.surveys import ANSWERS_BEFORE
from tests.integration.talking import PRICES, talk
from tests.integration.web_site import PASSWORD, Web, problem, site
from tests.unit.test_statistics import add

pytestmark = pytest.mark.server
REVIEWERS = {
    "engineer": (["engineer"], []),
    "sales_engineer": (["engineer"], ["sales"]),
    "sales_admin": (["admin"], ["sales"]),
}
UNKNOWN = ("Какая столица у Австралии?", "Назовите столицу Австралии", "Рецепт борща со сметаной")
PAGES = ("/admin/answers", "/admin/unanswered", "/admin/statistics", "/api/admin/statistics")
COMMENT = "Скидка уже другая <b>!</b>"


@dataclass
class Reviewed:
    """A site with one 👎, one 👍 and three questions without an answer."""

    web: Web
    disliked: str
    liked: str
    unknown: str

    @property
    def golden(self) -> Path:
        return self.web.assistant.reviews.golden

    def client(self, name: str) -> AbstractContextManager[httpx.Client]:
        return self.web.client(name, headers={"accept-language": "en"})


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewed]:
    with site(tmp_path_factory.mktemp("review")) as web:
        assistant = web.assistant
        for name, (roles, departments) in REVIEWERS.items():
            assistant.users.add(name, PASSWORD, roles=roles, departments=departments, level=1)
        seller, staff = assistant.users.find("sales"), assistant.users.find("staff")
        disliked, liked = (_asked(web, PRICES, seller) for _ in range(2))
        assistant.conversations.rate(seller, disliked, -1, reason="outdated", comment=COMMENT)
        assistant.conversations.rate(seller, liked, 1)
        web.ollama.change(answer="The documents do not answer this question. В документах нет ответа на этот вопрос.")
        unknown = [_asked(web, question, staff) for question in UNKNOWN]
        yield Reviewed(web, disliked, liked, unknown[0])


def _asked(web: Web, question: str, who: Principal) -> str:
    return asyncio.run(talk(web.assistant, question, who))[1]


def shown(reviewed: Reviewed, name: str, path: str) -> str:
    with reviewed.client(name) as client:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "private, no-store"
        return html.unescape(answer.text)


# --- who gets in


@pytest.mark.parametrize("name", ["staff", "hr", "sales"])
def test_others_find_nothing_and_change_nothing(reviewed: Reviewed, name: str) -> None:
    with reviewed.client(name) as client:
        for path in PAGES:
            assert problem(client.get(path), 404)["title"] == "NotFound"
        for what in ("none", "documents"):
            form = {"what": what, "path": "hr/leave.md"}
            assert problem(client.post(f"/admin/answers/{reviewed.disliked}/golden", data=form), 404)
        assert "/admin/" not in client.get("/").text
    assert not reviewed.golden.exists()


@pytest.mark.parametrize("name", ["engineer", "admin"])
def test_engineers_and_administrators_get_in(reviewed: Reviewed, name: str) -> None:
    with reviewed.client(name) as client:
        assert [client.get(path).status_code for path in PAGES] == [200] * 4
        documents = client.get("/admin/documents")
        retry = client.post("/admin/documents/retry")
        assert (documents.status_code, retry.status_code) == ((200, 303) if name == "admin" else (404, 404))
        page = client.get("/admin/answers").text
        assert ('href="/admin/documents"' in page) == (name == "admin")


def test_nobody_gets_in_without_a_session(reviewed: Reviewed) -> None:
    with reviewed.web.client() as stranger:
        for path in (*PAGES, "/survey", "/survey.js", "/api/survey"):
            assert problem(stranger.get(path), 401)["title"] == "NotSignedIn"
        problem(stranger.post(f"/admin/answers/{reviewed.disliked}/golden", data={"what": "none"}), 401)
        problem(stranger.post("/api/survey", json={"minutes": 1}), 401)


def test_another_site_cannot_send(reviewed: Reviewed) -> None:
    with reviewed.client("engineer") as client:
        client.headers["origin"] = "http://evil.example"
        problem(client.post(f"/admin/answers/{reviewed.disliked}/golden", data={"what": "none"}), 403)
        problem(client.post("/api/survey", json={"minutes": 1}), 403)


# --- what is shown


def test_who_may_read_the_source_sees_question_answer_and_source(reviewed: Reviewed) -> None:
    page = shown(reviewed, "sales_engineer", "/admin/answers")
    for said in (PRICES, "Out of date", COMMENT, "sales/prices", "qwen2.5:7b"):
        assert said in page
    assert page.count("<article") == 1, "what got 👍 is not here"
    assert "withheld" not in page


@pytest.mark.parametrize("name", ["engineer", "admin"])
def test_who_may_not_read_the_source_sees_the_question_only(reviewed: Reviewed, name: str) -> None:
    readable = shown(reviewed, "sales_engineer", "/admin/answers")
    page = shown(reviewed, name, "/admin/answers")
    assert PRICES in page
    assert COMMENT in page
    assert "withheld: you may not read it, or it is gone" in page
    assert "sales/prices" not in page
    whole = reviewed.web.assistant.reviews.reviewed.find(reviewed.disliked)[0]
    for stored in whole.sources:
        if stored["department"] == "sales":
            assert stored["title"] in readable
            assert stored["title"] not in page
            assert stored["text"][:40] not in page


@pytest.mark.parametrize("path", ["/admin/answers", "/admin/unanswered"])
def test_the_asker_is_not_named(reviewed: Reviewed, path: str) -> None:
    page = shown(reviewed, "sales_admin", path)
    ids = {name: reviewed.web.assistant.users.find(name).id for name in ("sales", "staff")}
    assert not any(found in page for found in ids.values())
    assert ">staff<" not in page
    assert "no department" in page if path == "/admin/unanswered" else "· sales ·" in page


def test_what_people_write_is_text(reviewed: Reviewed) -> None:
    with reviewed.client("sales_engineer") as client:
        raw = client.get("/admin/answers").text
    assert "<b>!</b>" not in raw
    assert "&lt;b&gt;!&lt;/b&gt;" in raw


def test_an_answer_looks_as_in_the_chat(reviewed: Reviewed) -> None:
    with reviewed.client("sales_engineer") as client:
        raw = client.get("/admin/answers").text
    said = raw.split('class="said"')[1].split("</details>")[0]
    assert "<p>" in said
    assert 'href="/documents/' in said, "its numbers lead to the sources"


def test_unanswered_questions_are_grouped(reviewed: Reviewed) -> None:
    page = shown(reviewed, "engineer", "/admin/unanswered?days=7")
    assert "Questions: 3, topics: 2." in page
    first, second = page.split("<article")[1:]
    assert UNKNOWN[0] in first
    assert UNKNOWN[1] in first
    assert "Similar questions: 2" in first
    assert UNKNOWN[2] in second


def test_strange_numbers_in_the_address_are_no_trouble(reviewed: Reviewed) -> None:
    with reviewed.client("engineer") as client:
        for path in (
            "/admin/answers?page=0",
            "/admin/answers?page=999",
            f"/admin/answers?page={10**30}",
            "/admin/unanswered?days=-5",
        ):
            assert client.get(path).status_code == 200
        for path in ("/admin/answers?page=x", "/admin/statistics?days=0", "/api/admin/statistics?days=99999"):
            assert client.get(path).status_code == 422
        assert "<script>" not in client.get("/admin/answers", params={"said": "<script>"}).text
        assert "<script>" not in client.get("/admin/statistics", params={"department": "<script>"}).text


# --- the golden set


def test_a_thumb_down_becomes_a_golden_question(reviewed: Reviewed) -> None:
    golden = f"/admin/answers/{reviewed.disliked}/golden"
    back = {"back": "/admin/answers?page=1"}
    with reviewed.client("sales_engineer") as client, reviewed.client("engineer") as foreign:
        missing = foreign.post(golden, data={"what": "documents", "gold": "sales/prices.md", **back})
        assert missing.headers["location"] == "/admin/answers?page=1&said=missing"
        assert client.post(golden, data={"what": "documents"}).headers["location"].endswith("said=empty")
        assert not reviewed.golden.exists()
        paths = _ticked(client, reviewed.disliked)
        assert (
            client.post(golden, data={"what": "documents", "gold": paths, **back})
            .headers["location"]
            .endswith("=added")
        )
        assert "assistant eval" in client.get("/admin/answers?said=added").text
        assert client.post(golden, data={"what": "none", **back}).headers["location"].endswith("said=known")
        elsewhere = client.post(golden, data={"what": "none", "back": "//evil.example"})
        assert elsewhere.headers["location"].startswith("/admin/answers?page=1&")
    with reviewed.client("admin") as client:
        place = f"/admin/answers/{reviewed.unknown}/golden"
        added = client.post(place, data={"what": "none", "back": "/admin/unanswered?days=30"})
        assert added.headers["location"] == "/admin/unanswered?days=30&said=added"
    labelled = {one.text: one.gold for one in read_dataset(reviewed.golden.parent).questions}
    assert labelled == {PRICES: dict.fromkeys(paths, 1), UNKNOWN[0]: {}}


def test_only_what_is_to_be_reviewed_can_be_added(reviewed: Reviewed) -> None:
    with reviewed.client("sales_engineer") as client:
        for message in (reviewed.liked, "none"):
            problem(client.post(f"/admin/answers/{message}/golden", data={"what": "none"}), 404)


def _ticked(client: httpx.Client, message: str) -> list[str]:
    """The documents that the form has ticked: the cited ones."""
    form = client.get("/admin/answers").text.split(f"/admin/answers/{message}/golden")[1].split("</form>")[0]
    found = [
        html.unescape(part.split('"')[0])
        for part in form.split('name="gold" value="')[1:]
        if "checked" in part.split(">")[0]
    ]
    assert found
    return found


# --- figures and the survey


def test_the_api_gives_what_the_page_shows(reviewed: Reviewed) -> None:
    with reviewed.client("engineer") as client:
        given = client.get("/api/admin/statistics", params={"days": 7}).json()
        sales = client.get("/api/admin/statistics", params={"days": 7, "department": "sales"}).json()
    assert given == reviewed.web.assistant.reviews.statistics.report(days=7).as_json()
    assert (given["totals"]["questions"], given["totals"]["people"]) == (5, 2)
    assert (given["totals"]["liked_share"], given["totals"]["answered_share"]) == (0.5, 0.4)
    assert given["totals"]["first_token_p95"] > 0
    assert (sales["totals"]["questions"], sales["adoption"]["accounts"]) == (2, 3)
    page = shown(reviewed, "engineer", "/admin/statistics?days=7")
    assert page.count("<svg") == 6
    assert page.count('role="img"') == 6
    for said in ("40%", "questions: 5", "50%", "ratings: 2", "sales"):
        assert said in page
    assert "<script" not in page
    assert re.search(r"\d\.\d s\b", page)
    with reviewed.client("engineer") as client:
        russian = client.get("/admin/statistics?days=7", headers={"accept-language": "ru"}).text
    assert re.search(r"\d,\d с\b", russian)
    assert not re.search(r"\d\.\d с\b", russian)


def test_the_survey_is_offered_and_answered(reviewed: Reviewed) -> None:
    user = reviewed.web.assistant.users.find("hr")
    with reviewed.client("hr") as client:
        assert client.get("/api/survey").json() == {"due": False}
        assert client.get("/survey").status_code == 204
        database = Database(reviewed.web.assistant.settings.database_url)
        for _ in range(ANSWERS_BEFORE):
            add(database, user.id)
        database.close()
        assert client.get("/api/survey").json() == {"due": True}
        assert "How many minutes" in client.get("/survey").text
        assert client.get("/survey.js").headers["content-type"].startswith("text/javascript")
        problem(client.post("/api/survey", json={"minutes": -5}), 422)
        problem(client.post("/api/survey", json={"minutes": "many"}), 422)
        assert client.post("/api/survey", json={"minutes": 30}).status_code == 204
        assert client.get("/survey").status_code == 204
        assert client.post("/api/survey", json={"minutes": None}).status_code == 204, "taken back"
    assert reviewed.web.assistant.reviews.statistics.report().saved.answers == 0
