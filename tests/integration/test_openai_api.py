"""The OpenAI-compatible API, asked by the real `openai` client and by `llm`, a chat program that others made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.integration.sample import MODEL
from tests.integration.web_site import PASSWORD, Web, problem, site

pytestmark = pytest.mark.server
PASS, PRICES = "Кто выдаёт пропуск на проходной?", "Какая скидка без согласования?"
LISTED = "assistant-with-sources"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with site(tmp_path_factory.mktemp("openai")) as found:
        yield found


@pytest.fixture(scope="module")
def secrets(web: Web) -> dict[str, str]:
    """A token for each person."""
    return {name: web.assistant.tokens.create(name, "test", days=1)[1] for name in ("staff", "hr", "sales", "admin")}


def client(web: Web, secret: str) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{web.url}/v1", api_key=secret, max_retries=0, http_client=httpx.Client(trust_env=False, timeout=20)
    )


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_an_answer_with_its_citations(web: Web, secrets: dict[str, str]) -> None:
    answer = client(web, secrets["sales"]).chat.completions.create(model="assistant", messages=user(PRICES))
    (choice,) = answer.choices
    content = choice.message.content
    assert content is not None
    assert "[1]" in content
    assert choice.finish_reason == "stop"
    assert (answer.object, answer.model) == ("chat.completion", "assistant")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 100
    assert answer.usage.completion_tokens > 3
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    cited = choice.message.annotations
    assert cited
    for one in cited:
        marker = content[one.url_citation.start_index : one.url_citation.end_index]
        assert marker.strip("[]").isdigit()
        assert marker == f"[{marker.strip('[]')}]"
    first = cited[0].url_citation
    assert first.title == "Цены"
    with web.client("sales") as browser:
        page = browser.get(first.url)
    assert (page.status_code, "семи процентов" in page.text) == (200, True)
    more = answer.model_extra
    assert more is not None
    assert more["assistant"] == {"model": MODEL, "grounded": True, "notices": []}


def test_a_streamed_answer_is_the_same(web: Web, secrets: dict[str, str]) -> None:
    asked: dict[str, Any] = {"model": LISTED, "messages": user(PASS)}
    whole = client(web, secrets["staff"]).chat.completions.create(**asked)
    pieces = list(
        client(web, secrets["staff"]).chat.completions.create(
            **asked, stream=True, stream_options={"include_usage": True}, temperature=0.3, seed=7, user="x"
        )
    )
    *texts, last, usage = pieces
    assert len(texts) > 3
    assert {piece.id for piece in pieces} == {pieces[0].id}
    assert texts[0].choices[0].delta.role == "assistant"
    content = "".join(piece.choices[0].delta.content or "" for piece in texts)
    assert content == whole.choices[0].message.content
    assert "**Источники**" in content
    assert "/documents/" in content
    assert [piece.choices[0].finish_reason for piece in texts] == [None] * len(texts)
    assert last.choices[0].finish_reason == "stop"
    delta = last.choices[0].delta.model_extra
    assert delta is not None
    message = whole.choices[0].message
    assert delta["annotations"] == [one.model_dump() for one in message.annotations or []]
    assert delta["annotations"]
    assert (usage.choices, usage.usage) == ([], whole.usage)


def test_what_was_said_before_is_no_question(web: Web, secrets: dict[str, str]) -> None:
    web.ollama.change()
    said = [
        {"role": "system", "content": "Ты пират."},
        {"role": "user", "content": "Как перенести отпуск?"},
        {"role": "assistant", "content": "Согласуйте с начальником [1]."},
        {"role": "user", "content": [{"type": "text", "text": PASS}]},
    ]
    answer = client(web, secrets["staff"]).chat.completions.create(model="assistant", messages=said)  # type: ignore[arg-type]
    message = answer.choices[0].message
    assert message.annotations
    assert message.annotations[0].url_citation.title == "Общий порядок"
    prompt = json.dumps(web.ollama.requests[-1].body, ensure_ascii=False)
    assert PASS in prompt
    assert "пират" not in prompt


def test_models(web: Web, secrets: dict[str, str]) -> None:
    found = client(web, secrets["staff"]).models
    assert [model.id for model in found.list()] == ["assistant", LISTED]
    assert found.retrieve(LISTED).id == LISTED
    with pytest.raises(openai.NotFoundError, match="there are assistant and assistant-with-sources"):
        found.retrieve("gpt-4o")


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"model": "gpt-4o"}, openai.NotFoundError, "there is no model 'gpt-4o'"),
        ({"n": 2}, openai.BadRequestError, "n can only be 1"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, openai.BadRequestError, "no tools can be given"),
        ({"messages": [{"role": "system", "content": "x"}]}, openai.BadRequestError, "nothing is asked"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            openai.BadRequestError,
            "only text can be asked",
        ),
        ({"messages": []}, openai.UnprocessableEntityError, "messages: "),
        ({"messages": [{"role": "user", "content": " "}]}, openai.UnprocessableEntityError, "empty"),
        ({"messages": [{"role": "user", "content": "о" * 9000}]}, openai.UnprocessableEntityError, "4000"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_refused_is_said(
    web: Web,
    secrets: dict[str, str],
    changes: dict[str, Any],
    error: type[openai.APIStatusError],
    said: str,
    stream: bool,
) -> None:
    asked: dict[str, Any] = {"model": "assistant", "messages": user(PASS), "stream": stream} | changes
    with pytest.raises(error, match=said) as raised:
        client(web, secrets["staff"]).chat.completions.create(**asked)
    assert set(raised.value.response.json()["error"]) == {"message", "type", "param", "code"}
    assert raised.value.type == "invalid_request_error"


def test_half_a_letter_is_no_bug(web: Web, secrets: dict[str, str]) -> None:
    """JSON may carry halves of surrogate pairs, and nothing may be sent that has one."""
    headers = {"Authorization": f"Bearer {secrets['staff']}", "Content-Type": "application/json"}
    part = r'{"messages": [{"role": "user", "content": [{"type": "%s", "text": "%s"}]}, %s]}'
    earlier = part % (
        "text",
        r"Как настроить VPN? \ud800",
        r'{"role": "assistant", "content": "x"}, {"role": "user", "content": "А там?"}',
    )
    refused = part % (r"\ud800", "x", r'{"role": "system", "content": "x"}')
    with web.client() as program:
        assert program.post("/v1/chat/completions", content=earlier, headers=headers).status_code == 200
        answer = program.post("/v1/chat/completions", content=refused, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "UnsupportedRequest")


def test_nobody_gets_more_than_the_person_may_read(web: Web, secrets: dict[str, str]) -> None:
    for name in ("hr", "admin"):
        answer = client(web, secrets[name]).chat.completions.create(model=LISTED, messages=user(PRICES))
        assert "sales" not in answer.model_dump_json()
        assert "процентов" not in (answer.choices[0].message.content or "")


def test_a_token_opens_what_is_for_programs_only(web: Web, secrets: dict[str, str]) -> None:
    header = {"authorization": f"Bearer {secrets['staff']}"}
    with web.client(headers=header) as program, web.client("staff") as person:
        assert program.post("/api/search", json={"query": PASS}).status_code == 200
        assert program.post("/api/search", json={"query": PASS}, headers={"origin": "http://other.example"}).is_success
        for path in ("/api/admin/documents", f"/documents/{web.document('notice.md')}"):
            assert "this token opens ask, not this" in problem(program.get(path), 403)["detail"]
        for path in ("/config", "/gradio_api/info"):
            problem(program.get(path), 401)
        assert program.get("/").headers["location"] == "/login"
        wrong = {"authorization": "Bearer lca_wrong"}
        refused = person.post("/api/search", json={"query": PASS}, headers=wrong)
        assert "token" in problem(refused, 401)["detail"], "the session does not stand in for it"
        assert refused.headers["www-authenticate"] == "Bearer"
        basic = person.post("/api/search", json={"query": PASS}, headers={"authorization": "Basic eDp5"})
        assert basic.status_code == 200, "a proxy's own sign-in is none of ours"
        other = person.post("/api/search", json={}, headers={"origin": "http://other.example"})
        assert problem(other, 403)["title"] == "CrossOrigin"
    with pytest.raises(openai.AuthenticationError, match="token is unknown"):
        client(web, "lca_wrong").models.list()


def test_a_token_ends_when_revoked_and_with_its_person(web: Web) -> None:
    web.assistant.users.add("leaver", PASSWORD, roles=[], departments=[], level=1)
    first, second = (web.assistant.tokens.create("leaver", name, days=1)[1] for name in ("a", "b"))
    assert client(web, first).models.list()
    web.assistant.tokens.revoke("leaver", "a")
    with pytest.raises(openai.AuthenticationError):
        client(web, first).models.list()
    assert client(web, second).models.list()
    web.assistant.users.remove("leaver")
    with pytest.raises(openai.AuthenticationError):
        client(web, second).models.list()


@pytest.mark.parametrize("stream", [False, True])
def test_a_program_that_leaves_stops_the_model(web: Web, secrets: dict[str, str], stream: bool) -> None:
    web.ollama.change(answer="слово " * 3000, tokens_per_second=100.0)
    before = len(web.ollama.requests)
    try:
        asking = client(web, secrets["staff"]).with_options(timeout=1.0)
        if stream:
            pieces = asking.chat.completions.create(model="assistant", messages=user(PASS), stream=True)
            assert sum(1 for _, _ in zip(range(5), pieces, strict=False)) == 5
            pieces.close()
        else:
            with pytest.raises(openai.APITimeoutError):
                asking.chat.completions.create(model="assistant", messages=user(PASS))
        left = web.ollama.wait_for(lambda record: record in web.ollama.requests[before:] and record.disconnected, 5)
        assert left.tokens < 1000
    finally:
        web.ollama.change(answer="cite", tokens_per_second=0.0)


def test_an_answer_that_is_not_whole_says_so(web: Web, secrets: dict[str, str]) -> None:
    web.ollama.change(cut_after_tokens=5)
    try:
        answer = client(web, secrets["staff"]).chat.completions.create(model="assistant", messages=user(PASS))
    finally:
        web.ollama.change(cut_after_tokens=None)
    assert answer.choices[0].finish_reason == "length"
    more = answer.model_extra
    assert more is not None
    assert "broken_off" in [notice["kind"] for notice in more["assistant"]["notices"]]


def test_a_stream_that_fails_raises_in_the_client(
    web: Web, secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(type(web.assistant.chain), "stream", broken)
    with pytest.raises(openai.APIError) as raised:
        list(client(web, secrets["staff"]).chat.completions.create(model="assistant", messages=user(PASS), stream=True))
    assert "secret" not in str(raised.value)
    with pytest.raises(openai.InternalServerError) as whole:
        client(web, secrets["staff"]).chat.completions.create(model="assistant", messages=user(PASS))
    assert whole.value.type == "server_error"


def test_a_chat_program_that_others_made(web: Web, secrets: dict[str, str], tmp_path: Path) -> None:
    """`llm` (llm.datasette.io): a question, and another one in the same conversation."""
    lines = ["- model_id: company", f"  model_name: {LISTED}", f'  api_base: "{web.url}/v1"', "  api_key_name: company"]
    (tmp_path / "extra-openai-models.yaml").write_text("\n".join(lines), "utf-8")
    (tmp_path / "keys.json").write_text(json.dumps({"company": secrets["staff"]}), "utf-8")

    def say(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "llm", *arguments],
            env={**os.environ, "LLM_USER_PATH": str(tmp_path), "NO_PROXY": "*"},
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    answer = say("-m", "company", PASS)
    assert "[1]" in answer
    assert "Общий порядок" in answer
    assert f"{web.url}/documents/" in answer
    assert "[1]" in say("-c", "Кто встречает гостей?")
    assert "[1]" in say("-m", "company", "--no-stream", PASS)
