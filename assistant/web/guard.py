"""Around all routes: nothing without a session but what is public, no changes from other sites, safe headers on all."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.access.caller import ADDRESS
from assistant.errors import AssistantError, LimitReached, TooLarge
from assistant.web.address import client_address
from assistant.web.headers import NONCE, add_headers, new_nonce
from assistant.web.origin import may_change
from assistant.web.problems import problem_response, respond, respond_unexpected
from assistant.web.session import NotSignedIn, assistant_of, bearer_token, cookie_name, visitor_or_none

# The rest needs a session, whatever it is: several of Gradio's own routes ask for none.
_PUBLIC = frozenset({"/login", "/logout", "/health", "/favicon.ico", "/robots.txt"})
_PUBLIC_BELOW = (
    "/auth/oidc/",
    "/health/",
    "/language/",
    "/assets/",
    "/static/",
    "/svelte/",
)  # the page's own scripts, the same for everyone
# What is uploaded there has limits of its own, not limits.body_kb.
_UPLOADS = frozenset({"/admin/documents", "/api/admin/documents"})


class Guard:
    """Pure ASGI: a stream's end and a client that leaves reach the routes as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # there is none to open
            return

        request = Request(scope, receive)
        is_secure = assistant_of(request).settings.server.secure_cookies
        begun, nonce = False, new_nonce()

        async def send_safely(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                add_headers(headers, scope["path"], nonce, is_secure=is_secure)
            await send(message)

        came_from, styled = ADDRESS.set(client_address(request)), NONCE.set(nonce)
        try:
            answer = await _refusal(request) or self._app
            await answer(
                scope, receive if scope["path"] in _UPLOADS else _bounded(receive, _most_kb(request)), send_safely
            )
        except Exception as error:  # noqa: BLE001 - the last door: an id for the person, the traceback for the log, once
            if begun:
                raise
            response = await respond_unexpected(request, error)
            await response(scope, receive, send_safely)
        finally:
            ADDRESS.reset(came_from)
            NONCE.reset(styled)


async def _refusal(request: Request) -> Response | None:
    """The answer to a request that goes no further."""
    path = request.scope["path"]
    if bearer_token(request) is None and not may_change(request, cookie=cookie_name(assistant_of(request))):
        body = {
            "type": "about:blank",
            "title": "CrossOrigin",
            "status": 403,
            "detail": "requests from other sites are refused (programs use a token: `assistant tokens create`)",
        }
        return problem_response(request, body)
    length = request.headers.get("content-length", "")
    most = _most_kb(request)
    if path not in _UPLOADS and length.isdecimal() and int(length[:20]) > most * 1024:
        return await respond(request, _too_large(most))
    if path in _PUBLIC or path.startswith(_PUBLIC_BELOW):
        return None
    try:
        visitor = await visitor_or_none(request)
    except AssistantError as error:
        return await respond(request, error)
    if visitor is not None:
        return None
    if path == "/" and request.method in ("GET", "HEAD"):
        return RedirectResponse("/login", 303)
    if bearer_token(request) is not None:
        return await respond(request, await _wrong_token(request))
    return await respond(request, NotSignedIn("sign in first: open /login"))


async def _wrong_token(request: Request) -> AssistantError:
    try:
        await run_in_threadpool(assistant_of(request).accounts.wrong_token, client_address(request))
    except LimitReached as error:
        return error
    return NotSignedIn("this token is unknown, over or revoked: see `assistant tokens list`")


def _bounded(receive: Receive, most_kb: int) -> Receive:
    """For bodies that do not say how long they are: nobody may fill the memory, least of all without signing in."""
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most_kb * 1024:
            raise _too_large(most_kb)
        return message

    return bounded


def _most_kb(request: Request) -> int:
    most: int = request.app.state.assistant.settings.limits.body_kb
    return most


def _too_large(most_kb: int) -> TooLarge:
    return TooLarge(f"a request may have {most_kb} KB")
