"""/api/search and /api/ask for programs, under the same sign-in and access as the page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from assistant.access.principal import Principal
from assistant.ask.events import Event, Finished, Notice, Sources, Step, Token
from assistant.assistant import Assistant
from assistant.contracts import ask_json, notice_json, search_json, source_json, step_json
from assistant.errors import AssistantError
from assistant.web.problems import problem
from assistant.web.session import AssistantDep, UserDep

router = APIRouter(prefix="/api", tags=["ask"])


class SearchRequest(BaseModel):
    query: str = Field(examples=["Как настроить VPN?"])
    k: int | None = Field(None, ge=1, le=200)


class AskRequest(BaseModel):
    question: str = Field(examples=["Сколько дней отпуска?"])


@router.post("/search")
async def search(body: SearchRequest, assistant: AssistantDep, user: UserDep) -> dict[str, Any]:
    """The best passages that the caller may read."""
    return search_json(body.query, user, await assistant.search(body.query, user, k=body.k))


@router.post("/ask", response_class=StreamingResponse)
async def ask(body: AskRequest, assistant: AssistantDep, user: UserDep) -> StreamingResponse:
    """Server-sent events: step, notice, sources, token …, finished; or error."""
    assistant.retriever.checked(body.question)
    return StreamingResponse(_events(assistant, body.question, user), media_type="text/event-stream")


async def _events(assistant: Assistant, question: str, user: Principal) -> AsyncIterator[str]:
    try:
        async with aclosing(assistant.ask(question, user)) as events:
            async for event in events:
                yield _sse(event)
    except AssistantError as error:
        yield f"event: error\ndata: {json.dumps(problem(error), ensure_ascii=False)}\n\n"


def _sse(event: Event) -> str:
    match event:
        case Step():
            name, data = "step", step_json(event)
        case Notice():
            name, data = "notice", dict(notice_json(event))
        case Sources():
            name, data = "sources", {"sources": [source_json(source) for source in event.sources]}
        case Token():
            name, data = "token", {"text": event.text}
        case Finished():
            name, data = "finished", ask_json(event)
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
