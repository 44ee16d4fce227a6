"""What /v1 gives, for the generated OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from assistant.web.conversation_models import NoticeOut

_TEXT = "Установите клиент и войдите под корпоративной учётной записью [1]."
_CITED = {
    "start_index": 62,
    "end_index": 65,
    "title": "Инструкция по VPN",
    "url": "http://127.0.0.1:8000/documents/0f3a9c1d2e4b5a697887?chunk=0f3a9c1d2e4b5a697887-3-1#found",
}
_CHOICE: dict[str, Any] = {
    "index": 0,
    "message": {
        "role": "assistant",
        "content": _TEXT,
        "refusal": None,
        "annotations": [{"type": "url_citation", "url_citation": _CITED}],
    },
    "logprobs": None,
    "finish_reason": "stop",
}
COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-3f1c9a7b2d4e5f60718293a4",
    "object": "chat.completion",
    "created": 1772442900,
    "model": "assistant",
    "choices": [_CHOICE],
    "usage": {"prompt_tokens": 812, "completion_tokens": 21, "total_tokens": 833},
    "assistant": {"model": "qwen2.5:7b", "grounded": True, "notices": []},
}
MODEL: dict[str, Any] = {
    "id": "assistant",
    "object": "model",
    "created": 0,
    "owned_by": "company",
    "description": "answers with [n]",
}
REQUEST: dict[str, Any] = {
    "model": "assistant",
    "messages": [{"role": "user", "content": "Как настроить VPN?"}],
    "stream": False,
}
STREAM = (
    'data: {"id": "chatcmpl-3f1c", "object": "chat.completion.chunk", "created": 1772442900, "model": "assistant", '
    '"choices": [{"index": 0, "delta": {"content": "Установите"}, "logprobs": null, "finish_reason": null}]}\n\n'
    "data: [DONE]\n\n"
)


class UrlCitation(BaseModel):
    start_index: int = Field(description="Where its marker begins in the text …")
    end_index: int = Field(description="… and where it has ended: `content[start_index:end_index]` is `[1]`.")
    title: str
    url: str


class Annotation(BaseModel):
    type: Literal["url_citation"]
    url_citation: UrlCitation


class AnswerMessage(BaseModel):
    role: Literal["assistant"]
    content: str
    refusal: None
    annotations: list[Annotation]


class Choice(BaseModel):
    index: int
    message: AnswerMessage
    logprobs: None
    finish_reason: Literal["stop", "length"] = Field(description="`length` for every answer that is not whole.")


class UsageOut(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class More(BaseModel):
    model: str = Field(description="The language model that answered.")
    grounded: bool
    notices: list[NoticeOut]


class Completion(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [COMPLETION]})

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: UsageOut
    assistant: More


class ModelOut(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [MODEL]})

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    description: str


class ModelsOut(BaseModel):
    object: Literal["list"]
    data: list[ModelOut]


class ErrorDetail(BaseModel):
    message: str
    type: str
    param: None
    code: str


class ErrorOut(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "message": "there is no model 'gpt-4o': there are assistant and assistant-with-sources",
                        "type": "invalid_request_error",
                        "param": None,
                        "code": "NotFound",
                    }
                }
            ]
        }
    )

    error: ErrorDetail
