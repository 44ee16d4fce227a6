"""Errors over HTTP: problem details (RFC 9457) for programs, a plain page for people."""

from __future__ import annotations

import secrets
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from assistant.errors import AssistantError
from assistant.ui.texts import error_text, page_language, texts
from assistant.web.pages import render
from assistant.web.session import NotSignedIn

log = structlog.get_logger("assistant.web")


def problem(error: AssistantError) -> dict[str, Any]:
    """The body of a problem document."""
    return {
        "type": "about:blank",
        "title": type(error).__name__,
        "status": error.http_status,
        "detail": str(error),
        "retryable": error.retryable,
    }


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(AssistantError, _known)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, AssistantError)
    if _wants_html(request):
        if isinstance(error, NotSignedIn):
            return RedirectResponse("/login", 303)
        return _page(request, error_text(error, _language(request)), error.http_status)
    return JSONResponse(problem(error), error.http_status, media_type="application/problem+json")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = {"type": "about:blank", "title": error.detail, "status": error.status_code, "detail": error.detail}
    if _wants_html(request) and error.status_code == 404:
        return _page(request, texts(_language(request))["not_found"], 404)
    return JSONResponse(body, error.status_code, headers=error.headers, media_type="application/problem+json")


async def _unexpected(request: Request, error: Exception) -> Response:
    """An id that the log carries, and never a traceback."""
    error_id = secrets.token_hex(4)
    log.error("unexpected error", error_id=error_id, path=request.url.path, exc_info=error)
    detail = texts(_language(request))["unexpected"].format(error_id=error_id)
    if _wants_html(request):
        return _page(request, detail, 500)
    body = {"type": "about:blank", "title": "InternalError", "status": 500, "detail": detail}
    return JSONResponse(body, 500, media_type="application/problem+json")


def _page(request: Request, message: str, status: int) -> HTMLResponse:
    language = _language(request)
    return HTMLResponse(render("error.html", language=language, t=texts(language), message=message), status)


def _language(request: Request) -> str:
    return page_language(request.headers.get("accept-language"))


def _wants_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
