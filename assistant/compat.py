"""The three functions of the project's first sketch, over today's services; for notebooks and small scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from assistant.access.principal import LOCAL_OPERATOR, Principal
from assistant.errors import ModelUnavailable

if TYPE_CHECKING:
    from assistant.assistant import Assistant

_Result = TypeVar("_Result")


@cache
def assistant() -> Assistant:
    """One service for the process, with the settings of the working directory."""
    from assistant.settings_loader import load_settings
    from assistant.wiring import build

    return build(load_settings())


def search_documents(query: str, k: int = 6, principal: Principal = LOCAL_OPERATOR) -> list[dict[str, Any]]:
    """Passages as `{"source", "page", "title", "content", "score"}`, best first."""
    found = _run(assistant().search(query, principal, k=k))
    return [
        {
            "source": source.passage.path,
            "page": source.passage.page,
            "title": source.passage.title,
            "content": source.passage.text,
            "score": source.score,
        }
        for source in found.sources
    ]


def _run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Its result, also where a loop runs already, as in a notebook: then in a thread with a loop of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def format_context(nodes: Sequence[dict[str, Any]]) -> str:
    """Passages as numbered blocks for a prompt."""
    blocks = []
    for number, node in enumerate(nodes, start=1):
        page = f", p. {node['page']}" if node.get("page") else ""
        blocks.append(f"[{number}] {node['title']} ({node['source']}{page})\n{node['content']}")
    return "\n\n".join(blocks)


async def chat_stream(question: str, context: str) -> AsyncIterator[str]:
    """Pieces of the first configured language model's answer. Raises `ModelUnavailable`."""
    from llama_index.core.base.llms.types import ChatMessage, MessageRole

    from assistant.ask.language import language_of
    from assistant.ask.prompt import Prompts

    models = assistant().chain.models
    if not models:
        raise ModelUnavailable("no language model is configured: see llms in the settings")
    system, text = Prompts().plain(question, context, language_of(question))
    messages = [ChatMessage(role=MessageRole.SYSTEM, content=system), ChatMessage(role=MessageRole.USER, content=text)]
    async with aclosing(models[0].stream(messages)) as pieces:
        async for piece in pieces:
            if isinstance(piece, str):
                yield piece
