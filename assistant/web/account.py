"""/account: a person's own account: rights, password, sessions, tokens of programs."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import anyio
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from assistant.access.caller import ADDRESS
from assistant.access.principal import Principal
from assistant.assistant import Assistant
from assistant.errors import AccessDenied, ConfigError, NotFound, WrongPassword
from assistant.records.tokens import SCOPES
from assistant.ui.account_texts import account_texts
from assistant.ui.admin_texts import last_day_text, moment_text
from assistant.ui.header import links_of
from assistant.ui.review_texts import review_texts
from assistant.ui.texts import reader_language, texts
from assistant.web.browsers import browser_name
from assistant.web.pages import render
from assistant.web.session import AssistantDep, UserDep, drop_session_cookie, session_id_of, set_session_cookie

router = APIRouter(include_in_schema=False, prefix="/account")
_PRIVATE = {"Cache-Control": "private, no-store"}
_SAID = ("changed", "revoked")
_DAYS = (30, 90, 365)
_REVIEWERS = frozenset({"engineer", "admin"})  # whose pages the scope `admin` opens


@router.get("")
async def account(request: Request, assistant: AssistantDep, user: UserDep, said: str = "") -> Response:
    return await _page(request, assistant, user, said=said if said in _SAID else "")


@router.post("/password")
async def change_password(
    request: Request,
    assistant: AssistantDep,
    user: UserDep,
    old: Annotated[str, Form(max_length=1000)] = "",
    new: Annotated[str, Form(max_length=1000)] = "",
    again: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """A new session comes with the new password; all the others end."""
    wrong = _wrong_password(assistant, old, new, again)
    if wrong:
        return await _page(request, assistant, user, wrong=wrong, status=422)
    browser = request.headers.get("user-agent", "")
    change = partial(assistant.accounts.change_password, user.id, old, new, address=ADDRESS.get(), browser=browser)
    try:
        session_id = await anyio.to_thread.run_sync(change, limiter=request.app.state.password_checks)
    except WrongPassword:
        return await _page(request, assistant, user, wrong="wrong_old", status=403)
    response = RedirectResponse("/account?said=changed", 303)
    set_session_cookie(response, assistant, session_id)
    return response


@router.post("/sign-out-everywhere")
async def sign_out_everywhere(assistant: AssistantDep, user: UserDep) -> Response:
    """Here too: whoever presses it does not know any more where he is signed in."""
    await run_in_threadpool(assistant.accounts.sign_out_everywhere, user.id)
    response = RedirectResponse("/login", 303)
    drop_session_cookie(response, assistant)
    return response


@router.post("/tokens")
async def create_token(
    request: Request,
    assistant: AssistantDep,
    user: UserDep,
    name: Annotated[str, Form(max_length=100)] = "",
    scope: Annotated[list[str] | None, Form()] = None,
    days: Annotated[int, Form()] = _DAYS[0],
) -> Response:
    """Its secret is on this page alone: it is in no address, and asking for the page again does not show it."""
    wanted = scope or []
    if not set(wanted) <= set(_scopes(user)) or days not in _DAYS:
        raise AccessDenied("such a token is not given out here")
    create = partial(assistant.tokens.create, user.name, name, days=days, scopes=wanted, by=user)
    try:
        _, secret = await run_in_threadpool(create)
    except ConfigError:
        return await _page(request, assistant, user, wrong="wrong_token" if wanted else "wrong_scope", status=422)
    return await _page(request, assistant, user, secret=secret)


@router.post("/tokens/{token}/revoke")
async def revoke_token(assistant: AssistantDep, user: UserDep, token: str) -> Response:
    mine = {one.id for one in await run_in_threadpool(assistant.tokens.list, user.name)}
    if token not in mine:
        raise NotFound("you have no such token")
    await run_in_threadpool(partial(assistant.tokens.revoke, user.name, token, by=user))
    return RedirectResponse("/account?said=revoked#tokens", 303)


def _wrong_password(assistant: Assistant, old: str, new: str, again: str) -> str:
    if len(new.strip()) < assistant.settings.auth.local.min_password_chars:
        return "wrong_short"
    if new != again:
        return "wrong_again"
    return "wrong_same" if new == old else ""


def _scopes(user: Principal) -> list[str]:
    return [scope for scope in SCOPES if scope != "admin" or user.roles & _REVIEWERS]


async def _page(
    request: Request,
    assistant: Assistant,
    user: Principal,
    *,
    said: str = "",
    wrong: str = "",
    secret: str = "",
    status: int = 200,
) -> HTMLResponse:
    """`said`, `wrong`: what became of a form, by the key of its sentence; `secret`: a token that was just made."""
    own = await run_in_threadpool(assistant.accounts.own, user.id, session_id_of(request))
    language = reader_language(request)
    html = render(
        "account.html",
        language=language,
        t={**texts(language), **review_texts(language), **account_texts(language)},
        links=links_of(user.roles) if not own.must_change else [],
        here="/account",
        own=own,
        everyone=sorted(assistant.policy.everyone),
        everyone_level=assistant.policy.everyone_level,
        tokens=await run_in_threadpool(assistant.tokens.list, user.name),
        scopes=_scopes(user),
        days=_DAYS,
        min_chars=assistant.settings.auth.local.min_password_chars,
        at=partial(moment_text, language=language),
        day=partial(last_day_text, language=language),
        browser=browser_name,
        said=said,
        wrong=wrong,
        secret=secret,
    )
    return HTMLResponse(html, status, _PRIVATE)
