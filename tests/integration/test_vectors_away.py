"""Vectors that can't be asked for: a server that hangs, or another embedding model. Words answer, and it is said."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest
from sqlalchemy import text

from assistant.assistant import Assistant
from assistant.errors import ChromaUnavailable, OtherModel
from assistant.evaluation.asking import _refuse_partial
from assistant.index import search
from assistant.operations.health import examine
from assistant.settings import Embedding
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import HR, STAFF, Site

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform == "win32", reason="managed Chroma needs Linux or macOS"),
]
QUESTION = "перенос отпуска"


@contextmanager
def frozen(assistant: Assistant) -> Iterator[None]:
    running = assistant.chroma._running
    assert running
    os.kill(running.pid, signal.SIGSTOP)
    try:
        while psutil.Process(running.pid).status() != psutil.STATUS_STOPPED:  # a busy machine takes its time
            time.sleep(0.01)
        yield
    finally:
        os.kill(running.pid, signal.SIGCONT)


async def ask(assistant: Assistant) -> list[str]:
    found = await assistant.search(QUESTION, HR)
    assert found.sources[0].passage.path == "hr/leave.md"
    return [notice.kind for notice in found.notices]


def test_a_frozen_server_holds_one_question_for_seconds_and_the_others_not_at_all(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant = site.assistant
    monkeypatch.setattr(search, "_REST_SECONDS", 1.0)
    assert asyncio.run(ask(assistant)) == []
    with frozen(assistant):
        begun = time.monotonic()
        assert asyncio.run(ask(assistant)) == ["keyword_only"]
        assert time.monotonic() - begun < 8

        async def many() -> list[list[str]]:
            return await asyncio.gather(*(ask(assistant) for _ in range(40)))

        begun = time.monotonic()
        assert asyncio.run(many()) == [["keyword_only"]] * 40
        assert time.monotonic() - begun < 3
        begun = time.monotonic()
        health = {part.name: part for part in asyncio.run(examine(assistant)).parts}
        assert (health["chroma"].state, health["database"].state, health["bm25"].state) == ("down", "ok", "ok")
        assert time.monotonic() - begun < 8
    deadline = time.monotonic() + 20
    while (notices := asyncio.run(ask(assistant))) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert notices == [], "it answers again, and nobody noticed"


def test_a_question_has_less_patience_than_an_ingest(site: Site) -> None:
    asyncio.run(ask(site.assistant))
    site.assistant.chroma.client()  # as the writer asks for one
    limits = {
        patience: client._server._session.timeout  # type: ignore[attr-defined]  # private, and it is what counts
        for patience, client in site.assistant.chroma._clients.items()
    }
    assert limits[3.0] == httpx.Timeout(3.0)
    assert limits[300.0] == httpx.Timeout(300.0, connect=5.0)


def test_a_store_from_before_generations_whose_model_nobody_has_any_more(site: Site) -> None:
    """Only the names of its collections tell the model. Words answer, nothing is mixed, and the right settings heal it."""
    forget = "UPDATE generations SET identity = '', embedding = '{}'"
    with site.assistant.users._database.transaction() as session:
        session.execute(text(forget))
    storage = site.assistant.settings.storage.path
    other = company.settings(storage, embedding=Embedding(provider="hash", text_instruction="passage: "))
    with build(other) as assistant:
        found = company.search(assistant, QUESTION, HR)
        assert [notice.kind for notice in found.notices] == ["keyword_only"]
        assert found.sources[0].passage.path == "hr/leave.md"
        with pytest.raises(ChromaUnavailable, match="is not on this machine"):
            _refuse_partial(found.notices)  # an evaluation would take words alone for the configured search
        with pytest.raises(OtherModel, match=r"[0-9a-f]{10} \(its name was not kept\)"):
            assistant.ingest(site.pipeline)
    with build(site.assistant.settings) as assistant:
        assert not company.search(assistant, QUESTION, HR).notices
        assert assistant.ingest(site.pipeline).unchanged == 9
        assert assistant.serving.generations.serving().embedding.identity == assistant.model_identity


def test_a_class_without_documents_is_not_missed(site: Site) -> None:
    catalog = site.assistant.catalog
    for view in site.assistant.documents():
        if view.row.path.startswith("hr/managers"):
            site.assistant.ingest_service.remove([view.row.id])
    assert catalog.class_id(company.AccessClass("company", 1))
    catalog.class_id(company.AccessClass("company", 2))  # and one that never had any
    for person in (HR, STAFF, company.HR_HEAD):
        assert not company.search(site.assistant, QUESTION, person).notices
