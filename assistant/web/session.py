"""Who asks: the session cookie of a browser or the token of a program, looked up in the database at every request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from assistant.access.principal import Principal
from assistant.accounts.service import Visitor
from assistant.assistant import Assistant
from assistant.errors import AccessDenied

COOKIE = "assistant_session"
_FOUND = "assistant.visitor"
# What a token opens, by the beginning of the address: what is not named here is opened by none, and no page of ours is.
_SCOPES = (
    ("/api/search", "ask"),
    ("/api/ask", "ask"),
    ("/v1/", "ask"),
    ("/api/conversations", "conversations"),
    ("/api/feedback", "conversations"),
    ("/api/survey", "conversations"),
    ("/documents/", "documents"),
    ("/api/admin/", "admin"),
)
_ANY_SCOPE = frozenset({"/openapi.json"})
_FOR_PROGRAMS = ("/api/", "/v1/", "/documents/", *_ANY_SCOPE)  # elsewhere a token is not looked at
# Where somebody gets to whose password has to be changed first.
_TO_CHANGE = frozenset({"/account", "/account/password"})


def assistant_of(request: Request) -> Assistant:
    found = request.app.state.assistant
    assert isinstance(found, Assistant)
    return found


async def visitor_or_none(request: Request) -> Visitor | None:
    """Looked up once a request: the guard asks first, then the route or the page.

    Raises `AccessDenied` for what the visitor may not open, `SignInUnavailable` when his directory is away for too long.
    """
    if _FOUND not in request.scope:
        found = await _look_up(request)
        if found is not None:
            _check(found, request.scope["path"])
        request.scope[_FOUND] = found
    known: Visitor | None = request.scope[_FOUND]
    return known


async def principal_or_none(request: Request) -> Principal | None:
    found = await visitor_or_none(request)
    return found.principal if found else None


def bearer_token(request: Request) -> str | None:
    """The token of a program. Where it is sent a cookie counts for nothing, so no other site can use a person's session."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    is_token = scheme.lower() == "bearer" and request.scope["path"].startswith(_FOR_PROGRAMS)
    return token.strip() if is_token else None


def cookie_name(assistant: Assistant) -> str:
    """Behind TLS with the prefix that keeps other hosts of the company, and pages without TLS, from setting it."""
    return f"__Host-{COOKIE}" if assistant.settings.server.secure_cookies else COOKIE


def set_session_cookie(response: Response, assistant: Assistant, session_id: str) -> None:
    """Lax, not Strict: a link to a document in a mail, and the way back from a single sign-on, must find the session.

    What changes something is refused from other sites by what the browser says of itself (`web.origin`).
    """
    response.set_cookie(
        cookie_name(assistant),
        session_id,
        max_age=int(assistant.settings.sessions.max_days * 86400),
        httponly=True,
        samesite="lax",
        secure=assistant.settings.server.secure_cookies,
    )


async def give_session(request: Request, response: Response, assistant: Assistant, session_id: str) -> None:
    """After a sign-in: a browser has one session, and its id is new."""
    before = session_id_of(request)
    if before:
        await run_in_threadpool(assistant.accounts.sign_out, before)
    set_session_cookie(response, assistant, session_id)


def drop_session_cookie(response: Response, assistant: Assistant) -> None:
    response.delete_cookie(
        cookie_name(assistant), httponly=True, samesite="lax", secure=assistant.settings.server.secure_cookies
    )


def session_id_of(request: Request) -> str:
    """What the browser shows; "" when it shows none."""
    return request.cookies.get(cookie_name(assistant_of(request)), "")


def scope_for(path: str) -> str | None:
    """Which scope of a token opens the address; "" is any, None that no token does."""
    if path in _ANY_SCOPE:
        return ""
    return next((scope for begin, scope in _SCOPES if _is_below(path, begin)), None)


def _is_below(path: str, begin: str) -> bool:
    return path.startswith(begin if begin.endswith("/") else f"{begin}/") or path == begin


def _check(visitor: Visitor, path: str) -> None:
    """A token opens what its scopes name; a password that must be changed opens the form for that. Raises `AccessDenied`."""
    if visitor.scopes is not None:
        needed = scope_for(path)
        if needed is None or (needed and needed not in visitor.scopes):
            wanted = f"it takes a token with the scope '{needed}'" if needed else "no token opens it"
            raise AccessDenied(f"this token opens {', '.join(sorted(visitor.scopes)) or 'nothing'}, not this: {wanted}")
    elif visitor.must_change and path not in _TO_CHANGE:
        raise PasswordMustChange("change your password first: open /account")


async def _look_up(request: Request) -> Visitor | None:
    accounts = assistant_of(request).accounts
    token = bearer_token(request)
    if token is not None:
        return await run_in_threadpool(accounts.of_token, token)
    session_id = session_id_of(request)
    return await run_in_threadpool(accounts.visitor, session_id) if session_id else None


async def principal(request: Request) -> Principal:
    """Raises `AccessDenied` (401) when nobody is signed in."""
    found = await principal_or_none(request)
    if found is None:
        raise NotSignedIn("sign in first: open /login")
    return found


class NotSignedIn(AccessDenied):
    http_status = 401


class PasswordMustChange(AccessDenied):
    pass


AssistantDep = Annotated[Assistant, Depends(assistant_of)]
UserDep = Annotated[Principal, Depends(principal)]
