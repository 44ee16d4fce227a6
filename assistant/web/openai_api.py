"""/v1/chat/completions and /v1/models, as OpenAI's clients speak them: the company's documents for any chat program."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from assistant.ask.events import Event, Finished, Notice, Queued, Token
from assistant.assistant import Assistant
from assistant.contracts import notice_json
from assistant.errors import AssistantError, NotFound
from assistant.ui.texts import reader_language
from assistant.web.api import UNBUFFERED, log_notice, sayer
from assistant.web.chat_messages import ChatMessage, UnsupportedRequest, below_the_answer, citations_of, question_of
from assistant.web.openai_models import REQUEST, STREAM, Completion, ModelOut, ModelsOut
from assistant.web.problems import openai_error, problem, unexpected_problem
from assistant.web.session import AssistantDep, UserDep
from assistant.web.streams import begun, unless_left

router = APIRouter(prefix="/v1", tags=["openai"])

PLAIN, WITH_SOURCES = "assistant", "assistant-with-sources"
_MODELS = {PLAIN: "answers with [n]", WITH_SOURCES: "the same, and the list of the sources below the answer"}

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such model."}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Completion,
        "description": "The answer; with `stream` server-sent events, each a `chat.completion.chunk`, and `[DONE]`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": STREAM}},
    },
    400: {"description": "What is asked for is not done here: more than one answer, tools, pictures."},
    **_UNKNOWN,
}


class StreamOptions(BaseModel):
    include_usage: bool = Field(False, description="A last piece that has `usage`, and no choices.")


class ChatRequest(BaseModel):
    """What is not named here is taken and changes nothing: the models and their settings are the company's."""

    model_config = ConfigDict(json_schema_extra={"examples": [REQUEST]})

    model: str = Field(PLAIN, examples=[PLAIN, WITH_SOURCES])
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = Field(1, description="Only 1: there is one answer to a question.")
    tools: list[Any] | None = Field(None, description="None: the assistant searches by itself.")
    functions: list[Any] | None = Field(None, description="None, as with tools.")

    def check(self) -> None:
        """Raises `UnsupportedRequest`, and `NotFound` for a model that is none."""
        if self.model not in _MODELS:
            raise NotFound(f"there is no model '{self.model}': there are {' and '.join(_MODELS)}")
        if (self.n or 1) != 1:
            raise UnsupportedRequest("n can only be 1: there is one answer to a question")
        if self.tools or self.functions:
            raise UnsupportedRequest("no tools can be given: the assistant searches the documents by itself")


@router.get("/models", summary="The models to choose from", response_model=ModelsOut)
async def list_models(user: UserDep) -> dict[str, Any]:
    """`assistant` marks its sources in the text; `assistant-with-sources` lists them below the answer as well."""
    return {"object": "list", "data": [_model(name) for name in _MODELS]}


@router.get("/models/{model}", summary="One model", response_model=ModelOut, responses=_UNKNOWN)
async def show_model(model: str, user: UserDep) -> dict[str, Any]:
    """As it is in the list."""
    if model not in _MODELS:
        raise NotFound(f"there is no model '{model}': there are {' and '.join(_MODELS)}")
    return _model(model)


@router.post("/chat/completions", summary="Ask, in OpenAI's format", responses=_ANSWERS)
async def complete(request: Request, body: ChatRequest, assistant: AssistantDep, user: UserDep) -> Response:
    """The last message of the user is the question, those before it are the conversation. The answer has its [n] in the
    text, and each of them as an annotation (`url_citation`); streamed, the annotations come with the last piece.
    """
    body.check()
    question, history = question_of(body.messages)
    reply = _Reply(body, question, _base(request, assistant))
    language = reader_language(request)
    events = assistant.ask(question, user, history=history)
    if body.stream:
        frames = _frames(reply, await begun(events), language)
        return StreamingResponse(frames, media_type="text/event-stream", headers=UNBUFFERED)
    finished = await unless_left(request, _finished(reply, events))
    return JSONResponse(reply.whole(finished)) if finished else Response(status_code=400)


class _Reply:
    """One answer in OpenAI's format, whole or in pieces."""

    def __init__(self, body: ChatRequest, question: str, base: str) -> None:
        self._body, self._question, self._base = body, question, base
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self._text = ""

    def take(self, event: Event) -> str:
        """What the text grows by."""
        piece = event.text if isinstance(event, Token) else ""
        if isinstance(event, Notice):
            log_notice(event)
        if isinstance(event, Finished) and self._body.model == WITH_SOURCES:
            piece = below_the_answer(event, self._question, self._base)
        piece = piece if self._text else piece.lstrip()
        self._text += piece
        return piece

    def whole(self, finished: Finished) -> dict[str, Any]:
        content = self._text.rstrip()
        message = {
            "role": "assistant",
            "content": content,
            "refusal": None,
            "annotations": citations_of(finished.answer, finished.cited, self._base),
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(finished)}
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": _usage(finished),
            "assistant": self._more(finished),
        }

    def piece(self, delta: dict[str, Any], reason: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _data({**self._head("chat.completion.chunk"), "choices": [choice], **more})

    def last(self, finished: Finished) -> str:
        delta = {"annotations": citations_of(finished.answer, finished.cited, self._base)}
        end = self.piece(delta, _reason(finished), assistant=self._more(finished))
        options = self._body.stream_options
        if options and options.include_usage:
            end += _data({**self._head("chat.completion.chunk"), "choices": [], "usage": _usage(finished)})
        return end + "data: [DONE]\n\n"

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._body.model}

    def _more(self, finished: Finished) -> dict[str, Any]:
        """What OpenAI's format has no place for."""
        say = sayer(self._question)
        return {
            "model": finished.model,
            "grounded": finished.grounded,
            "notices": [notice_json(notice, say) for notice in finished.notices],
        }


async def _finished(reply: _Reply, events: AsyncGenerator[Event, None]) -> Finished:
    async with aclosing(events):
        async for event in events:
            reply.take(event)
            if isinstance(event, Finished):
                return event
    raise AssertionError("an answer ends with Finished")


async def _frames(reply: _Reply, events: AsyncGenerator[Event, None], language: str) -> AsyncIterator[str]:
    """A place in the line is a comment, which programs pass over: the connection is not silent meanwhile."""
    yield reply.piece({"role": "assistant", "content": ""})
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Queued):
                    yield f": place {event.place} in the queue\n\n"
                if piece := reply.take(event):
                    yield reply.piece({"content": piece})
                if isinstance(event, Finished):
                    yield reply.last(event)
    except AssistantError as error:
        yield _data(openai_error(problem(error, language)))
    except Exception as error:  # noqa: BLE001 - the status is sent already: the stream itself must say that it failed
        yield _data(openai_error(unexpected_problem(error, "/v1/chat/completions", language)))


def _reason(finished: Finished) -> str:
    """`length` for every answer that is not whole: clients know no other word for it."""
    is_cut = any(notice.kind in ("answer_cut", "broken_off") for notice in finished.notices)
    return "length" if is_cut else "stop"


def _usage(finished: Finished) -> dict[str, int]:
    """What the model's server counted; 0 where no model was asked, or it does not say."""
    asked, said = finished.prompt_tokens or 0, finished.answer_tokens or 0
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "company", "description": _MODELS[name]}


def _base(request: Request, assistant: Assistant) -> str:
    """Where the documents are for whoever asked: its own name for us; behind TLS the proxy's scheme."""
    scheme = "https" if assistant.settings.server.secure_cookies else request.url.scheme
    return f"{scheme}://{request.url.netloc}"


def _data(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
