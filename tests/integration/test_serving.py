"""`assistant serve` as a process: it starts whatever the documents' folder does, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import httpx
import psutil
import pytest

from assistant.operations.health import examine
from assistant.wiring import build
from tests.integration import company
from tests.servers.assistant_process import AssistantProcess

pytestmark = pytest.mark.server
FAST = {"ASSISTANT_EMBEDDING__PROVIDER": "hash", "ASSISTANT_LLMS": '[{"provider": "extractive"}]'}


def pipelines(recipe: Path) -> dict[str, str]:
    return {**FAST, "ASSISTANT_INGEST__PIPELINES": f'["{recipe}"]'}


def test_start_stop_and_start_again(tmp_path: Path) -> None:
    recipe = company.recipe(tmp_path / "company.yaml", company.write_documents(tmp_path / "docs"))
    with AssistantProcess(tmp_path / "storage", **pipelines(recipe)) as server:
        assert server.password
        assert httpx.get(f"{server.url}/health/ready").json() == {"status": "ready"}
        children = psutil.Process(server.process.pid).children(recursive=True)
        chroma = [
            p
            for p in psutil.process_iter(["cmdline"])
            if str(tmp_path / "storage" / "chroma") in (p.info["cmdline"] or [])
        ]
        assert len(chroma) == 1
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
    assert psutil.wait_procs([*children, *chroma], timeout=5)[1] == []
    with AssistantProcess(tmp_path / "storage", **pipelines(recipe)) as again:
        assert again.password == ""
        assert "Password" not in "".join(again.output)


def test_a_word_index_of_an_older_version_is_made_anew(place: Path) -> None:
    """Also where nothing may be ingested: the settings name another embedding model than the store was made with."""
    folder = place / "storage" / "bm25"
    sizes = folder / (folder / "CURRENT").read_text() / "sizes.json"
    sizes.write_text(json.dumps({**json.loads(sizes.read_text()), "rules": "of an older version"}))
    with build(company.settings(place / "storage")) as assistant:
        (bm25,) = [part for part in asyncio.run(examine(assistant)).parts if part.name == "bm25"]
        assert (bm25.state, bm25.advice) == ("degraded", "start the server again, or run `assistant ingest`")
        assert "by another version of the assistant" in bm25.detail
    other_model = {**pipelines(place / "company.yaml"), "ASSISTANT_EMBEDDING__MODEL": "64"}
    with AssistantProcess(place / "storage", **other_model) as server:
        server.wait_for("The word index was made anew")
        server.wait_for("Documents were not loaded: the store was made with the embedding model")
    with build(company.settings(place / "storage")) as assistant:
        assert assistant.keyword.problem() == ""
        company.snapshot(assistant)


def test_a_lost_folder_does_not_take_the_page_away(tmp_path: Path) -> None:
    docs = company.write_documents(tmp_path / "docs")
    recipe = company.recipe(tmp_path / "company.yaml", docs)
    with AssistantProcess(tmp_path / "storage", **pipelines(recipe)) as server:
        password = server.password
    docs.rename(tmp_path / "elsewhere")
    with (
        AssistantProcess(tmp_path / "storage", **pipelines(recipe)) as server,
        httpx.Client(base_url=server.url, headers={"origin": server.url}) as client,
    ):
        server.wait_for("Documents were not loaded: the source folder")
        assert client.post("/login", data={"name": "admin", "password": password}).status_code == 303
        found = client.post("/api/search", json={"query": "отпуск перенос"}).json()
        assert found["results"]
