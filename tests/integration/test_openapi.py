"""What the OpenAPI document says is what is sent: real answers against their descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from assistant.records.tokens import SCOPES
from tests.integration.web_site import Web, events, problem, site

pytestmark = pytest.mark.server
PASS = "Кто выдаёт пропуск на проходной?"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with site(tmp_path_factory.mktemp("openapi")) as found:
        yield found


@pytest.fixture
def program(web: Web) -> Iterator[httpx.Client]:
    secret = web.assistant.tokens.create("admin", "test", days=1, scopes=SCOPES)[1]
    with web.client(headers={"authorization": f"Bearer {secret}"}) as client:
        yield client
    web.assistant.tokens.revoke("admin", "test")


@pytest.fixture
def document(program: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = program.get("/openapi.json").json()
    return found


def check(document: dict[str, Any], name: str, body: Any) -> None:
    """It is of that form, and has nothing that is not described."""
    components = document["components"]
    Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": components}).validate(body)
    assert set(body) <= set(components["schemas"][name]["properties"])


def form(document: dict[str, Any], method: str, path: str, answer: httpx.Response) -> str:
    """The name of the description of that answer."""
    content = document["paths"][path][method]["responses"][str(answer.status_code)]["content"]
    reference: str = content[answer.headers["content-type"].partition(";")[0]]["schema"]["$ref"]
    return reference.rpartition("/")[2]


def test_it_is_for_signed_in_people_and_programs(web: Web, program: httpx.Client) -> None:
    with web.client() as stranger, web.client("staff") as person:
        problem(stranger.get("/openapi.json"), 401)
        assert person.get("/openapi.json").json() == program.get("/openapi.json").json()


def test_answers_are_as_described(web: Web, program: httpx.Client, document: dict[str, Any]) -> None:
    said = {"messages": [{"role": "user", "content": PASS}]}
    kept = program.post("/api/conversations", json={"title": "VPN"}).json()["id"]
    sent: list[tuple[str, str, str, Any]] = [
        ("post", "/api/search", "/api/search", {"query": PASS}),
        ("post", "/api/search", "/api/search", {"query": ""}),
        ("get", "/api/admin/documents", "/api/admin/documents", None),
        ("get", "/v1/models", "/v1/models", None),
        ("get", "/v1/models/{model}", "/v1/models/assistant", None),
        ("get", "/v1/models/{model}", "/v1/models/gpt-4o", None),
        ("post", "/v1/chat/completions", "/v1/chat/completions", said),
        ("post", "/v1/chat/completions", "/v1/chat/completions", said | {"n": 3}),
        ("post", "/v1/chat/completions", "/v1/chat/completions", {}),
        ("get", "/api/conversations", "/api/conversations", None),
        ("get", "/api/conversations/{conversation}", f"/api/conversations/{kept}", None),
        ("get", "/api/conversations/{conversation}", "/api/conversations/none", None),
        ("get", "/health", "/health", None),
        ("get", "/health/live", "/health/live", None),
        ("get", "/health/ready", "/health/ready", None),
    ]
    for method, path, address, body in sent:
        answer = program.request(method, address, json=body)
        check(document, form(document, method, path, answer), answer.json())
    refused = program.post("/api/search", json={"query": PASS}, headers={"authorization": "Bearer x"})
    check(document, form(document, "post", "/api/search", refused), refused.json())


def test_the_events_of_an_answer_are_as_described(program: httpx.Client, document: dict[str, Any]) -> None:
    found = dict(events(program.post("/api/ask", json={"question": PASS})))
    check(document, "AnswerOut", found["finished"])
    for result in (*found["step"]["results"], *found["sources"]["sources"]):
        check(document, "ResultOut", result)
    for citation in found["finished"]["citations"]:
        check(document, "CitationOut", citation)


def test_a_stored_file_is_as_described(web: Web, program: httpx.Client, document: dict[str, Any]) -> None:
    answer = program.post("/api/admin/documents", data={"place": "none|"}, files={"files": ("one.md", b"one")})
    check(document, form(document, "post", "/api/admin/documents", answer), answer.json())
