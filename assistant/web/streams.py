"""Events on their way out of the house."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from assistant.ask.events import Event


async def begun(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The same events, of which the first has come: what fails before it can still be answered with its own status."""
    try:
        first = await anext(events)
    except BaseException:
        await events.aclose()
        raise
    return _whole(first, events)


async def _whole(first: Event, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    async with aclosing(events):
        yield first
        async for event in events:
            yield event
