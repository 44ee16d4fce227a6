"""/login and /logout."""

from __future__ import annotations

from typing import Annotated

import anyio
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from assistant.errors import WrongPassword
from assistant.ui.texts import reader_language, texts
from assistant.web.pages import render
from assistant.web.session import COOKIE, AssistantDep, principal_or_none

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def login_page(request: Request) -> Response:
    if await principal_or_none(request):
        return RedirectResponse("/", 303)
    return _page(request, wrong=False, name="")


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
        return _page(request, wrong=True, name=name)
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE,
        session_id,
        max_age=int(assistant.settings.sessions.max_days * 86400),
        httponly=True,
        samesite="lax",
        secure=assistant.settings.server.secure_cookies,
    )
    return response


@router.get("/logout")
async def logout_page() -> Response:
    """Signing out takes a POST: a link on another site must not be able to."""
    return RedirectResponse("/", 303)


@router.post("/logout")
async def logout(request: Request, assistant: AssistantDep) -> Response:
    session_id = request.cookies.get(COOKIE)
    if session_id:
        await run_in_threadpool(assistant.accounts.sign_out, session_id)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE)
    return response


def _page(request: Request, *, wrong: bool, name: str) -> HTMLResponse:
    language = reader_language(request)
    html = render("login.html", language=language, t=texts(language), wrong=wrong, name=name)
    return HTMLResponse(html, status_code=401 if wrong else 200)
