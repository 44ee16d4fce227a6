"""Who asks: the session cookie of a browser or the token of a program, looked up in the database at every request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from assistant.access.principal import Principal
from assistant.assistant import Assistant
from assistant.errors import AccessDenied

COOKIE = "assistant_session"
_FOUND = "assistant.principal"
_FOR_PROGRAMS = ("/api/", "/v1/", "/openapi.json")  # a token opens no page


def assistant_of(request: Request) -> Assistant:
    found = request.app.state.assistant
    assert isinstance(found, Assistant)
    return found


async def principal_or_none(request: Request) -> Principal | None:
    """Looked up once a request: the guard asks first, then the route or the page."""
    if _FOUND not in request.scope:
        request.scope[_FOUND] = await _look_up(request)
    found: Principal | None = request.scope[_FOUND]
    return found


def bearer_token(request: Request) -> str | None:
    """The token of a program. Where it is sent a cookie counts for nothing, so no other site can use a person's session."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    is_token = scheme.lower() == "bearer" and request.scope["path"].startswith(_FOR_PROGRAMS)
    return token.strip() if is_token else None


async def _look_up(request: Request) -> Principal | None:
    token = bearer_token(request)
    if token is not None:
        found = await run_in_threadpool(assistant_of(request).accounts.of_token, token)
        return found.principal if found else None
    session_id = request.cookies.get(COOKIE)
    if not session_id:
        return None
    return await run_in_threadpool(assistant_of(request).accounts.of_session, session_id)


async def principal(request: Request) -> Principal:
    """Raises `AccessDenied` (401) when nobody is signed in."""
    found = await principal_or_none(request)
    if found is None:
        raise NotSignedIn("sign in first: open /login")
    return found


class NotSignedIn(AccessDenied):
    http_status = 401


AssistantDep = Annotated[Assistant, Depends(assistant_of)]
UserDep = Annotated[Principal, Depends(principal)]
