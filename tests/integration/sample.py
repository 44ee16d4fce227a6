"""The sample company of `data/docs`, loaded once; questions about it, and one assistant after another over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assistant.access.principal import LOCAL_OPERATOR, Principal
from assistant.ask.events import Event, Finished, Notice, Queued, Source, Sources, Step, Token
from assistant.assistant import Assistant
from assistant.settings import Answer, Llm, Retrieval
from assistant.wiring import build
from tests.integration import company
from tests.servers.ollama import Script, ScriptedOllama

MODEL = "qwen2.5:7b"
FAST = Script(first_token_seconds=0.0, tokens_per_second=0.0)
LEAVE, LEAVE_EN = "Сколько дней длится ежегодный отпуск?", "How long is annual leave?"
NOTHING = "Explain quantum chromodynamics renormalization"
DISCOUNT = "Who approves a discount above the limit?"
EVERYONE = Principal("1", "Everyone")


def model(server: ScriptedOllama | str, **options: Any) -> Llm:
    """The scripted server as an entry of `llms`, with short patience."""
    url = server if isinstance(server, str) else server.url
    values = {"model": MODEL, "context_window": 8192, "first_token_seconds": 5.0, "token_seconds": 5.0} | options
    return Llm(provider="ollama", url=url, **values)


@contextmanager
def answering(
    storage: Path, *llms: Llm, quotes: bool = True, retry_seconds: float = 15.0, **retrieval: Any
) -> Iterator[Assistant]:
    """An assistant over the loaded storage whose chain is `llms` and, if wanted, quoting."""
    chain = [*llms, Llm(provider="extractive")] if quotes else list(llms)
    found = company.settings(
        storage, llms=chain, answer=Answer(retry_seconds=retry_seconds), retrieval=Retrieval(**retrieval)
    )
    with build(found) as assistant:
        yield assistant


async def ask(assistant: Assistant, question: str, principal: Principal = LOCAL_OPERATOR) -> list[Event]:
    """All events; fails when their order is not (Queued), Step, (Notice), Sources, Token …, Finished."""
    events = [event async for event in assistant.ask(question, principal)]
    kinds = [type(event) for event in events if not isinstance(event, Notice)]
    kinds = kinds[kinds.index(Step) if set(kinds[: kinds.index(Step)]) == {Queued} else 0 :]
    tokens = kinds.count(Token)
    assert kinds == [Step, Sources, *([Token] * tokens), Finished]
    finished = ending(events)
    assert finished.answer == "".join(event.text for event in events if isinstance(event, Token)).strip()
    assert finished.notices == tuple(event for event in events if isinstance(event, Notice))
    return events


def ending(events: list[Event]) -> Finished:
    last = events[-1]
    assert isinstance(last, Finished)
    return last


def sources(events: list[Event]) -> tuple[Source, ...]:
    return next(event.sources for event in events if isinstance(event, Sources))


def notices(finished: Finished) -> dict[str, str]:
    return {notice.kind: notice.detail for notice in finished.notices}
