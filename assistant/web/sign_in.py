"""/login and /logout."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated

import anyio
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from assistant.access.caller import ADDRESS
from assistant.assistant import Assistant
from assistant.errors import AccessDenied, AssistantError, SignInRefused, SignInUnavailable, WrongPassword
from assistant.ui.account_texts import account_texts, sign_in_error
from assistant.ui.texts import reader_language, texts
from assistant.web.known_browser import known_browser, set_known_browser
from assistant.web.pages import render
from assistant.web.problems import retry_after
from assistant.web.session import (
    AssistantDep,
    drop_session_cookie,
    give_session,
    principal_or_none,
    session_id_of,
)

router = APIRouter(include_in_schema=False)
_UNSEEN = {"Cache-Control": "no-store"}
# A wrong password is told after whole half seconds: a name that is known here is checked here alone, another one by the
# directories, and neither is to be told from the other by its time.
_WRONG_SECONDS = 0.5


@router.get("/login")
async def login_page(request: Request, assistant: AssistantDep) -> Response:
    try:
        if await principal_or_none(request):
            return RedirectResponse("/", 303)
    except SignInUnavailable as error:  # the directory of the session that is there
        return _refused(request, assistant, error)
    except AccessDenied:  # signed in, but has to change the password
        return RedirectResponse("/", 303)
    return _page(request, assistant)


@router.post("/login")
async def login(
    request: Request,
    assistant: AssistantDep,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    began = time.monotonic()
    browser = request.headers.get("user-agent", "")
    known = known_browser(request, assistant)
    sign_in = partial(assistant.accounts.sign_in, name, password, address=ADDRESS.get(), browser=browser, known=known)
    # few at a time: checking a password takes a core for a while, and every request needs one of the threads
    try:
        session_id = await anyio.to_thread.run_sync(sign_in, limiter=request.app.state.password_checks)
    except WrongPassword as error:
        await anyio.sleep((began - time.monotonic()) % _WRONG_SECONDS)
        return _refused(request, assistant, error, name=name)
    except AssistantError as error:
        return _refused(request, assistant, error, name=name)
    response = RedirectResponse("/", 303)
    await give_session(request, response, assistant, session_id)
    set_known_browser(response, assistant, await run_in_threadpool(assistant.accounts.remember_browser, name, known))
    return response


@router.get("/logout")
async def logout_page() -> Response:
    """Signing out takes a POST: a link on another site must not be able to."""
    return RedirectResponse("/", 303)


@router.post("/logout")
async def logout(request: Request, assistant: AssistantDep) -> Response:
    session_id = session_id_of(request)
    goodbye = await run_in_threadpool(assistant.single_sign_on.sign_out, session_id) if session_id else None
    response: Response = RedirectResponse("/login", 303)
    if goodbye is not None:
        # A page that goes on by itself: what a form leads to may not be another site (Content-Security-Policy, form-action).
        language = reader_language(request)
        t = {**texts(language), **account_texts(language)}
        response = HTMLResponse(render("goodbye.html", language=language, t=t, goodbye=goodbye))
    drop_session_cookie(response, assistant)
    return response


def refused_page(request: Request, assistant: Assistant, error: AssistantError) -> HTMLResponse:
    """Of a single sign-on. Its own words are in the log."""
    case = error.case if isinstance(error, SignInRefused) else None
    if isinstance(error, SignInUnavailable):
        case = "unavailable"
    language = reader_language(request)
    reason = account_texts(language)[f"sso.{case}"] if case else sign_in_error(error, language)
    return _page(request, assistant, reason=reason, status=error.http_status, headers=retry_after(error))


def _refused(request: Request, assistant: Assistant, error: AssistantError, *, name: str = "") -> HTMLResponse:
    """The page with the reason why nobody got in."""
    reason = sign_in_error(error, reader_language(request))
    return _page(request, assistant, reason=reason, name=name, status=error.http_status, headers=retry_after(error))


def _page(
    request: Request,
    assistant: Assistant,
    *,
    reason: str = "",
    name: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    language = reader_language(request)
    html = render(
        "login.html",
        language=language,
        t={**texts(language), **account_texts(language)},
        reason=reason,
        name=name,
        has_form=assistant.accounts.has_passwords,
        providers=assistant.single_sign_on.choices,
    )
    return HTMLResponse(html, status, {**_UNSEEN, **(headers or {})})
