"""What stays of an answer when its asker loses the right to what it was made from: history, export, search, reviews."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from assistant.assistant import Assistant
from assistant.verification.canaries import Canary
from assistant.verification.people import Kind
from assistant.verification.probes import Asker
from assistant.verification.report import Report

_EXPORTS = ("md", "json", "docx")
LOST = "lost the class"


@dataclass(frozen=True)
class Talk:
    """A conversation whose one answer was made from a canary, and its message."""

    canary: Canary
    conversation: str
    message: str


async def talk_and_lose(assistant: Assistant, movers: Sequence[Asker], report: Report) -> list[Talk]:
    """Each mover may read one class, asks for its canary, reads its history, loses the class, and reads it again."""
    talks = []
    for mover in movers:
        (canary,) = mover.canaries
        async with mover.client() as client:
            talk = await _talk(client, mover, canary, report)
            if talk is None:
                continue
            talks.append(talk)
            await _read(client, mover.kind, talk, report)
            assert mover.person.principal is not None
            name = mover.person.principal.name
            assistant.users.revoke(name, roles=[], departments=[canary.access_class.department])
            assistant.users.grant(name, roles=[], departments=[], level=1)
            await _read(client, Kind(LOST), talk, report)
    return talks


async def others(client: httpx.AsyncClient, kind: Kind, talks: Sequence[Talk], report: Report) -> None:
    """A conversation is nobody else's, whatever he may read and whatever his roles are."""
    for talk in talks:
        one = f"/api/conversations/{talk.conversation}"
        for path, address in (
            ("GET /api/conversations/{id} of another", one),
            ("GET /api/conversations/{id}/export of another", f"{one}/export"),
            ("GET /api/feedback/{id} of another", f"/api/feedback/{talk.message}"),
        ):
            answer = await client.get(address)
            report.status(path, kind, answer.status_code, {404} if kind.is_signed_in else {401, 303})
            shown = answer.text
            report.note(path, kind, talk.canary, seen=talk.canary.is_in(shown), may_see=False, must_see=False)


async def _talk(client: httpx.AsyncClient, mover: Asker, canary: Canary, report: Report) -> Talk | None:
    path = "POST /api/ask in a conversation"
    answer = await client.post("/api/ask", json={"question": canary.key, "conversation": "new"})
    report.status(path, mover.kind, answer.status_code, {200})
    report.judge(path, mover.kind, [canary], answer.text)
    recorded = _event(answer.text, "recorded")
    if not recorded:
        return None
    given = {"message": recorded["message"], "rating": -1, "reason": "", "comment": "access-verify"}
    rated = await client.post("/api/feedback", json=given)
    report.status("POST /api/feedback", mover.kind, rated.status_code, {200})
    return Talk(canary, recorded["conversation"], recorded["message"])


async def _read(client: httpx.AsyncClient, kind: Kind, talk: Talk, report: Report) -> None:
    one = f"/api/conversations/{talk.conversation}"
    answer = await client.get(one)
    report.judge("GET /api/conversations/{id}", kind, [talk.canary], answer.text)
    for name in _EXPORTS:
        answer = await client.get(f"{one}/export", params={"format": name})
        text = _unzipped(answer.content) if name == "docx" else answer.text
        report.judge(f"GET /api/conversations/{{id}}/export?format={name}", kind, [talk.canary], text)
    answer = await client.get("/api/conversations", params={"search": talk.canary.marks[0]})
    found = f"{talk.conversation in answer.text} {answer.text}".replace("True", talk.canary.marks[0])
    report.judge("GET /api/conversations?search=", kind, [talk.canary], found)


def _unzipped(content: bytes) -> str:
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return ""
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        return " ".join(parts.read(name).decode("utf-8", "replace") for name in parts.namelist())


def _event(stream: str, name: str) -> dict[str, Any]:
    """The data of the first event of that name; empty without one."""
    for block in stream.split("\n\n"):
        lines = block.split("\n")
        if lines[0] == f"event: {name}":
            found: dict[str, Any] = json.loads(lines[1].removeprefix("data: "))
            return found
    return {}
