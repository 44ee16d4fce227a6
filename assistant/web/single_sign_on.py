"""/auth/oidc/NAME: to a provider's page, back from it, and what the provider says when somebody signs out there."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

import anyio
from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from assistant.access.caller import ADDRESS
from assistant.assistant import Assistant
from assistant.errors import AccessDenied, LimitReached, SignInRefused, SignInUnavailable
from assistant.web.session import AssistantDep, give_session
from assistant.web.sign_in import refused_page

router = APIRouter(include_in_schema=False, prefix="/auth/oidc/{name}")

# Binds a sign-in to the browser that began it, in however many tabs. Lax: the provider's page leads back with a GET.
# Behind TLS no other host of the company may set it: it could have somebody end a stranger's sign-in.
_COOKIE = "assistant_sign_in"
_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
_SECONDS = 600
Found = TypeVar("Found")
_UNSEEN = {"Cache-Control": "no-store"}


@router.get("")
async def begin(request: Request, assistant: AssistantDep, name: str) -> Response:
    """On to the provider, which has to know the address that it sends the browser back to."""
    found = request.cookies.get(_cookie_name(assistant), "")
    key = found if _KEY.fullmatch(found) else secrets.token_urlsafe(32)
    try:
        url = await _elsewhere(request, partial(assistant.single_sign_on.begin, name, key, address=ADDRESS.get()))
    except (SignInUnavailable, LimitReached) as error:
        return refused_page(request, assistant, error)
    response = RedirectResponse(url, 303, headers=_UNSEEN)
    secure = assistant.settings.server.secure_cookies
    response.set_cookie(
        _cookie_name(assistant),
        key,
        max_age=_SECONDS,
        path="/" if secure else "/auth/oidc/",  # `__Host-` wants the first
        httponly=True,
        samesite="lax",
        secure=secure,
    )
    return response


@router.get("/callback")
async def come_back(request: Request, assistant: AssistantDep, name: str) -> Response:
    """Always to the first page: an address to go on to is taken from nobody."""
    answer = dict(request.query_params)
    finish = partial(
        assistant.single_sign_on.finish,
        name,
        answer,
        request.cookies.get(_cookie_name(assistant), ""),
        address=ADDRESS.get(),
        browser=request.headers.get("user-agent", ""),
    )
    try:
        session_id = await _elsewhere(request, finish)
    except (AccessDenied, SignInUnavailable, LimitReached) as error:
        return refused_page(request, assistant, error)
    response = RedirectResponse("/", 303, headers=_UNSEEN)
    await give_session(request, response, assistant, session_id)
    return response


@router.post("/logout")
async def back_channel(
    request: Request, assistant: AssistantDep, name: str, logout_token: Annotated[str, Form(max_length=20_000)] = ""
) -> Response:
    """The provider's server says that somebody has signed out there; the token is all that it is believed for."""
    try:
        await _elsewhere(request, partial(assistant.single_sign_on.end_by_token, name, logout_token))
    except SignInRefused:
        return JSONResponse({"error": "invalid_request"}, 400, headers=_UNSEEN)
    return Response(status_code=200, headers=_UNSEEN)


@router.get("/logout")
async def front_channel(request: Request, assistant: AssistantDep, name: str, iss: str = "", sid: str = "") -> Response:
    """Likewise by the browser, in a hidden frame that has no cookies of ours: the session's name there is the proof."""
    end = partial(assistant.single_sign_on.end_by_sid, name, iss, sid, address=ADDRESS.get())
    try:
        await _elsewhere(request, end)
    except SignInRefused:
        return Response(status_code=400, headers=_UNSEEN)
    return Response(status_code=200, headers=_UNSEEN)


def _cookie_name(assistant: Assistant) -> str:
    return f"__Host-{_COOKIE}" if assistant.settings.server.secure_cookies else _COOKIE


async def _elsewhere(request: Request, ask: Callable[[], Found]) -> Found:
    """Few at a time: a provider that hangs must not take all the threads that requests need."""
    limiter: anyio.CapacityLimiter = request.app.state.single_sign_on
    return await anyio.to_thread.run_sync(ask, limiter=limiter)
