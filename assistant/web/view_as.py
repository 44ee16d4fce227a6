"""/admin/view-as: what somebody's question would find and what is withheld from him. For administrators; for others 404."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response
from starlette.concurrency import run_in_threadpool

from assistant.errors import InvalidQuestion, NotFound
from assistant.explaining.view_as import ViewAs
from assistant.ui.account_texts import account_texts
from assistant.ui.header import links_of
from assistant.ui.review_texts import review_texts
from assistant.ui.texts import error_text, place_text, reader_language, texts
from assistant.web.pages import render
from assistant.web.session import AssistantDep, UserDep

router = APIRouter()
_HERE = "/admin/view-as"
_PRIVATE = {"Cache-Control": "private, no-store"}
_SHOWN_CHARS = 300  # of a passage


@router.get(_HERE, include_in_schema=False)
async def form(request: Request, assistant: AssistantDep, user: UserDep) -> Response:
    return await _page(request, assistant, user)


@router.post(_HERE, include_in_schema=False)
async def look(
    request: Request,
    assistant: AssistantDep,
    user: UserDep,
    person: Annotated[str, Form()] = "",
    question: Annotated[str, Form()] = "",
) -> Response:
    """Sent as a form, so that the question stands in no address and no log of a proxy."""
    people = await run_in_threadpool(assistant.viewing_as.people, user)
    language, seen, problem, status = reader_language(request), None, "", 200
    try:
        if person not in people:
            raise NotFound("there is no such account")
        seen = await assistant.viewing_as.look(user, person, question)
    except NotFound:
        problem, status = account_texts(language)["view_as.nobody"], 404
    except InvalidQuestion as error:
        limit = assistant.settings.retrieval.max_question_chars
        problem, status = error_text(error, language, limit=limit), error.http_status
    return await _page(request, assistant, user, person, question, seen=seen, problem=problem, status=status)


async def _page(
    request: Request,
    assistant: AssistantDep,
    user: UserDep,
    person: str = "",
    question: str = "",
    *,
    seen: ViewAs | None = None,
    problem: str = "",
    status: int = 200,
) -> HTMLResponse:
    language = reader_language(request)
    html = render(
        "admin_view_as.html",
        language=language,
        t={**texts(language), **review_texts(language), **account_texts(language)},
        links=links_of(user.roles),
        here=_HERE,
        people=await run_in_threadpool(assistant.viewing_as.people, user),
        person=person,
        question=question,
        seen=seen,
        problem=problem,
        place=lambda passage: place_text(passage, language),
        short=lambda text: text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…",
    )
    return HTMLResponse(html, status, headers=_PRIVATE)
