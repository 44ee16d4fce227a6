"""Conversations for the tests: people with accounts, a question asked to its end, and what is kept of it."""

from __future__ import annotations

from assistant.access.principal import Principal
from assistant.ask.events import Event, Finished, Recorded
from assistant.assistant import Assistant
from assistant.conversations.views import MessageView

PRICES, PASS = "Какая скидка без согласования?", "Кто выдаёт пропуск на проходной?"
PASSWORD = "correct horse battery"


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
