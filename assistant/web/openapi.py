"""/openapi.json: what FastAPI makes of the routes, with how to sign in and the errors as they are really sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from assistant.web import api_models, conversation_models, openai_models

_REF = "#/components/schemas/{model}"
_ABOUT = (
    "Answers from the company's own documents. Everything is given with the rights of the person who is signed in: "
    "in a browser by the session cookie, for programs by a token (`assistant tokens create`)."
)
_BESIDE = ("ProblemOut", "ErrorOut", "ErrorDetail", "AnswerOut", "CitationOut")  # no route names them itself
_SIGN_IN = {
    "token": {"type": "http", "scheme": "bearer", "description": "Made by `assistant tokens create USER --name NAME`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "assistant_session",
        "description": "A browser's, from /login.",
    },
}
_ERRORS = {
    "401": "Nobody is signed in, or the token is unknown, over or revoked.",
    "422": "The request is not of this form, or there is no question in it, or one that is too long.",
    "429": "Too many questions, answers at once, or wrong tokens; `Retry-After` has the seconds until it goes on.",
    "503": "A part is away, or too many questions wait (then with `Retry-After`): try again in a while.",
}


def describe(app: FastAPI) -> None:
    """The document is made at its first request, and kept."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(made())
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _complete(document: dict[str, Any]) -> None:
    document["info"]["description"] = _ABOUT
    components = document["components"]
    components["securitySchemes"] = _SIGN_IN
    schemas = components["schemas"]
    for name, schema in _ours().items():
        if name in schemas and "examples" in schema:
            schemas[name]["examples"] = schema["examples"]  # FastAPI leaves out of them what is null
        elif name in _BESIDE:
            schemas[name] = schema
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which our handler replaces
        schemas.pop(name, None)
    for path, operation in _operations(document):
        if path.startswith("/health"):
            continue
        is_page = path.startswith("/documents")
        operation["security"] = [{"session": []}] if is_page else [{"token": []}, {"session": []}]
        kind = "application/json" if path.startswith("/v1/") else "application/problem+json"
        model = "ErrorOut" if path.startswith("/v1/") else "ProblemOut"
        for status, said in _ERRORS.items():
            body = {kind: {"schema": {"$ref": _REF.format(model=model)}}}
            operation["responses"][status] = {"description": said, "content": body}
        for status, response in operation["responses"].items():
            if status.startswith("4") and "content" not in response:
                response["content"] = {kind: {"schema": {"$ref": _REF.format(model=model)}}}


def _ours() -> dict[str, dict[str, Any]]:
    """The schemas of the modules that describe what the routes give, by name."""
    models = {
        one
        for module in (api_models, conversation_models, openai_models)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, BaseModel) and one is not BaseModel
    }
    _, found = models_json_schema([(model, "serialization") for model in models], ref_template=_REF)
    made: dict[str, dict[str, Any]] = found["$defs"]
    return made


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            yield path, operation
