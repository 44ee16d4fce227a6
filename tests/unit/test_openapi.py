"""The generated OpenAPI document: valid, complete, with examples that are of the form they are examples of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from assistant.web.app import ROUTED
from assistant.web.openapi import describe


def _document() -> dict[str, Any]:
    app = FastAPI(title="Assistant", version="1")
    for module in ROUTED:
        app.include_router(module.router)
    describe(app)
    return app.openapi()


DOCUMENT = _document()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
NAMED = {
    "GET /api/admin/documents",
    "POST /api/admin/documents",
    "POST /api/search",
    "POST /api/ask",
    "GET /api/conversations",
    "POST /api/conversations",
    "GET /api/conversations/{conversation}",
    "PATCH /api/conversations/{conversation}",
    "DELETE /api/conversations/{conversation}",
    "POST /api/conversations/{conversation}/restore",
    "GET /api/conversations/{conversation}/export",
    "POST /api/feedback",
    "GET /api/feedback/{message}",
    "DELETE /api/feedback/{message}",
    "GET /v1/models",
    "GET /v1/models/{model}",
    "POST /v1/chat/completions",
}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def has_example(schema: dict[str, Any]) -> bool:
    """The schema has one, or each of its parts that is no mere number, flag or free text has."""
    schema = resolved(schema)
    if {"example", "examples", "const", "enum", "default"} & set(schema):
        return True
    if "anyOf" in schema:
        return any(has_example(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return has_example(schema["items"])
    if schema.get("type") == "object" and schema.get("properties"):
        return any(has_example(one) for one in schema["properties"].values())
    return False


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(what, kind, content) of the request and of every answer."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", kind, content
    for status, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items():
            yield status, kind, content


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_it_has_every_route_for_programs() -> None:
    found = {name for name in OPERATIONS if " /api/" in name or " /v1/" in name}
    assert found >= NAMED


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_route_is_described(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    assert operation["summary"] != operation["operationId"]
    if " /api/" in name or " /v1/" in name:
        assert {"token": []} in operation["security"]
        assert {"401", "422", "429", "503"} <= set(operation["responses"])


@pytest.mark.parametrize("name", sorted(name for name in OPERATIONS if " /api/" in name or " /v1/" in name))
def test_what_goes_in_and_out_has_an_example(name: str) -> None:
    found = list(bodies(OPERATIONS[name]))
    assert found
    for what, kind, content in found:
        if "/export" in name and what == "200":
            continue  # a file
        assert "example" in content or has_example(content["schema"]), f"{what} {kind}"


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_an_example_is_of_its_form(name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    for example in DOCUMENT["components"]["schemas"][name].get("examples", []):
        Draft202012Validator(schema).validate(example)


def test_errors_are_described_as_they_are_sent() -> None:
    assert "HTTPValidationError" not in str(DOCUMENT)
    for name, operation in OPERATIONS.items():
        for status, response in operation["responses"].items():
            if status.startswith("4"):
                (kind,) = response["content"]
                assert kind == ("application/json" if " /v1/" in name else "application/problem+json"), name


def test_the_marker_of_the_example_is_where_it_says() -> None:
    (example,) = DOCUMENT["components"]["schemas"]["Completion"]["examples"]
    message = example["choices"][0]["message"]
    cited = message["annotations"][0]["url_citation"]
    assert message["content"][cited["start_index"] : cited["end_index"]] == "[1]"
