"""Events on their way out of the house."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from fastapi import Request

from assistant.ask.events import Event

Made = TypeVar("Made")


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


async def unless_left(request: Request, work: Coroutine[Any, Any, Made]) -> Made | None:
    """What the work makes. When the client leaves before that, the work is stopped, and the model with it: None."""
    making = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({making, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return await making if making.done() else None
    finally:
        for task in (making, leaving):
            task.cancel()
        await asyncio.wait({making, leaving})


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
