"""Every route of the application and of what is mounted in it, read from the application itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount


def routes(found: Iterable[Any], below: str = "") -> Iterator[str]:
    """`METHOD /path` of every route, also of what is mounted."""
    for route in iter_route_contexts(list(found)):
        original = getattr(route, "original_route", route)
        if isinstance(original, Mount):
            yield from routes(original.routes, below + original.path)
        else:
            yield from (f"{method} {below}{route.path}" for method in sorted(route.methods or {"ANY"}))


def without_nonce(text: str) -> str:
    """A page or a policy as it would be a second time."""
    return re.sub(r"""(nonce[-=]["']?)[\w-]+""", r"\1…", text)


def steady_headers(answer: httpx.Response) -> dict[str, str]:
    """Without what is another each time."""
    return {name: without_nonce(value) for name, value in answer.headers.items() if name != "date"}
