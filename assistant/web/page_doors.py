"""Between our routes and Gradio's: of its doors those stay open that the page needs, each person's for that person only."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qs

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.errors import NotFound
from assistant.web.headers import chat_policy
from assistant.web.problems import respond
from assistant.web.session import principal_or_none

# Everything else of Gradio's is answered as if it were not there: files, uploads, proxies, deep links, single parts of the
# page, its own sign-in, monitoring, profiles, run history, "vibe" editing, its description of functions.
_OPEN = re.compile(
    r"/(?:|config|theme\.css|favicon\.ico|robots\.txt|manifest\.json|assets/.*|static/.*|svelte/.*"
    r"|gradio_api/(?:queue/(?:join|data)|run/predict|cancel|reset|heartbeat/[\w-]+|startup-events|theme\.css))/?"
)
_HEARTBEAT = re.compile(r"/gradio_api/heartbeat/([\w-]+)/?")
_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_KEPT = 200_000  # pages open at once; the one unused for longest is forgotten
_LONGEST = 64  # of a number: a browser makes 11 characters


class PageDoors:
    """A page's number (`session_hash`) is made by the browser: it belongs to the person who came with it first. Nobody else
    gets that person's answers with it, or puts anything into that page.
    """

    def __init__(self, app: ASGIApp, *, script: str) -> None:
        self._app = app
        self._script = script.encode()  # our own, which Gradio writes into the page in the browser
        self._owners: OrderedDict[str, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        is_open = _OPEN.fullmatch(scope["path"]) is not None
        if is_open and scope["path"].startswith("/gradio_api/"):
            body, receive = await _read(request)
            is_open = await self._is_own(request, body)
        if not is_open:
            answer = await respond(request, NotFound("there is nothing here"))
            await answer(scope, receive, send)
        elif scope["path"] == "/" and scope["method"] == "GET":
            await self._app(scope, receive, _with_policy(send, self._script))
        else:
            await self._app(scope, receive, send)

    async def _is_own(self, request: Request, body: bytes) -> bool:
        numbers = _numbers(request, body)
        if numbers is None or any(len(number) > _LONGEST for number in numbers):
            return False
        if not numbers:
            return True  # Gradio refuses it, or gives it a number that nobody knows
        who = await principal_or_none(request)
        if who is None:
            return False
        for number in numbers:
            if self._owners.setdefault(number, who.id) != who.id:
                return False
            self._owners.move_to_end(number)
        while len(self._owners) > _KEPT:
            self._owners.popitem(last=False)
        return True


def _numbers(request: Request, body: bytes) -> set[str] | None:
    """All that a request may name a page by; None for a body whose names can't be seen."""
    query = parse_qs(request.scope["query_string"].decode("latin-1"))
    found: set[Any] = set(query.get("session_hash", []))
    if beat := _HEARTBEAT.fullmatch(request.scope["path"]):
        found.add(beat[1])
    try:
        told = json.loads(body) if body else {}
    except ValueError:
        told = {}
    except RecursionError:  # nested so deep
        return None
    if isinstance(told, dict):
        found.add(told.get("session_hash"))
    return {number for number in found if isinstance(number, str) and number}


async def _read(request: Request) -> tuple[bytes, Receive]:
    """The body, and how Gradio reads it again; a client that leaves is noticed as before."""
    if request.method in ("GET", "HEAD"):
        return b"", request.receive
    try:
        body = await request.body()
    except ClientDisconnect:  # Gradio hears it again
        return b"", request.receive
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await request.receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return body, again


def _with_policy(send: Send, script: bytes) -> Send:
    """The page is held until its scripts are known."""
    start: Message | None = None
    body = b""

    async def held(message: Message) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start":
            start = message
            return
        body += message.get("body", b"")
        if message.get("more_body") or start is None:
            return
        MutableHeaders(scope=start)["Content-Security-Policy"] = chat_policy([*_SCRIPT.findall(body), script])
        await send(start)
        await send({**message, "body": body})

    return held
