"""The audit of a served assistant: each thing that is done is recorded before it is given out, and without it nothing is."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assistant.access.principal import LOCAL_OPERATOR
from assistant.errors import StorageError
from assistant.records.audit import os_account
from assistant.settings_security import Access
from assistant.settings_security import Audit as AuditSettings
from tests.integration import company
from tests.integration.talking import PRICES, quick_site
from tests.integration.web_site import PASSWORD, Web, events, problem

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def web(loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    place = shutil.copytree(loaded, tmp_path_factory.mktemp("audit") / "site")
    company.recipe(place / "company.yaml", place / "docs")
    with quick_site(place) as found:
        yield found


def records(web: Web, after: int = 0) -> list[tuple[str, str, dict[str, Any]]]:
    """Kind, actor and details."""
    return [(one.kind, one.actor, json.loads(one.details)) for one in web.assistant.audit.records(after=after)]


def kinds(web: Web, after: int) -> list[str]:
    return [kind for kind, _, _ in records(web, after)]


@contextmanager
def unwritable(web: Web, what: str = "audit_events") -> Iterator[None]:
    """The database takes everything but new records, as when a quota is used up just there."""
    file = web.assistant.settings.storage.path / "assistant.db"
    with sqlite3.connect(file) as database:
        database.execute(f"CREATE TRIGGER used_up BEFORE INSERT ON {what} BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    database.close()
    try:
        yield
    finally:
        with sqlite3.connect(file) as database:
            database.execute("DROP TRIGGER used_up")
        database.close()


def test_what_a_person_does_is_recorded(web: Web) -> None:
    start = web.assistant.audit.head().number
    document = web.document("sales/prices.md")
    with web.client("sales") as client:
        answer = events(client.post("/api/ask", json={"question": PRICES, "conversation": "new"}))
        found = client.post("/api/search", json={"query": PRICES}).json()["results"]
        client.get(f"/documents/{document}").raise_for_status()
        client.get(f"/documents/{document}/original").raise_for_status()
        recorded = dict(answer)["recorded"]
        client.post("/api/feedback", json={"message": recorded["message"], "rating": -1, "comment": "тайна"})
        client.get(f"/api/conversations/{recorded['conversation']}/export").raise_for_status()
        client.get(f"/api/conversations/{recorded['conversation']}").raise_for_status()
        client.delete(f"/api/conversations/{recorded['conversation']}").raise_for_status()
        client.post("/logout")
    made = records(web, start)
    assert [kind for kind, _, _ in made] == [
        "sign_in.ok",
        "question",
        "answer.retrieved",
        "answer.shown",
        "search",
        "document.opened",
        "document.opened",
        "feedback",
        "export",
        "conversation.opened",
        "conversation.deleted",
        "sign_out",
    ]
    assert {actor for _, actor, _ in made} == {"sales"}
    assert {one.address for one in web.assistant.audit.records(after=start)} == {"127.0.0.1"}
    _, question, retrieved, shown, search, text, file, *_ = (details for _, _, details in made)
    assert question == {"text": PRICES, "conversation": "new"}
    assert retrieved["question"] == shown["question"] == start + 2
    step = [event for name, event in answer if name == "step"][0]
    assert {one["document"] for one in retrieved["documents"]} >= {one["document"] for one in step["results"]}
    assert all(one["version"] and one["path"] for one in retrieved["documents"])
    finished = answer[-1][1]
    assert set(shown["cited"]) == {one["document"] for one in finished["citations"]}
    assert (shown["conversation"], shown["message"]) == (recorded["conversation"], recorded["message"])
    assert {one["document"] for one in search["documents"]} == {one["document"] for one in found}
    row = web.assistant.catalog.document(document)
    assert (text["document"], text["version"], text["sha256"]) == (document, row.version, row.sha256)
    assert (text["part"], file["part"]) == ("text", "file")
    assert "тайна" not in str(made)
    assert web.assistant.audit.verify().problems == ()


def test_a_failed_sign_in_names_no_more_than_the_account(web: Web) -> None:
    """People type passwords into the field for the name."""
    start = web.assistant.audit.head().number
    with web.client() as client:
        for name, password in (("sales", "wrong"), ("my secret passphrase 42", "sales"), ("", "")):
            assert client.post("/login", data={"name": name, "password": password}).status_code == 401
    made = records(web, start)
    assert [(kind, actor) for kind, actor, _ in made] == [("sign_in.failed", who) for who in ("sales", "", "")]
    written = "".join(file.read_text("utf-8") for file in web.assistant.audit.file.files())
    assert "passphrase" not in written + str(made)
    assert PASSWORD not in written
    assert "wrong" not in str(made[0])


def test_the_audit_can_not_be_filled_with_what_is_no_question(web: Web) -> None:
    """A request may have megabytes, and nothing is ever taken out of the audit."""
    long = "ы" * 500_000
    with web.client("sales") as client:
        start = web.assistant.audit.head().number
        problem(client.post("/api/search", json={"query": long}), 422)
        problem(client.post("/api/ask", json={"question": long}), 422)
        problem(client.post("/api/ask", json={"question": PRICES, "conversation": long}), 404)
        problem(client.post("/api/feedback", json={"message": long, "rating": 1}), 404)
        assert (
            client.get(f"/documents/{web.document('sales/prices.md')}", params={"page": "9" * 4000}).status_code < 500
        )
    assert sum(len(one.line()) for one in web.assistant.audit.records(after=start)) < 10_000


def test_no_record_no_session(web: Web) -> None:
    sessions = "SELECT count(*) FROM sessions"
    with sqlite3.connect(web.assistant.settings.storage.path / "assistant.db") as database, web.client() as client:
        before = database.execute(sessions).fetchone()
        with unwritable(web):
            answer = client.post("/login", data={"name": "hr", "password": PASSWORD})
        assert answer.status_code == 503
        assert not client.cookies
        assert database.execute(sessions).fetchone() == before
    database.close()


def test_no_record_no_answer_and_no_document(web: Web) -> None:
    secret = "скидк"  # in every passage about it
    document = web.document("sales/prices.md")
    with web.client("sales", headers={"accept-language": "en"}) as client:
        recorded = dict(events(client.post("/api/ask", json={"question": PRICES, "conversation": "new"})))["recorded"]
        talk = f"/api/conversations/{recorded['conversation']}"
        asked = {"messages": [{"role": "user", "content": PRICES}], "model": "assistant"}
        with unwritable(web):
            start = web.assistant.audit.head().number
            refused = [
                client.post("/api/ask", json={"question": PRICES}),
                client.post("/api/ask", json={"question": PRICES, "conversation": "new"}),
                client.post("/api/search", json={"query": PRICES}),
                client.get(f"/documents/{document}"),
                client.get(f"/documents/{document}/original"),
                client.get(talk),
                client.get(f"{talk}/export"),
            ]
            for answer in refused:
                assert secret not in problem(answer, 503)["detail"].lower()
                assert re.search(r"Error number: [0-9a-f]{8}\.$", answer.json()["detail"])
                assert "disk full" not in answer.text, "the reason is the operator's"
            page = client.get(f"/documents/{document}", headers={"accept": "text/html", "accept-language": "ru"})
            assert (page.status_code, secret in page.text.lower()) == (503, False)
            assert re.search(r"Номер ошибки: [0-9a-f]{8}\.", page.text)
            assert client.post("/v1/chat/completions", json=asked).status_code == 503
            assert client.post("/v1/chat/completions", json={**asked, "stream": True}).status_code == 503
            problem(client.post("/api/feedback", json={"message": recorded["message"], "rating": 1}), 503)
            problem(client.delete(talk), 503)
            assert web.assistant.audit.head().number == start
        assert client.get(f"/api/feedback/{recorded['message']}").status_code == 404, "not rated either"
        assert client.get(talk).status_code == 200, "and not deleted"
        assert len(client.get("/api/conversations").json()["conversations"]) >= 1
    assert web.assistant.audit.verify().problems == ()


def test_a_file_that_can_not_be_written_stops_answers_too(web: Web) -> None:
    """A folder in its place: what even root can't write."""
    file = web.assistant.audit.file.files()[-1]
    with web.client("sales") as client:
        kept = file.rename(file.with_suffix(".kept"))
        file.mkdir()
        try:
            problem(client.post("/api/search", json={"query": PRICES}), 503)
        finally:
            file.rmdir()
            kept.rename(file)
        assert client.post("/api/search", json={"query": PRICES}).status_code == 200
    assert web.assistant.audit.verify().problems == ()


def test_no_record_no_ingest_and_no_account(web: Web) -> None:
    (web.docs / "sales" / "new.md").write_text("# Новое\n\nНовый прайс.\n", "utf-8")
    with unwritable(web):
        with pytest.raises(StorageError):
            web.assistant.ingest(web.docs.parent / "company.yaml")
        with pytest.raises(StorageError):
            web.assistant.users.add("evil", PASSWORD, roles=["admin"], departments=["*"], level=9)
        with pytest.raises(StorageError):
            web.assistant.users.grant("sales", roles=["admin"], departments=[], level=None)
    assert "sales/new.md" not in {view.row.path for view in web.assistant.documents()}
    assert "evil" not in {who.name for who in web.assistant.users.list()}
    assert "admin" not in web.assistant.users.find("sales").roles
    start = web.assistant.audit.head().number
    web.assistant.ingest(web.docs.parent / "company.yaml")
    web.assistant.users.grant("hr", roles=[], departments=["sales"], level=2)
    begun, done, granted = records(web, start)
    assert begun[:2] == ("ingest", os_account())
    assert (done[0], done[2]["added"], done[2]["failed"]) == ("ingest.done", 1, 0)
    assert (granted[0], granted[2]["name"], granted[2]["departments"]) == ("access.changed", "hr", ["hr", "sales"])


def test_configuration_at_start_has_no_secret_in_it(web: Web) -> None:
    start = web.assistant.audit.head().number
    web.assistant.auditing.started(web.assistant.settings, "serve")
    ((kind, _, details),) = records(web, start)
    assert kind == "config.start"
    assert set(details) == {"what", "version", "ways", "settings", "access_file"}
    assert (details["ways"], len(details["settings"])) == (["local"], 64)


def test_a_change_of_the_access_file_while_nothing_ran_is_seen_at_the_start(web: Web, tmp_path: Path) -> None:
    file = tmp_path / "access.yaml"
    settings = web.assistant.settings.model_copy(update={"access": Access(file=file)})
    seen = []
    for text in ("groups: {}", "groups: {}", "groups: {guests: {departments: [hr]}}"):
        file.write_text(text)
        start = web.assistant.audit.head().number
        web.assistant.auditing.started(settings, "serve")
        seen.append(records(web, start)[0][2]["access_file"])
    assert seen[0] == seen[1] != seen[2]


def test_words_of_questions_can_be_left_out(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    word = "кракозябра"
    with quick_site(place, audit=AuditSettings(store_questions=False)) as web, web.client("sales") as client:
        assert events(client.post("/api/ask", json={"question": f"Какая скидка, {word}?"}))[-1][0] == "finished"
        assert client.post("/api/search", json={"query": f"скидка {word}"}).status_code == 200
        made = [one for one in web.assistant.audit.records() if one.kind in ("question", "search")]
        assert [set(json.loads(one.details)) for one in made] == [{"characters"}, {"characters", "documents"}]
        storage = web.assistant.settings.storage.path
    said = capfd.readouterr()
    assert word not in said.out + said.err
    for file in filter(Path.is_file, storage.rglob("*")):  # database, files of the audit, logs
        assert word.encode() not in file.read_bytes(), file


async def test_who_leaves_in_the_middle_is_recorded_with_what_was_shown(web: Web) -> None:
    start = web.assistant.audit.head().number
    answering = web.assistant.ask(PRICES, LOCAL_OPERATOR)
    async for event in answering:
        if type(event).__name__ == "Sources":
            break
    await answering.aclose()
    assert kinds(web, start) == ["question", "answer.retrieved", "answer.stopped"]
    assert records(web, start)[-1][2]["documents"]
