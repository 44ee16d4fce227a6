"""A limit over every door: 429 with the seconds until it goes on, before anything is streamed, and nothing kept of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
from mcp import Client
from mcp.types import TextContent

from assistant.access.principal import Principal
from assistant.mcp_server import make_server
from assistant.settings import Server
from assistant.settings_security import Limits
from tests.integration.company import ANY
from tests.integration.sample import FAST
from tests.integration.web_site import PASSWORD, Web, problem, site
from tests.servers.ollama_script import Script

pytestmark = pytest.mark.server
PASS = "Кто выдаёт пропуск на проходной?"
SLOW = Script(first_token_seconds=0.0, tokens_per_second=10.0, answer="слово " * 200 + "[1]")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Two questions a minute for each person, and one answer at once."""
    limits = ANY.model_copy(update={"per_minute": 2, "concurrent_answers": 1, "body_kb": 64})
    with site(tmp_path_factory.mktemp("limits"), limits=limits, server=Server(trusted_proxies=["127.0.0.1"])) as found:  # type: ignore[list-item]
        yield found


@pytest.fixture
def person(web: Web) -> Iterator[Principal]:
    """Somebody who has not asked yet."""
    name = f"person-{time.monotonic_ns()}"
    yield web.assistant.users.add(name, PASSWORD, roles=[], departments=[], level=1)
    web.ollama.script = FAST


@contextmanager
def signed_in(web: Web, person: Principal, **headers: str) -> Iterator[httpx.Client]:
    with web.client(headers=headers) as client:
        assert client.post("/login", data={"name": person.name, "password": PASSWORD}).status_code == 303
        yield client


def ask(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post("/api/ask", json={"question": PASS, **body})


def completion(client: httpx.Client, *, stream: bool) -> httpx.Response:
    body = {"model": "assistant", "messages": [{"role": "user", "content": PASS}], "stream": stream}
    return client.post("/v1/chat/completions", json=body)


def refused(answer: httpx.Response, least: int, most: int) -> None:
    assert answer.status_code == 429, answer.text
    assert least <= int(answer.headers["retry-after"]) <= most
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_every_door_counts_for_the_same_person(web: Web, person: Principal) -> None:
    with signed_in(web, person) as client:
        assert ask(client, conversation="new").status_code == 200
        assert client.post("/api/search", json={"query": PASS}).status_code == 200
        over_events = ask(client, conversation="new")
        refused(over_events, 50, 60)
        body = problem(over_events, 429)
        assert (body["title"], body["retryable"]) == ("LimitReached", True)
        assert body["detail"].startswith("one person may ask 2 questions in a minute: the next one in ")
        refused(client.post("/api/search", json={"query": PASS}), 50, 60)
        for stream in (True, False):
            answer = completion(client, stream=stream)
            refused(answer, 50, 60)
            error = answer.json()["error"]
            assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
        kept = client.get("/api/conversations").json()["conversations"]
        assert len(kept) == 1, "what was refused is no message of a conversation"
        (talk,) = kept
        refused(ask(client, conversation=talk["id"]), 50, 60)
        messages = client.get(f"/api/conversations/{talk['id']}").json()["messages"]
        assert [message["status"] for message in messages] == ["finished"]
        assert client.get("/health").status_code == 200
        assert client.get("/health").json()["checks"]["limits"]["state"] == "ok"


def test_openais_client_reads_it_as_a_rate_limit(web: Web, person: Principal) -> None:
    _, secret = web.assistant.tokens.create(person.name, "test", days=1)
    http = httpx.Client(trust_env=False, timeout=20)
    client = openai.OpenAI(base_url=f"{web.url}/v1", api_key=secret, max_retries=0, http_client=http)
    messages: Any = [{"role": "user", "content": PASS}]
    for _ in range(2):
        client.chat.completions.create(model="assistant", messages=messages)
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="assistant", messages=messages, stream=True)
    assert caught.value.code == "rate_limit_exceeded"
    assert int(caught.value.response.headers["retry-after"]) > 0


async def test_a_program_of_the_model_context_protocol_is_told_in_a_sentence(web: Web, person: Principal) -> None:
    async with Client(make_server(web.assistant, lambda: person)) as client:
        assert not (await client.call_tool("search", {"query": PASS})).is_error
        assert not (await client.call_tool("ask", {"question": PASS})).is_error
        result = await client.call_tool("ask", {"question": PASS})
    assert result.is_error
    (text,) = result.content
    assert isinstance(text, TextContent)
    assert "Вы задаёте вопросы слишком часто. Следующий можно задать через" in text.text


def test_an_answer_whose_connection_breaks_gives_its_place_back(web: Web, person: Principal) -> None:
    web.ollama.script = SLOW
    with signed_in(web, person) as client, signed_in(web, person) as other:
        body = {"question": PASS, "conversation": "new"}
        with client.stream("POST", "/api/ask", json=body) as answering:
            lines = answering.iter_lines()
            while not next(lines).startswith("event: token"):
                pass
            busy = ask(other)
            refused(busy, 1, 5)
            assert "are being made already" in problem(busy, 429)["detail"]
        web.ollama.script = FAST
        deadline = time.monotonic() + 5
        while (again := ask(other)).status_code == 429:
            assert time.monotonic() < deadline, again.text
            time.sleep(0.05)
        assert again.status_code == 200


def test_one_address_behind_the_proxy_counts_everyone_there(web: Web) -> None:
    limits = Limits.model_validate(ANY.model_dump() | {"address_per_minute": 1})
    web.assistant.limits._settings, before = limits, web.assistant.limits._settings
    people = [
        web.assistant.users.add(f"desk-{number}", PASSWORD, roles=[], departments=[], level=1) for number in range(3)
    ]
    try:
        with (
            signed_in(web, people[0], **{"x-forwarded-for": "8.8.8.8, 192.0.2.1"}) as first,
            signed_in(web, people[1], **{"x-forwarded-for": "9.9.9.9, 192.0.2.1"}) as second,
            signed_in(web, people[2], **{"x-forwarded-for": "192.0.2.1, 192.0.2.2"}) as third,
        ):
            assert ask(first).status_code == 200
            answer = ask(second)
            refused(answer, 50, 60)
            assert "one address" in problem(answer, 429)["detail"]
            assert ask(third).status_code == 200
    finally:
        web.assistant.limits._settings = before


def test_a_body_may_have_so_many_kilobytes_whether_it_says_so_or_not(web: Web, person: Principal) -> None:
    with signed_in(web, person) as client:
        large = b'{"query": "' + b"x" * 64 * 1024 + b'"}'
        said = client.post("/api/search", content=large, headers={"content-type": "application/json"})
        assert problem(said, 413)["detail"] == "a request may have 64 KB"

        def pieces() -> Iterator[bytes]:
            for start in range(0, len(large), 4096):
                yield large[start : start + 4096]

        unsaid = client.post("/api/search", content=pieces(), headers={"content-type": "application/json"})
        assert problem(unsaid, 413)["detail"] == "a request may have 64 KB"
        assert client.post("/api/search", json={"query": PASS}).status_code == 200
