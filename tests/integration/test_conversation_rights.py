"""Whose conversation it is, and what of it may still be read: every way in, every operation, every role."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from docx import Document
from sqlalchemy import update
from typer.testing import CliRunner

from assistant.access.principal import Principal
from assistant.assistant import Assistant
from assistant.cli.main import app as commands
from assistant.conversations.masking import WITHHELD
from assistant.conversations.service import ConversationService
from assistant.conversations.views import MessageView
from assistant.errors import NotFound
from assistant.records.account_tables import UserRow
from assistant.records.conversations import Conversations
from assistant.records.database import Database
from assistant.records.feedback import Feedback
from assistant.records.tables import MessageRow
from assistant.records.texts import folded
from tests.integration import company
from tests.integration.talking import PRICES, only, quick_site, talk
from tests.integration.web_site import Web, problem
from tests.unit.talks import unnoted

pytestmark = pytest.mark.server
RU = WITHHELD["ru"]
SECRET = "семи процентов"


@pytest.fixture
def web(place: Path) -> Iterator[Web]:
    with quick_site(place) as found:
        yield found


@dataclass(frozen=True)
class Theirs:
    """A conversation of `sales` with one rated answer, as somebody else tries to reach it."""

    web: Web
    conversation: str
    message: str

    @property
    def service(self) -> ConversationService:
        return self.web.assistant.conversations

    def state(self) -> tuple[str, str, int, int]:
        owner = self.web.assistant.users.find("sales")
        opened = self.service.open(owner, self.conversation)
        rating = self.service.rating(owner, self.message)
        return opened.conversation.title, rating.comment, rating.rating, len(opened.messages)


@pytest.fixture
def theirs(web: Web) -> Theirs:
    owner = web.assistant.users.find("sales")
    conversation, message, _ = asyncio.run(talk(web.assistant, PRICES, owner))
    web.assistant.conversations.rate(owner, message, 1, comment="верно")
    return Theirs(web, conversation, message)


def asked(assistant: Assistant, who: Principal, conversation: str) -> object:
    return asyncio.run(talk(assistant, PRICES, who, conversation))


RECORDS: dict[str, Callable[[Conversations, Feedback, str, Theirs], object]] = {
    "get": lambda talks, _, who, it: talks.get(who, it.conversation),
    "open": lambda talks, _, who, it: talks.open(who, it.conversation),
    "rename": lambda talks, _, who, it: talks.rename(who, it.conversation, "x"),
    "delete": lambda talks, _, who, it: talks.delete(who, it.conversation, unnoted),
    "restore": lambda talks, _, who, it: talks.restore(who, it.conversation, unnoted),
    "message": lambda talks, _, who, it: talks.message(who, it.message),
    "begin": lambda talks, _, who, it: talks.begin(who, it.conversation, "?", language="ru", departments=[]),
    "discard": lambda talks, _, who, it: talks.discard(who, it.message, with_conversation=True),
    "give": lambda _, feedback, who, it: feedback.give(who, it.message, -1, unnoted),
    "rating": lambda _, feedback, who, it: feedback.get(who, it.message),
    "take back": lambda _, feedback, who, it: feedback.remove(who, it.message, unnoted),
}
SERVICE: dict[str, Callable[[Assistant, Principal, Theirs], object]] = {
    "open": lambda a, who, it: a.conversations.open(who, it.conversation),
    "rename": lambda a, who, it: a.conversations.rename(who, it.conversation, "x"),
    "delete": lambda a, who, it: a.conversations.delete(who, it.conversation),
    "restore": lambda a, who, it: a.conversations.restore(who, it.conversation),
    "history": lambda a, who, it: a.conversations.history(who, it.conversation),
    "ask": lambda a, who, it: asked(a, who, it.conversation),
    "rate": lambda a, who, it: a.conversations.rate(who, it.message, -1),
    "rating": lambda a, who, it: a.conversations.rating(who, it.message),
    "take back": lambda a, who, it: a.conversations.take_back(who, it.message),
}
HTTP: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "open": ("GET", "/api/conversations/{conversation}", None),
    "rename": ("PATCH", "/api/conversations/{conversation}", {"title": "x"}),
    "delete": ("DELETE", "/api/conversations/{conversation}", None),
    "restore": ("POST", "/api/conversations/{conversation}/restore", None),
    "export md": ("GET", "/api/conversations/{conversation}/export", None),
    "export json": ("GET", "/api/conversations/{conversation}/export?format=json", None),
    "export docx": ("GET", "/api/conversations/{conversation}/export?format=docx", None),
    "ask": ("POST", "/api/ask", {"question": PRICES, "conversation": "{conversation}"}),
    "rate": ("POST", "/api/feedback", {"message": "{message}", "rating": -1}),
    "rating": ("GET", "/api/feedback/{message}", None),
    "take back": ("DELETE", "/api/feedback/{message}", None),
}
COMMANDS = {
    "show": ["conversations", "show", "{conversation}"],
    "show as JSON": ["conversations", "show", "{conversation}", "--json"],
    "export": ["conversations", "export", "{conversation}"],
    "remove": ["conversations", "remove", "{conversation}"],
    "restore": ["conversations", "restore", "{conversation}"],
    "ask": ["ask", PRICES, "--conversation", "{conversation}"],
}
OTHERS = ["staff", "hr", "admin", "engineer"]


def named(text: str, it: Theirs) -> str:
    return text.replace("{conversation}", it.conversation).replace("{message}", it.message)


def test_the_records_give_nothing_of_another(theirs: Theirs) -> None:
    before, database = theirs.state(), Database(theirs.web.assistant.settings.database_url)
    talks, feedback = Conversations(database), Feedback(database)
    for name in OTHERS:
        who = theirs.web.assistant.users.find(name).id
        for operation, use in RECORDS.items():
            with pytest.raises(NotFound):
                use(talks, feedback, who, theirs)
            assert theirs.state() == before, (name, operation)
        assert not talks.note(who, theirs.message, {"answer": "x"})
        assert not talks.end(who, theirs.message, "failed", {"answer": "x"})
        assert list(talks.list(who)) == list(talks.search(who, "скидка")) == []
        assert list(talks.messages_of(who, [theirs.conversation])) == []
        assert feedback.of_conversation(who, theirs.conversation) == {}
        assert theirs.state() == before
    database.close()


def test_the_service_gives_nothing_of_another(theirs: Theirs) -> None:
    before = theirs.state()
    for name in OTHERS:
        who = theirs.web.assistant.users.find(name)
        for operation, use in SERVICE.items():
            with pytest.raises(NotFound):
                use(theirs.web.assistant, who, theirs)
            assert theirs.state() == before, (name, operation)
        assert theirs.service.list(who).conversations == theirs.service.list(who, search="скидка").conversations == ()


def test_http_gives_nothing_of_another(theirs: Theirs) -> None:
    before = theirs.state()
    unknown = replace(theirs, conversation="0" * 20, message="0" * 20)
    for name in OTHERS:
        with theirs.web.client(name) as client:
            for operation, (method, path, body) in HTTP.items():
                answers = []
                for it in (theirs, unknown):
                    sent = json.loads(named(json.dumps(body), it)) if body else None
                    answers.append(problem(client.request(method, named(path, it), json=sent), 404))
                assert answers[0] == answers[1], f"{name}, {operation}: it can be told from one that is not there"
                assert theirs.state() == before, (name, operation)
            assert client.get("/api/conversations").json() == {"conversations": [], "more": False}
            assert client.get("/api/conversations?search=скидка").json()["conversations"] == []
    with theirs.web.client() as client:
        for method, path, body in HTTP.values():
            assert client.request(method, named(path, theirs), json=body).status_code == 401


def test_no_other_site_can_act_for_a_person(theirs: Theirs) -> None:
    with theirs.web.client("sales") as client:
        client.headers["origin"] = "https://evil.example"
        for method, path, body in HTTP.values():
            if method != "GET":
                problem(client.request(method, named(path, theirs), json=body), 403)


def test_the_command_line_gives_nothing_of_another(
    theirs: Theirs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = theirs.state()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("ASSISTANT_STORAGE__PATH", str(theirs.web.assistant.settings.storage.path))
    monkeypatch.setenv("ASSISTANT_CHROMA__PORT", "0")
    monkeypatch.setenv("ASSISTANT_EMBEDDING__PROVIDER", "hash")
    for name in OTHERS:
        for operation, arguments in COMMANDS.items():
            done = CliRunner().invoke(commands, [*(named(one, theirs) for one in arguments), "--as", name])
            assert isinstance(done.exception, NotFound), (name, operation, done.output)
            assert theirs.state() == before
        listed = CliRunner().invoke(commands, ["conversations", "list", "--json", "--as", name])
        assert json.loads(listed.stdout) == {"conversations": [], "more": False}
    mine = CliRunner().invoke(commands, ["conversations", "list", "--json", "--as", "sales"])
    assert [one["id"] for one in json.loads(mine.stdout)["conversations"]] == [theirs.conversation]
    assert list(Path.cwd().iterdir()) == [], "nothing was exported"


# --- today's access


def moved(web: Web) -> None:
    """The document is of another department now."""
    rules = {"/sales/prices.md": ("hr", 1)} | company.RULES
    company.recipe(web.docs.parent / "company.yaml", web.docs, rules=rules)
    assert not web.assistant.ingest(web.docs.parent / "company.yaml").failed


def raised(web: Web) -> None:
    """It is for the heads of the department now."""
    rules = {"/sales/prices.md": ("sales", 2)} | company.RULES
    company.recipe(web.docs.parent / "company.yaml", web.docs, rules=rules)
    assert not web.assistant.ingest(web.docs.parent / "company.yaml").failed


def deleted(web: Web) -> None:
    (web.docs / "sales" / "prices.md").unlink()
    assert web.assistant.ingest(web.docs.parent / "company.yaml").deleted == 1


def left(web: Web) -> None:
    """The person is in no department any more."""
    database = Database(web.assistant.settings.database_url)
    with database.transaction() as session:
        session.execute(update(UserRow).where(UserRow.name == "sales").values(departments=[]))
    database.close()


@pytest.mark.parametrize("withdraw", [moved, raised, deleted, left])
def test_access_that_is_withdrawn_is_withdrawn_from_old_answers(
    web: Web, withdraw: Callable[[Web], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant = web.assistant
    sales = assistant.users.find("sales")
    conversation, _, _ = asyncio.run(talk(assistant, PRICES, sales))
    asyncio.run(talk(assistant, "А оптом?", sales, conversation))
    first, second = assistant.conversations.open(sales, conversation).messages
    assert SECRET in first.answer
    assert second.searched != second.question, "made whole of what was said before"
    assert [one.id for one in assistant.conversations.list(sales, search=SECRET.upper()).conversations]

    withdraw(web)
    sales = assistant.users.find("sales")
    for message in assistant.conversations.open(sales, conversation).messages:
        check_masked(message)
    assert assistant.conversations.open(sales, conversation).messages[1].searched == ""
    assert assistant.conversations.list(sales, search=SECRET).conversations == (), "a search tells nothing either"
    assert assistant.conversations.list(sales, search="оптом").conversations, "what was typed is the person's own"
    for turn in assistant.conversations.history(sales, conversation):
        assert SECRET not in f"{turn.answer} {turn.searched}"
    with web.client("sales") as client:
        check_http(client, conversation)


def test_what_is_kept_beside_an_answer_is_withdrawn_too(web: Web) -> None:
    """A notice may tell a word of the documents, and the words of the placeholder are none of the answer's."""
    conversation, message, _ = asyncio.run(talk(web.assistant, PRICES, web.assistant.users.find("sales")))
    database = Database(web.assistant.settings.database_url)
    with database.transaction() as session:
        row = session.get_one(MessageRow, message)
        row.notices = [{"kind": "read_as", "detail": "цены"}, {"kind": "answer_cut", "detail": ""}]
        row.answer += " Доступа нет."
        row.folded_answer = folded(row.answer)
    database.close()
    conversations, sales = web.assistant.conversations, web.assistant.users.find("sales")
    assert [one.kind for one in only(web.assistant, sales, conversation).notices] == ["read_as", "answer_cut"]
    assert conversations.list(sales, search="доступа").conversations
    left(web)
    sales = web.assistant.users.find("sales")
    kept = only(web.assistant, sales, conversation)
    assert RU in kept.answer
    assert [one.kind for one in kept.notices] == ["answer_cut"]
    assert conversations.list(sales, search="доступа").conversations == ()


def check_masked(message: MessageView) -> None:
    assert message.is_withheld
    assert RU in message.answer
    assert SECRET not in repr(message)
    assert "prices.md" not in repr(message)
    hidden = [one for one in message.sources if one.is_withheld]
    assert hidden
    assert all(one.source is None for one in hidden)


def check_http(client: httpx.Client, conversation: str) -> None:
    address = f"/api/conversations/{conversation}"
    texts = [client.get(address).text]
    texts += [client.get(f"{address}/export?format={ending}").text for ending in ("md", "json")]
    file = client.get(f"{address}/export?format=docx").content
    texts.append("\n".join(paragraph.text for paragraph in Document(io.BytesIO(file)).paragraphs))
    for text in texts:
        assert PRICES in text
        assert RU in text or "скрыто: нет доступа" in text
        assert SECRET not in text
        assert "prices" not in text
        assert "Цены" not in text


def test_what_a_document_said_when_it_was_secret_stays_secret(web: Web) -> None:
    """It is open to all today, with another text; who may read this one may not read what it said before."""
    assistant = web.assistant
    sales = assistant.users.find("sales")
    conversation, _, _ = asyncio.run(talk(assistant, PRICES, sales))
    (web.docs / "sales" / "prices.md").write_text("# Цены\n\nСпросите у менеджера.", encoding="utf-8")
    rules = {"/sales/prices.md": ("company", 1)} | company.RULES
    company.recipe(web.docs.parent / "company.yaml", web.docs, rules=rules)
    assert not assistant.ingest(web.docs.parent / "company.yaml").failed
    kept = only(assistant, sales, conversation)
    assert SECRET in kept.answer
    assert [one.is_changed for one in kept.sources if one.source and one.source.passage.path == "sales/prices.md"]
    left(web)
    assert SECRET not in repr(only(assistant, assistant.users.find("sales"), conversation))


def test_access_that_is_given_back_shows_it_again(web: Web) -> None:
    sales = web.assistant.users.find("sales")
    conversation, _, _ = asyncio.run(talk(web.assistant, PRICES, sales))
    stranger = replace(sales, departments=frozenset())
    assert SECRET not in repr(only(web.assistant, stranger, conversation))
    assert SECRET in only(web.assistant, sales, conversation).answer
