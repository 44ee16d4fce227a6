"""/api/search and /api/ask for programs, under the same sign-in and access as the page."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from assistant.ask.events import Event, Finished, Notice, Queued, Recorded, Sources, Step, Token
from assistant.ask.language import language_of
from assistant.contracts import Say, ask_json, notice_json, queued_json, search_json, source_json, step_json
from assistant.errors import AssistantError
from assistant.ui.texts import notice_text, reader_language
from assistant.web.api_models import ANSWER, RESULT, SearchOut
from assistant.web.problems import problem, unexpected_problem
from assistant.web.session import AssistantDep, UserDep
from assistant.web.streams import begun

router = APIRouter(prefix="/api", tags=["ask"])
log = structlog.get_logger("assistant.web")
UNBUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # a proxy must pass each event on at once


def _frame(name: str, data: Mapping[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


_EXAMPLE = "".join(
    _frame(name, data)
    for name, data in (
        ("queued", {"place": 2, "seconds": 9}),
        ("step", {"question": "Как настроить VPN?", "documents": 1, "seconds": 0.02, "results": [RESULT]}),
        ("sources", {"sources": [RESULT]}),
        ("token", {"text": "Установите клиент"}),
        ("finished", ANSWER),
    )
)
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events; the data of `finished` is an AnswerOut, that of `error` a ProblemOut.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


class SearchRequest(BaseModel):
    query: str = Field(examples=["Как настроить VPN?"])
    k: int | None = Field(None, ge=1, le=200)


class AskRequest(BaseModel):
    question: str = Field(examples=["Сколько дней отпуска?"])
    conversation: str | None = Field(
        None, description="Keep it there, and go on from what was said in it: an id, or `new`.", examples=["new"]
    )
    key: str | None = Field(
        None,
        min_length=1,
        max_length=80,
        description="Made by the client: the same key again in a conversation is refused with 409.",
        examples=["4f0c2f6e-8a51-4b8e-9f0a-0d3f4c1b7a55"],
    )


@router.post("/search", summary="Find passages", responses={200: {"model": SearchOut}})
async def search(body: SearchRequest, assistant: AssistantDep, user: UserDep) -> dict[str, Any]:
    """The best passages that the caller may read."""
    found = await assistant.search(body.query, user, k=body.k)
    for notice in found.notices:
        log_notice(notice)
    return search_json(body.query, user, found, say=sayer(body.query))


@router.post(
    "/ask", summary="Ask, and get the answer as it is made", response_class=StreamingResponse, responses=_STREAM
)
async def ask(request: Request, body: AskRequest, assistant: AssistantDep, user: UserDep) -> StreamingResponse:
    """Server-sent events: (recorded), (queued), step, (notice), sources, token …, finished; or error among them."""
    events = await begun(assistant.ask(body.question, user, body.conversation, body.key))
    frames = _frames(events, body.question, reader_language(request))
    return StreamingResponse(frames, media_type="text/event-stream", headers=UNBUFFERED)


async def _frames(events: AsyncGenerator[Event, None], question: str, language: str) -> AsyncIterator[str]:
    say = sayer(question)
    try:
        async with aclosing(events):
            async for event in events:
                yield _sse(event, say)
    except AssistantError as error:
        yield _frame("error", problem(error, language))
    except Exception as error:  # noqa: BLE001 - the status is sent already: the stream itself must say that it failed
        yield _frame("error", unexpected_problem(error, "/api/ask", language))


def _sse(event: Event, say: Say) -> str:
    name: str
    data: dict[str, Any]
    match event:
        case Recorded():
            name, data = "recorded", {"conversation": event.conversation, "message": event.message}
        case Queued():
            name, data = "queued", queued_json(event)
        case Step():
            name, data = "step", step_json(event)
        case Notice():
            log_notice(event)
            name, data = "notice", dict(notice_json(event, say))
        case Sources():
            name, data = "sources", {"sources": [source_json(source) for source in event.sources]}
        case Token():
            name, data = "token", {"text": event.text}
        case Finished():
            name, data = "finished", ask_json(event, say=say)
    return _frame(name, data)


def sayer(question: str) -> Say:
    """Sentences in the language of the question."""
    language = language_of(question)
    return lambda notice: notice_text(notice, language)


def log_notice(notice: Notice) -> None:
    """The reason is the operator's: callers get a sentence. How a word was read is nobody's business but the asker's."""
    if notice.kind == "read_as":
        return
    log.warning("answer with a notice", kind=notice.kind, reason=notice.detail)
