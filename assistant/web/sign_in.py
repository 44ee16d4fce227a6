"""/login and /logout."""

from __future__ import annotations

from typing import Annotated

import anyio
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from assistant.assistant import Assistant
from assistant.errors import AssistantError, SignInRefused, SignInUnavailable, WrongPassword
from assistant.ui.account_texts import account_texts
from assistant.ui.texts import reader_language, texts
from assistant.web.pages import render
from assistant.web.session import COOKIE, AssistantDep, principal_or_none

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def login_page(request: Request, assistant: AssistantDep) -> Response:
    if await principal_or_none(request):
        return RedirectResponse("/", 303)
    return _page(request, assistant)


@router.post("/login")
async def login(
    request: Request,
    assistant: AssistantDep,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    # few at a time: checking a password takes a core for a while, and every request needs one of the threads
    try:
        session_id = await anyio.to_thread.run_sync(
            assistant.accounts.sign_in, name, password, limiter=request.app.state.password_checks
        )
    except WrongPassword:
        return _page(request, assistant, wrong=True, name=name)
    response = RedirectResponse("/", 303)
    set_session_cookie(response, assistant, session_id)
    return response


@router.get("/logout")
async def logout_page() -> Response:
    """Signing out takes a POST: a link on another site must not be able to."""
    return RedirectResponse("/", 303)


@router.post("/logout")
async def logout(request: Request, assistant: AssistantDep) -> Response:
    session_id = request.cookies.get(COOKIE)
    goodbye = await run_in_threadpool(assistant.single_sign_on.sign_out, session_id) if session_id else None
    response: Response = RedirectResponse("/login", 303)
    if goodbye is not None:
        # A page that goes on by itself: what a form leads to may not be another site (Content-Security-Policy, form-action).
        language = reader_language(request)
        t = {**texts(language), **account_texts(language)}
        response = HTMLResponse(render("goodbye.html", language=language, t=t, goodbye=goodbye))
    response.delete_cookie(COOKIE)
    return response


def set_session_cookie(response: Response, assistant: Assistant, session_id: str) -> None:
    response.set_cookie(
        COOKIE,
        session_id,
        max_age=int(assistant.settings.sessions.max_days * 86400),
        httponly=True,
        samesite="lax",
        secure=assistant.settings.server.secure_cookies,
    )


def refused_page(request: Request, assistant: Assistant, error: AssistantError) -> HTMLResponse:
    """Of a single sign-on. Its own words are in the log."""
    case = error.case if isinstance(error, SignInRefused) else None
    if isinstance(error, SignInUnavailable):
        case = "unavailable"
    found = account_texts(reader_language(request))
    return _page(request, assistant, problem=found[f"sso.{case}"] if case else str(error), status=error.http_status)


def _page(
    request: Request,
    assistant: Assistant,
    *,
    wrong: bool = False,
    name: str = "",
    problem: str = "",
    status: int = 200,
) -> HTMLResponse:
    language = reader_language(request)
    html = render(
        "login.html",
        language=language,
        t={**texts(language), **account_texts(language)},
        wrong=wrong,
        name=name,
        problem=problem,
        has_passwords=assistant.accounts.has_passwords,
        providers=assistant.single_sign_on.choices,
    )
    return HTMLResponse(html, status_code=401 if wrong else status)
