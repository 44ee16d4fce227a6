"""Errors over HTTP: problem details (RFC 9457) for programs, OpenAI's shape below /v1, a plain page for people."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from assistant.errors import (
    AssistantError,
    Busy,
    ChromaUnavailable,
    ConfigError,
    LimitReached,
    ModelUnavailable,
    SignInUnavailable,
    StorageError,
)
from assistant.ui.account_texts import sign_in_error
from assistant.ui.texts import error_text, numbered, reader_language, texts
from assistant.web.pages import render
from assistant.web.session import NotSignedIn, PasswordMustChange

log = structlog.get_logger("assistant.web")
_INTERNAL = (StorageError, ChromaUnavailable, ModelUnavailable, ConfigError)


def problem(error: AssistantError, language: str) -> dict[str, Any]:
    """The body of a problem document. Reasons with servers and paths go to the log; the caller gets a sentence.

    What can't be written is nothing that the caller could find out about: he gets the number that the log has it under.
    """
    detail = str(error)
    if isinstance(error, _INTERNAL):
        error_id = secrets.token_hex(4)
        log.warning("request failed", error_id=error_id, kind=type(error).__name__, reason=detail)
        detail = error_text(error, language)
        detail = numbered(detail, error_id, language) if isinstance(error, StorageError) else detail
    return {
        "type": "about:blank",
        "title": type(error).__name__,
        "status": error.http_status,
        "detail": detail,
        "retryable": error.retryable,
    }


def unexpected_problem(error: Exception, path: str, language: str) -> dict[str, Any]:
    """The body for a bug: an id that the log carries, and never a traceback."""
    error_id = secrets.token_hex(4)
    log.error("unexpected error", error_id=error_id, path=path, exc_info=error)
    detail = texts(language)["unexpected"].format(error_id=error_id)
    return {"type": "about:blank", "title": "InternalError", "status": 500, "detail": detail}


def openai_error(body: Mapping[str, Any]) -> dict[str, Any]:
    """A problem in the shape that clients of OpenAI's API read."""
    kind, code = "invalid_request_error" if body["status"] < 500 else "server_error", body["title"]
    if body["status"] == LimitReached.http_status:
        kind, code = "requests", "rate_limit_exceeded"
    return {"error": {"message": body["detail"], "type": kind, "param": None, "code": code}}


def problem_response(
    request: Request, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A problem for a program, as the address wants it."""
    if request.scope["path"].startswith("/v1/"):
        return JSONResponse(openai_error(body), body["status"], headers)
    return JSONResponse(body, body["status"], headers, media_type="application/problem+json")


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(AssistantError, respond)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


def add_not_found_handler(app: FastAPI) -> None:
    """For an application mounted below ours: the rest of its errors its own page understands."""
    app.add_exception_handler(404, _http)


async def respond(request: Request, error: Exception) -> Response:
    """The answer for an error of our tree; who must sign in is led there."""
    assert isinstance(error, AssistantError)
    if _wants_html(request):
        if isinstance(error, NotSignedIn):
            return RedirectResponse("/login", 303)
        if isinstance(error, PasswordMustChange):
            return RedirectResponse("/account", 303)
        page = _page(request, _told(error, _language(request)), error.http_status)
        page.headers.update(retry_after(error))
        return page
    headers = retry_after(error)
    if isinstance(error, NotSignedIn):
        headers = {"WWW-Authenticate": "Bearer"}
    return problem_response(request, problem(error, _language(request)), headers)


def _told(error: AssistantError, language: str) -> str:
    """On a page."""
    if isinstance(error, StorageError):
        return str(problem(error, language)["detail"])
    return sign_in_error(error, language) if isinstance(error, SignInUnavailable) else error_text(error, language)


def retry_after(error: AssistantError) -> dict[str, str]:
    """The header that says when it is worth another try, where that is known."""
    return {"Retry-After": str(error.seconds)} if isinstance(error, Busy | LimitReached) else {}


async def respond_unexpected(request: Request, error: Exception) -> Response:
    body = unexpected_problem(error, request.url.path, _language(request))
    if _wants_html(request):
        return _page(request, body["detail"], 500)
    return problem_response(request, body)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, AssistantError):  # FastAPI makes a 400 of whatever fails while it reads a body
        return await respond(request, error.__cause__)
    body = {"type": "about:blank", "title": error.detail, "status": error.status_code, "detail": error.detail}
    if _wants_html(request) and error.status_code == 404:
        return _page(request, texts(_language(request))["not_found"], 404)
    return problem_response(request, body, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    """A body or parameter of the wrong form: which one, and why; never what was sent."""
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(f"{'.'.join(map(str, one['loc'][1:])) or 'body'}: {one['msg']}" for one in error.errors())
    body = {"type": "about:blank", "title": "InvalidRequest", "status": 422, "detail": wrong}
    return problem_response(request, body)


def _page(request: Request, message: str, status: int) -> HTMLResponse:
    language = _language(request)
    return HTMLResponse(render("error.html", language=language, t=texts(language), message=message), status)


def _language(request: Request) -> str:
    return reader_language(request)


def _wants_html(request: Request) -> bool:
    return not request.scope["path"].startswith("/v1/") and "text/html" in request.headers.get("accept", "")
