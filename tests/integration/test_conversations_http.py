"""Conversations and feedback over HTTP and on the command line: what a program gets, and what `/openapi.json` says."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from docx import Document
from typer.testing import CliRunner

from assistant.cli.main import app as commands
from assistant.evaluation.datasets import read_dataset
from assistant.web.conversation_models import OpenConversationOut
from tests.integration.sample import MODEL
from tests.integration.talking import PASS, PRICES, quick_site
from tests.integration.web_site import Web, events, problem
from tests.servers.ollama import Script

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def folder(loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(loaded, tmp_path_factory.mktemp("http") / "site")


@pytest.fixture(scope="module")
def web(folder: Path) -> Iterator[Web]:
    with quick_site(folder) as found:
        yield found


@pytest.fixture
def client(web: Web) -> Iterator[httpx.Client]:
    with web.client("sales") as client:
        yield client


def ask(client: httpx.Client, question: str = PRICES, conversation: str = "new", **body: Any) -> dict[str, str]:
    """The event `recorded`."""
    answer = client.post("/api/ask", json={"question": question, "conversation": conversation, **body})
    found = events(answer.raise_for_status())
    assert [found[0][0], found[-1][0]] == ["recorded", "finished"]
    recorded: dict[str, str] = found[0][1]
    assert {key: found[-1][1][key] for key in ("conversation", "message")} == recorded
    return recorded


def test_a_conversation_from_its_first_question_to_its_deletion(client: httpx.Client) -> None:
    recorded = ask(client, key="k1")
    address = f"/api/conversations/{recorded['conversation']}"
    ask(client, "А оптом?", recorded["conversation"])
    answer = client.get(address)
    assert answer.headers["cache-control"] == "private, no-store"
    first, second = answer.json()["messages"]
    assert (first["id"], first["question"], first["status"], first["model"]) == (
        recorded["message"],
        PRICES,
        "finished",
        MODEL,
    )
    assert first["key"] == "k1"
    assert second["searched"] != second["question"] == "А оптом?"
    cited = next(source for source in first["sources"] if source["cited"])
    assert f"[{cited['n']}]" in first["answer"]
    assert (cited["source"], cited["department"], cited["withheld"]) == ("sales/prices.md", "sales", False)
    assert set(cited["scores"]) == {"bm25", "vector", "rerank"}

    assert client.patch(address, json={"title": "  Про\nскидки "}).json()["title"] == "Про скидки"
    listed = client.get("/api/conversations", params={"search": "СКИДКИ"}).json()
    assert [one["title"] for one in listed["conversations"]] == ["Про скидки"]
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == client.delete(address).status_code == 404
    assert client.get("/api/conversations", params={"search": "скидки"}).json()["conversations"] == []
    assert client.post(f"{address}/restore").json()["title"] == "Про скидки"
    assert len(client.get(address).json()["messages"]) == 2


def test_an_empty_conversation_is_filled_by_questions(client: httpx.Client) -> None:
    made = client.post("/api/conversations")
    assert (made.status_code, made.json()["title"]) == (201, "")
    assert ask(client, PASS, made.json()["id"])["conversation"] == made.json()["id"]
    assert client.get(f"/api/conversations/{made.json()['id']}").json()["title"] == PASS
    assert client.post("/api/conversations", json={"title": "Мой"}).json()["title"] == "Мой"


def test_the_same_key_is_refused(client: httpx.Client) -> None:
    recorded = ask(client, key="once")
    body = {"question": PRICES, "conversation": recorded["conversation"], "key": "once"}
    assert problem(client.post("/api/ask", json=body), 409)["title"] == "AlreadyAsked"
    assert len(client.get(f"/api/conversations/{recorded['conversation']}").json()["messages"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/conversations/x", {"title": ""}),
        ("POST", "/api/feedback", {"message": "x", "rating": 0}),
        ("POST", "/api/feedback", {"message": "x", "rating": -1, "reason": "nonsense"}),
        ("POST", "/api/feedback", {"message": "x", "rating": -1, "comment": "x" * 2001}),
        ("POST", "/api/ask", {"question": PRICES, "conversation": "new", "key": ""}),
        ("GET", "/api/conversations?limit=0", None),
        ("GET", f"/api/conversations?offset={10**30}", None),
        ("GET", "/api/conversations/x/export?format=pdf", None),
    ],
)
def test_what_can_not_be_taken_is_said(client: httpx.Client, method: str, path: str, body: Any) -> None:
    problem(client.request(method, path, json=body), 422)


def test_feedback_can_be_given_changed_and_taken_back(client: httpx.Client) -> None:
    recorded = ask(client)
    body = {"message": recorded["message"], "rating": -1, "reason": "outdated", "comment": "не та скидка"}
    given = client.post("/api/feedback", json=body).json()
    assert (given["rating"], given["reason"], given["comment"]) == (-1, "outdated", "не та скидка")
    client.post("/api/feedback", json={"message": recorded["message"], "rating": 1}).raise_for_status()
    shown = client.get(f"/api/conversations/{recorded['conversation']}").json()["messages"][0]["feedback"]
    assert shown == client.get(f"/api/feedback/{recorded['message']}").json()
    assert (shown["rating"], shown["reason"]) == (1, "")
    assert client.delete(f"/api/feedback/{recorded['message']}").status_code == 204
    problem(client.get(f"/api/feedback/{recorded['message']}"), 404)


@pytest.mark.parametrize(("language", "heading"), [("ru", "Источники"), ("en", "Sources")])
def test_exports_hold_questions_answers_and_sources(client: httpx.Client, language: str, heading: str) -> None:
    recorded = ask(client)
    address = f"/api/conversations/{recorded['conversation']}/export"
    client.headers["accept-language"] = language
    files = {kind: client.get(address, params={"format": kind}).raise_for_status() for kind in ("md", "json", "docx")}
    for kind, answer in files.items():
        disposition, _, name = answer.headers["content-disposition"].partition("; filename*=utf-8''")
        assert (disposition, unquote(name)) == ("attachment", f"Какая скидка без согласования.{kind}")
        assert answer.headers["cache-control"] == "private, no-store"
    opened = client.get(f"/api/conversations/{recorded['conversation']}")
    assert OpenConversationOut.model_validate(files["json"].json()) == OpenConversationOut.model_validate(opened.json())
    word = "\n".join(paragraph.text for paragraph in Document(io.BytesIO(files["docx"].content)).paragraphs)
    plain = files["md"].text.replace("\\", "")
    for text in (word, plain):
        for part in (
            PRICES,
            heading,
            "[1]",
            "Цены",
            "sales/prices.md",
            "Скидка без согласования не выше семи процентов",
        ):
            assert part in text, part


def test_who_goes_away_has_stopped(place: Path) -> None:
    slow = Script(first_token_seconds=0.0, tokens_per_second=20.0, answer="слово " * 300)
    with quick_site(place, slow) as web, web.client("sales") as client:
        body = {"question": PRICES, "conversation": "new"}
        with client.stream("POST", "/api/ask", json=body) as answer:
            for line in answer.iter_lines():
                if line == "event: token":
                    time.sleep(0.5)
                    break
        (found,) = client.get("/api/conversations").json()["conversations"]
        deadline = time.monotonic() + 10
        while True:
            (message,) = client.get(f"/api/conversations/{found['id']}").json()["messages"]
            if message["status"] != "answering" or time.monotonic() > deadline:
                break
            time.sleep(0.1)
    assert message["status"] == "stopped"
    assert message["answer"].startswith("слово")


def test_the_document_of_the_api_shows_what_comes(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    paths = document["paths"]
    for path, methods in {
        "/api/conversations": {"get", "post"},
        "/api/conversations/{conversation}": {"get", "patch", "delete"},
        "/api/conversations/{conversation}/restore": {"post"},
        "/api/conversations/{conversation}/export": {"get"},
        "/api/feedback": {"post"},
        "/api/feedback/{message}": {"get", "delete"},
    }.items():
        assert set(paths[path]) == methods
        for method in methods:
            assert "200" in paths[path][method]["responses"] or method in ("post", "delete")
    schemas = document["components"]["schemas"]
    assert {"MessageOut", "SourceOut", "FeedbackOut", "ConversationOut"} <= set(schemas)
    assert schemas["ConversationOut"]["examples"]


class TestCommands:
    """The same on the command line, in this process: the storage is the served one."""

    @pytest.fixture(autouse=True)
    def _settings(self, web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("ASSISTANT_STORAGE__PATH", str(web.assistant.settings.storage.path))
        monkeypatch.setenv("ASSISTANT_CHROMA__PORT", "0")
        monkeypatch.setenv("ASSISTANT_EMBEDDING__PROVIDER", "hash")
        monkeypatch.setenv("ASSISTANT_LLMS", '[{"provider": "extractive"}]')

    def run(self, *arguments: str) -> str:
        done = CliRunner().invoke(commands, list(arguments))
        assert done.exit_code == 0, (done.output, done.exception)
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def test_a_conversation(self, tmp_path: Path) -> None:
        first = self.json("ask", PASS, "--as", "staff", "--conversation", "new")
        conversation = first["conversation"]
        second = self.json("ask", PASS, "--as", "staff", "--conversation", conversation)
        assert second["conversation"] == conversation
        shown = self.json("conversations", "show", conversation, "--as", "staff")
        assert [one["id"] for one in shown["messages"]] == [first["message"], second["message"]]
        assert shown["messages"][0]["model"] == "extractive"
        assert PASS in self.run("conversations", "show", conversation, "--as", "staff")
        assert conversation in self.run("conversations", "list", "--as", "staff", "--search", "пропуск")
        for kind in ("md", "json", "docx"):
            name = self.run("conversations", "export", conversation, "--as", "staff", "--format", kind).strip()
            assert (tmp_path / name).stat().st_size > 500
            assert name == f"Кто выдаёт пропуск на проходной.{kind}"
        self.run("conversations", "remove", conversation, "--as", "staff")
        assert self.json("conversations", "list", "--as", "staff")["conversations"] == []
        self.run("conversations", "restore", conversation, "--as", "staff")
        assert len(self.json("conversations", "list", "--as", "staff")["conversations"]) == 1
        assert self.run("conversations", "purge").startswith("purged ")

    def test_the_operator_has_no_conversations(self) -> None:
        for arguments in (["conversations", "list"], ["ask", PASS, "--conversation", "new"]):
            done = CliRunner().invoke(commands, arguments)
            assert "--as USER" in str(done.exception)

    def test_feedback_becomes_golden_questions(self, client: httpx.Client, tmp_path: Path) -> None:
        wrong, none, good, open_ = (ask(client, text)["message"] for text in (PRICES, PASS, "Опт?", "Что такое опт?"))
        for message, rating in ((wrong, -1), (none, -1), (good, 1), (open_, -1)):
            body = {"message": message, "rating": rating, "reason": "wrong" if rating < 0 else "", "comment": "x"}
            client.post("/api/feedback", json=body).raise_for_status()
        exported = {row["message"]: row for row in self.json("feedback", "export")["feedback"]}
        assert {wrong, none, good, open_} <= set(exported)
        row = exported[wrong]
        assert (row["user"], row["rating"], row["question"], row["model"]) == ("sales", -1, PRICES, MODEL)
        assert row["sources"]
        assert row["versions"]["generation"] == 1
        assert PRICES in self.run("feedback", "export")

        file = tmp_path / "golden" / "questions.jsonl"
        self.run("feedback", "golden", str(file), "--message", wrong, "--gold", "sales/prices.md")
        self.run("feedback", "golden", str(file), "--message", none, "--no-answer")
        assert self.run("feedback", "golden", str(file)) == "added 1, known already 2\n"
        assert self.run("feedback", "golden", str(file)) == "added 0, known already 3\n"
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        assert lines[0] == {
            "id": f"feedback-{wrong}",
            "question": PRICES,
            "lang": "ru",
            "gold": ["sales/prices.md"],
            "note": "wrong; x",
        }
        assert (lines[2]["gold"], lines[2]["labelled"]) == ([], False)
        read = {one.text: set(one.gold) for one in read_dataset(file.parent).questions}
        assert read == {PRICES: {"sales/prices.md"}, PASS: set()}, "what nobody has labelled is left out"
        for arguments, said in (
            (["--gold", "sales/prices.md"], "need --message"),
            (["--message", wrong, "--gold", "nowhere.md"], "no document has the path"),
            (["--message", wrong, "--gold", "sales/prices.md", "--no-answer"], "contradict"),
            (["--message", "0" * 20], "nobody has rated"),
        ):
            done = CliRunner().invoke(commands, ["feedback", "golden", str(file), *arguments])
            assert said in str(done.exception)
        assert len(file.read_text("utf-8").splitlines()) == 3
