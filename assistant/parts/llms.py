"""Language models: LlamaIndex `LLM`s behind one streaming call, with their servers' errors put into sentences."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import weakref
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from assistant.errors import ModelUnavailable
from assistant.registry import Registry
from assistant.settings import Llm

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.core.llms import LLM

EXTRACTIVE = "extractive"
# As many as there are answers: httpx allows 100. Few are kept, for each new request looks at every one that is idle.
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=4)
_USERINFO = re.compile(r"(?<=://)[^/\s'\"<>]*@")


@dataclass(frozen=True)
class Usage:
    """What the server counted, after the last piece; None where it does not say."""

    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    length_limit: bool = False


@dataclass(frozen=True)
class ModelStatus:
    """Whether a model could answer now, for health and doctor."""

    ok: bool
    detail: str
    version: str = ""
    size: int = 0  # bytes of the weights, where the server says


class ChatModel(Protocol):
    """One entry of `llms`."""

    settings: Llm

    @property
    def name(self) -> str: ...

    def stream(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[str | Usage, None]:
        """Pieces of the answer, then one `Usage`. Raises `ModelUnavailable`, also when it breaks off in the middle."""
        ...

    async def status(self) -> ModelStatus: ...

    def warm_up(self) -> None:
        """Import what the first answer would otherwise wait for; the server is not asked."""
        ...


LLMS: Registry[ChatModel] = Registry("language model")


@LLMS.register("ollama")
def ollama(*, settings: Llm) -> ChatModel:
    return ServedModel(settings, _make_ollama, _ollama_usage, _ollama_status, "http://127.0.0.1:11434")


@LLMS.register("openai_like")
def openai_like(*, settings: Llm) -> ChatModel:
    return ServedModel(settings, _make_openai_like, _openai_usage, _openai_status, "http://127.0.0.1:8000/v1")


@LLMS.register("echo")
def echo(*, settings: Llm) -> ChatModel:
    return EchoModel(settings)


class ServedModel:
    """A model behind HTTP. One LlamaIndex object an event loop: its client can't be used from another one."""

    def __init__(
        self,
        settings: Llm,
        make: Callable[[Llm], LLM],
        usage: Callable[[Any], tuple[bool, Usage]],
        status: Callable[[Llm], Any],
        default_url: str,
    ) -> None:
        self.settings = settings if settings.url else settings.model_copy(update={"url": default_url})
        self._make = make
        self._usage = usage
        self._status = status
        self._by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LLM] = weakref.WeakKeyDictionary()

    @property
    def name(self) -> str:
        return self.settings.model

    async def stream(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[str | Usage, None]:
        done, usage = False, Usage()
        limit = self.settings.first_token_seconds
        try:
            # aclosing: a generator that is merely dropped leaves the server generating
            async with aclosing(await self._llm().astream_chat(list(messages))) as responses:
                while True:
                    try:
                        async with asyncio.timeout(limit):
                            response = await anext(responses)
                    except StopAsyncIteration:
                        break
                    finished, usage = self._usage(response.raw)
                    done = done or finished
                    if response.delta:
                        limit = self.settings.token_seconds
                        yield response.delta
        except (TimeoutError, httpx.TimeoutException) as error:
            raise ModelUnavailable(without_userinfo(_silence(self.settings, limit))) from error
        except _server_errors() as error:
            raise ModelUnavailable(without_userinfo(_reason(self.settings, error))) from error
        if not done:
            reason = f"{self.name} broke off: the connection to {self.settings.url} ended early"
            raise ModelUnavailable(without_userinfo(reason))
        yield usage

    async def status(self) -> ModelStatus:
        try:
            found: ModelStatus = await self._status(self.settings)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
            reason = f"no answer from {self.settings.url} ({str(error) or type(error).__name__})"
            return ModelStatus(False, without_userinfo(reason))
        return replace(found, detail=without_userinfo(found.detail))

    def warm_up(self) -> None:
        self._make(self.settings)

    def _llm(self) -> LLM:
        loop = asyncio.get_running_loop()
        if loop not in self._by_loop:
            self._by_loop[loop] = self._make(self.settings)
        return self._by_loop[loop]


class EchoModel:
    """A fake: answers with the beginning of the last message, word by word."""

    def __init__(self, settings: Llm) -> None:
        self.settings = settings

    @property
    def name(self) -> str:
        return "echo"

    async def stream(self, messages: Sequence[ChatMessage]) -> AsyncGenerator[str | Usage, None]:
        for word in str(messages[-1].content).split()[:40]:
            await asyncio.sleep(0)
            yield word + " "
        yield Usage()

    async def status(self) -> ModelStatus:
        return ModelStatus(True, "a fake for tests")

    def warm_up(self) -> None:
        return


def without_userinfo(text: str) -> str:
    """A text whose URLs name no user and no password: reasons are logged, printed and shown."""
    return _USERINFO.sub("", text)


def _server_errors() -> tuple[type[Exception], ...]:
    """Of the clients that were imported: an error, or a person who leaves, is no moment for an import of a second."""
    named = (("ollama", "ResponseError"), ("openai", "OpenAIError"))
    raised = [getattr(sys.modules[module], name) for module, name in named if module in sys.modules]
    return (*raised, httpx.TransportError, ConnectionError, json.JSONDecodeError)


def _reason(settings: Llm, error: Exception) -> str:
    """What happened and what to do, in one line."""
    if getattr(error, "status_code", None) == 404:
        pull = f"run `ollama pull {settings.model}` there" if settings.provider == "ollama" else "check llms.model"
        return f"the server at {settings.url} has no model '{settings.model}': {pull}"
    if isinstance(error, httpx.ConnectError | ConnectionError) or "Connection error" in str(error):
        return f"no language model server answers at {settings.url}: start it, or correct llms.url"
    said = getattr(error, "error", "") or str(error) or type(error).__name__  # Ollama's own sentence, without a status
    if "memory" in said.lower():
        advice = "free some there, or configure a smaller model or context_window"
        return f"{settings.model} at {settings.url} is short of memory ({said}): {advice}"
    if getattr(error, "status_code", None) in (429, 503):
        return f"{settings.model} at {settings.url} is busy ({said}): ask again in a minute"
    return f"{settings.model} at {settings.url} failed ({said}): see that server's log"


def _silence(settings: Llm, seconds: float) -> str:
    setting = "first_token_seconds" if seconds == settings.first_token_seconds else "token_seconds"
    advice = f"see what it is busy with, configure a smaller model, or raise llms.{setting}"
    return f"{settings.model} at {settings.url} sent nothing for {seconds:g} s: {advice}"


def _request_seconds(settings: Llm) -> float:
    """Behind our own limits, which have the better sentences."""
    return max(settings.first_token_seconds, settings.token_seconds) + 5


def _make_ollama(settings: Llm) -> LLM:
    from llama_index.llms.ollama import Ollama
    from ollama import AsyncClient

    seconds = _request_seconds(settings)
    return Ollama(
        model=settings.model,
        base_url=settings.url,
        context_window=settings.context_window,  # always sent as num_ctx: the server's own default is small
        request_timeout=seconds,
        # passages never go through a proxy that the environment names
        async_client=AsyncClient(settings.url, timeout=seconds, trust_env=False, limits=_LIMITS),
        temperature=settings.temperature,
        keep_alive=settings.keep_alive,
        additional_kwargs={"num_predict": settings.max_answer_tokens},
    )


def _ollama_usage(raw: Any) -> tuple[bool, Usage]:  # noqa: ANN401 - the server's JSON
    raw = raw or {}
    usage = Usage(raw.get("prompt_eval_count"), raw.get("eval_count"), raw.get("done_reason") == "length")
    return bool(raw.get("done")), usage


async def _ollama_status(settings: Llm) -> ModelStatus:
    async with httpx.AsyncClient(base_url=settings.url, timeout=3, trust_env=False) as client:
        version = (await client.get("/api/version")).raise_for_status().json()["version"]
        tags = (await client.get("/api/tags")).raise_for_status().json()["models"]
    sizes = {model["name"]: int(model.get("size") or 0) for model in tags}
    name = settings.model if settings.model in sizes else f"{settings.model}:latest"
    if name not in sizes:
        return ModelStatus(
            False, f"Ollama has no model '{settings.model}': run `ollama pull {settings.model}`", version
        )
    return ModelStatus(True, f"{settings.model} at {settings.url}", version, sizes[name])


def _make_openai_like(settings: Llm) -> LLM:
    from llama_index.llms.openai_like import OpenAILike

    seconds = _request_seconds(settings)
    return OpenAILike(
        model=settings.model,
        api_base=settings.url,
        api_key=settings.api_key.get_secret_value() if settings.api_key else "none",
        context_window=settings.context_window,
        max_tokens=settings.max_answer_tokens,
        temperature=settings.temperature,
        timeout=seconds,
        async_http_client=httpx.AsyncClient(timeout=seconds, trust_env=False, limits=_LIMITS),
        max_retries=0,
        is_chat_model=True,
        additional_kwargs={"stream_options": {"include_usage": True}},
    )


def _openai_usage(raw: Any) -> tuple[bool, Usage]:  # noqa: ANN401 - the server's JSON
    choices = getattr(raw, "choices", None) or []
    reason = choices[0].finish_reason if choices else None
    counted = getattr(raw, "usage", None)
    usage = Usage(
        getattr(counted, "prompt_tokens", None), getattr(counted, "completion_tokens", None), reason == "length"
    )
    return reason is not None or counted is not None, usage


async def _openai_status(settings: Llm) -> ModelStatus:
    key = settings.api_key.get_secret_value() if settings.api_key else "none"
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(timeout=3, trust_env=False, headers=headers) as client:
        found = (await client.get(f"{settings.url.rstrip('/')}/models")).raise_for_status().json()["data"]
    if settings.model not in {model["id"] for model in found}:
        return ModelStatus(False, f"the server at {settings.url} has no model '{settings.model}'")
    return ModelStatus(True, f"{settings.model} at {settings.url}")
