"""Every route × ids of somebody else × everybody who is not that person; routes are listed from the app itself."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from assistant.records.account_tables import SessionRow
from assistant.settings import Ingest
from tests.integration.app_routes import routes
from tests.integration.idor_rules import Rule, rules
from tests.integration.talking import PRICES, person, quick_site, talk
from tests.integration.web_site import Web

pytestmark = pytest.mark.server
SECRET, TITLE, TOKEN = "семи процентов", "zqтайныйразговор", "zqтайныйключ"
COLUMNS = ("no session", "other user", "engineer", "admin", "token without scope")
STRANGER, MISSING = {401, 303}, {404}


@dataclass(frozen=True)
class Site:
    web: Web
    ids: dict[str, str]
    clients: dict[str, httpx.Client]  # by column, and the owner's


@pytest.fixture(scope="module")
def site(loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`sales` has a document, a conversation, feedback, a session and a token; the others read nothing of it."""
    place = shutil.copytree(loaded, tmp_path_factory.mktemp("idor") / "site")
    with quick_site(place, ingest=Ingest(workers=1, batch_chunks=2, pipelines=[])) as web, ExitStack() as stack:
        assistant = web.assistant
        owner = assistant.users.find("sales")
        person(assistant, "reviewer", roles=("engineer",))
        conversation, message, _ = asyncio.run(talk(assistant, PRICES, owner))
        assistant.conversations.rename(owner, conversation, TITLE)
        assistant.conversations.rate(owner, message, -1, comment="")
        token, _ = assistant.tokens.create("sales", TOKEN, days=1)
        document, readable = web.document("sales/prices.md"), web.document("notice.md")
        chunks = assistant.catalog.passages_of(document)
        ids = {"document": document, "readable": readable, "chunk": next(c.chunk for c in chunks if SECRET in c.text)}
        ids |= {"conversation": conversation, "message": message, "token": token.id, "user": "sales", "secret": TITLE}
        ids |= {"number": "1", "model": "assistant", "name": "ru"}
        names = {"other user": "staff", "engineer": "reviewer", "admin": "admin", "owner": "sales", "no session": None}
        clients = {column: stack.enter_context(web.client(name)) for column, name in names.items()}
        clients["token without scope"] = stack.enter_context(httpx.Client(base_url=web.url, trust_env=False))
        yield Site(web, ids, clients)


def test_every_route_is_classified(site: Site) -> None:
    known = rules().keys()
    found = set(routes(site.web.app.routes))
    assert len(found) > 100, "the app's routes could not be listed"
    new = sorted(name for name in found - known if name.replace("HEAD ", "GET ") not in known)
    assert not new, f"say in idor_rules.py who gets something there: {new}"


def test_nobody_gets_what_is_somebody_elses(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    table, wrong = [], []
    scopes = {name: _token(site, name) for name in ("ask", "documents")}
    for route, rule in rules().items():
        cells = []
        for column in COLUMNS:
            client = site.clients[column]
            if column == "token without scope":  # of the owner himself, with another scope than the route's
                other = "documents" if route.split(" ")[1].startswith(("/api/search", "/api/ask", "/v1/")) else "ask"
                client.headers["authorization"] = f"Bearer {scopes[other]}"
            status, text = _asked(client, route, rule, site.ids)
            said = _wrong(rule.kind, column, status, text, route)
            cells.append(f"{status}{'!' if said else ''}")
            wrong += [f"{route} as {column}: {said}"] if said else []
        table.append(f"{rule.kind:7} {route:78} " + " ".join(f"{cell:>5}" for cell in cells))
    head = f"{'':86} " + " ".join(f"{column.split(' ')[0]:>5.5}" for column in COLUMNS)
    print("\n".join(["", "columns: " + ", ".join(COLUMNS), head, *table, f"{len(table) * len(COLUMNS)} requests"]))
    assert not wrong, "\n".join(wrong)


def test_the_owner_gets_all_of_it_afterwards(site: Site) -> None:
    """Nothing of it was changed or ended by the others, and the ids are right: else the matrix would prove nothing."""
    got = ""
    for route, rule in rules().items():
        if rule.kind == "theirs" and route.startswith("GET ") and "/pages/" not in route:
            status, text = _asked(site.clients["owner"], route, rule, site.ids)
            assert status == 200, (route, text)
            got += text
    assert SECRET in got
    assert TITLE in got
    assert site.web.assistant.tokens.list("sales")[0].name == TOKEN


def test_ids_that_are_no_secrets_open_nothing(site: Site) -> None:
    """What lies in the database or stands in lists: the hash of a session, ids of accounts, tokens and conversations."""
    assistant = site.web.assistant
    with assistant.users._database.transaction() as session:
        hashes = list(session.scalars(select(SessionRow.id_hash)))
    owner = assistant.users.find("sales").id
    known = [*hashes, owner, "sales", *(site.ids[name] for name in ("token", "conversation", "message"))]
    for word in known:
        with site.web.client(cookies={"assistant_session": word}) as client:
            assert client.get("/api/conversations").status_code == 401
        with site.web.client(headers={"authorization": f"Bearer {word}"}) as client:
            assert client.get("/api/conversations").status_code == 401


def _token(site: Site, scope: str) -> str:
    return site.web.assistant.tokens.create("sales", f"only {scope}", days=1, scopes=[scope])[1]


def _asked(client: httpx.Client, route: str, rule: Rule, ids: dict[str, str]) -> tuple[int, str]:
    """Status and text; of a stream that has no end only the status."""
    method, _, path = route.partition(" ")
    address = re.sub(r"\{(\w+)(:\w+)?\}", lambda found: ids.get(found[1], "x"), path.partition("#")[0])
    options: dict[str, Any] = {}
    if rule.json is not None:
        options["json"] = json.loads(
            re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], found[0]), json.dumps(rule.json))
        )
    if rule.form:
        options["data"] = {key: ids.get(value.strip("{}"), value) for key, value in rule.form.items()}
    with client.stream(method, address, **options) as answer:
        is_gradio = address.startswith("/gradio_api/") and "event-stream" in answer.headers.get("content-type", "")
        return answer.status_code, "" if is_gradio else f"{answer.read().decode('utf-8', 'replace')} {answer.headers}"


def _wrong(kind: str, column: str, status: int, text: str, route: str) -> str:
    """What is wrong with the answer; empty for what it should be."""
    for secret in (SECRET, TITLE, TOKEN):
        # What the owner's own token opens is the owner's; what was asked for comes back.
        is_echo = secret == TITLE and "{secret}" in route
        if secret in text and not is_echo and column != "token without scope":
            return f"'{secret}' was told"
    if status >= 500 and not (status == 503 and "/health" in route):
        return f"{status}"
    allowed = _allowed(kind, column, route)
    return "" if allowed is None or status in allowed else f"{status}, not {' or '.join(map(str, sorted(allowed)))}"


def _allowed(kind: str, column: str, route: str) -> set[int] | None:
    """Statuses; None for any: then only what is told counts."""
    if kind == "public":
        return None
    if column == "no session":
        return STRANGER | (MISSING if kind in ("page", "shut") else set())
    if column == "token without scope":
        is_open = route.endswith("/openapi.json") and "gradio" not in route
        return None if is_open else {*STRANGER, 403} | (MISSING if kind in ("page", "shut") else set())
    if kind in ("theirs", "shut"):
        return MISSING
    may = {"admin": ("admin",), "review": ("engineer", "admin")}.get(kind)
    return MISSING if may and column not in may else None
