"""Every path to a document's content, asked as one person: the service, MCP, and all of HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from assistant.access.principal import ALL_DEPARTMENTS
from assistant.assistant import Assistant
from assistant.verification.canaries import Canary
from assistant.verification.people import Kind, Person
from assistant.verification.report import Report

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

METHODS = ("bm25", "vector", "hybrid", "reranked")
_MANY = 24  # canaries in one question
_PAGE, _REVIEW_PAGE = 1000, 20
_REFUSED = {401, 403, 404}
_COOKIE = "assistant_session"


@dataclass
class Asker:
    """One person at every door."""

    assistant: Assistant
    app: ASGIApp
    person: Person
    canaries: Sequence[Canary]
    report: Report

    @property
    def kind(self) -> Kind:
        return self.person.kind

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """HTTP without a network, with the person's session."""
        secure = self.assistant.settings.server.secure_cookies
        base = "https://verify.local" if secure else "http://verify.local"
        name = f"__Host-{_COOKIE}" if secure else _COOKIE
        cookies = {name: self.person.session} if self.person.session else {}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        headers = {"Sec-Fetch-Site": "same-origin", "Origin": base}
        async with httpx.AsyncClient(
            transport=transport, base_url=base, cookies=cookies, headers=headers, timeout=120
        ) as client:
            yield client

    async def all(self) -> None:
        """Every path once."""
        await self._service()
        await self._mcp()
        async with self.client() as client:
            await self._search(client)
            await self._answers(client)
            await self._view_as(client)
            await self._documents(client)
            await self._lists(client)

    # --- the service and MCP

    async def _service(self) -> None:
        if self.person.principal is None:
            return
        for method in METHODS:
            for group in self._groups(1 if method == "vector" else _MANY):
                found = await self.assistant.search(_question(group), self.person.principal, k=100, method=method)
                shown = " ".join(f"{one.passage.text} {one.passage.title} {one.passage.path}" for one in found.sources)
                self.report.judge(f"service: {method}", self.kind, group, shown)
                self._judge_others(f"service: {method}", group, shown)

    async def _mcp(self) -> None:
        from assistant.mcp_server import make_server

        principal = self.person.principal
        if principal is None:
            return
        server = make_server(self.assistant, lambda: principal)
        for group in self._groups(_MANY):
            found = await server.call_tool("search", {"query": _question(group), "k": 50})
            self.report.judge("mcp: search", self.kind, group, str(found))
            self._judge_others("mcp: search", group, str(found))
        for group in self._groups(1):
            found = await server.call_tool("ask", {"question": _question(group)})
            self.report.judge("mcp: ask", self.kind, group, str(found))
            self._judge_others("mcp: ask", group, str(found))

    # --- HTTP

    async def _search(self, client: httpx.AsyncClient) -> None:
        for group in self._groups(_MANY):
            answer = await client.post("/api/search", json={"query": _question(group), "k": 200})
            self._judged("POST /api/search", answer, group)

    async def _answers(self, client: httpx.AsyncClient) -> None:
        for group in self._groups(1):
            answer = await client.post("/api/ask", json={"question": _question(group)})
            self._judged("POST /api/ask", answer, group)
            body = {"model": "assistant-with-sources", "messages": [{"role": "user", "content": _question(group)}]}
            answer = await client.post("/v1/chat/completions", json=body)
            self._judged("POST /v1/chat/completions", answer, group)

    async def _view_as(self, client: httpx.AsyncClient) -> None:
        """An administrator looks for somebody who reads all: he sees what he may read himself."""
        person = max(self.assistant.users.list(), key=lambda who: (ALL_DEPARTMENTS in who.departments, who.level))
        for group in self._groups(1):
            answer = await client.post("/admin/view-as", data={"person": person.name, "question": _question(group)})
            self.report.status(
                "POST /admin/view-as", self.kind, answer.status_code, _allowed("admin" in self.kind.roles)
            )
            self.report.judge("POST /admin/view-as", self.kind, self.canaries, _all_of(answer), must_find=False)

    async def _documents(self, client: httpx.AsyncClient) -> None:
        for canary in self.canaries:
            page = f"/documents/{canary.document}"
            may_read = self._may_read(canary)
            for path, address in (
                ("GET /documents/{id}", page),
                ("GET /documents/{id}?chunk=", f"{page}?chunk={canary.chunk}"),
                ("GET /documents/{id}?view=text", f"{page}?view=text"),
                ("GET /documents/{id}/original", f"{page}/original"),
            ):
                answer = await client.get(address)
                self.report.status(path, self.kind, answer.status_code, {200} if may_read else {*_REFUSED, 303})
                self.report.judge(path, self.kind, [canary], _all_of(answer))
            answer = await client.get(f"{page}/pages/1")
            self.report.status("GET /documents/{id}/pages/{n}", self.kind, answer.status_code, {*_REFUSED, 409})

    async def _lists(self, client: httpx.AsyncClient) -> None:
        """What shows many documents at once; counts are no content, and only administrators see them."""
        is_admin, reviews = "admin" in self.kind.roles, bool({"admin", "engineer"}.intersection(self.kind.roles))
        shown, offset, total = "", 0, 1
        while offset < total:
            answer = await client.get("/api/admin/documents", params={"limit": _PAGE, "offset": offset})
            self.report.status("GET /api/admin/documents", self.kind, answer.status_code, _allowed(is_admin))
            total = answer.json()["total"] if answer.status_code == 200 else 0
            shown, offset = shown + _all_of(answer), offset + _PAGE
        self.report.judge("GET /api/admin/documents", self.kind, self.canaries, shown, must_find=is_admin)
        await self._reviewed(client, reviews)
        for address, allowed in (
            ("/admin/documents", is_admin),
            ("/admin/unanswered", reviews),
            ("/admin/statistics", reviews),
            ("/api/admin/statistics", reviews),
            ("/api/conversations", self.kind.is_signed_in),
            ("/health", True),
            ("/", self.kind.is_signed_in),
        ):
            answer = await client.get(address)
            self._shows_nothing(f"GET {address}", answer, allowed)

    async def _reviewed(self, client: httpx.AsyncClient, reviews: bool) -> None:
        """Everybody's answers with 👎: a reviewer reads those that he may read himself."""
        shown = ""
        for page in range(1, len(self.canaries) // _REVIEW_PAGE + 2):
            answer = await client.get("/admin/answers", params={"page": page})
            self.report.status("GET /admin/answers", self.kind, answer.status_code, _allowed(reviews))
            shown += _all_of(answer)
        self.report.judge("GET /admin/answers", self.kind, self.canaries, shown, must_find=reviews)

    def _shows_nothing(self, path: str, answer: httpx.Response, allowed: bool) -> None:
        usual = {200, 503} if allowed else {*_REFUSED, 303}
        self.report.status(path, self.kind, answer.status_code, usual)
        self.report.judge(path, self.kind, self.canaries, _all_of(answer), must_find=False)

    # --- helpers

    def _judged(self, path: str, answer: httpx.Response, group: Sequence[Canary]) -> None:
        self.report.status(path, self.kind, answer.status_code, _allowed(self.kind.is_signed_in))
        self.report.judge(path, self.kind, group, _all_of(answer))
        self._judge_others(path, group, _all_of(answer))

    def _judge_others(self, path: str, group: Sequence[Canary], shown: str) -> None:
        """Those that were not asked for may come along, but not to who may not read them."""
        rest = [one for one in self.canaries if one not in group]
        self.report.judge(path, self.kind, rest, shown, must_find=False)

    def _may_read(self, canary: Canary) -> bool:
        return self.kind.may_read(canary.access_class, self.report.everyone, self.report.everyone_level)

    def _groups(self, size: int) -> Iterator[Sequence[Canary]]:
        """So many of those that may be read, as an answer has room for; of the others, which it must not show, many."""
        for part, at_once in ((True, size), (False, _MANY)):
            wanted = [canary for canary in self.canaries if self._may_read(canary) is part]
            yield from (wanted[start : start + at_once] for start in range(0, len(wanted), at_once))


def _allowed(is_allowed: bool) -> set[int]:
    return {200} if is_allowed else {*_REFUSED, 303}


def _question(group: Sequence[Canary]) -> str:
    return " ".join(canary.key for canary in group)


def _all_of(answer: httpx.Response) -> str:
    """Headers too: a file's name is in one."""
    return f"{answer.text} {dict(answer.headers)}"
