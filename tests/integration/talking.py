"""Conversations for the tests: people with accounts, a question asked to its end, and what is kept of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assistant.access.principal import Principal
from assistant.ask.events import Event, Finished, Recorded
from assistant.assistant import Assistant
from assistant.conversations.views import MessageView
from assistant.web.app import create_app
from assistant.wiring import build
from tests.integration.sample import FAST
from tests.integration.web_site import PASSWORD, PEOPLE, Web, served, settings
from tests.servers.ollama import Script, ScriptedOllama

PRICES, PASS = "Какая скидка без согласования?", "Кто выдаёт пропуск на проходной?"


@contextmanager
def quick_site(place: Path, script: Script = FAST, **blocks: Any) -> Iterator[Web]:
    """A copy of the loaded company, served, with the accounts of `web_site` and an engineer who reads everything."""
    with ScriptedOllama(script) as ollama, build(settings(place, ollama, **blocks)) as assistant:
        for name, (roles, departments, level) in PEOPLE.items():
            assistant.users.add(name, PASSWORD, roles=roles, departments=departments, level=level)
        assistant.users.add("engineer", PASSWORD, roles=["engineer", "admin"], departments=["*"], level=9)
        app = create_app(assistant, ready=threading.Event())
        with served(app) as url:
            yield Web(url, app, assistant, ollama, place / "docs")


def person(
    assistant: Assistant, name: str, *departments: str, roles: tuple[str, ...] = (), level: int = 1
) -> Principal:
    return assistant.users.add(name, PASSWORD, roles=list(roles), departments=list(departments), level=level)


async def talk(
    assistant: Assistant, question: str, who: Principal, conversation: str = "new", key: str | None = None
) -> tuple[str, str, list[Event]]:
    """Conversation, message and all events."""
    events = [event async for event in assistant.ask(question, who, conversation, key)]
    first, last = events[0], events[-1]
    assert isinstance(first, Recorded)
    assert isinstance(last, Finished)
    assert (last.conversation, last.message) == (first.conversation, first.message)
    return first.conversation, first.message, events


def only(assistant: Assistant, who: Principal, conversation: str) -> MessageView:
    (message,) = assistant.conversations.open(who, conversation).messages
    return message
