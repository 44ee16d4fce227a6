"""`assistant serve` as a process: it starts whatever the documents' folder does, and leaves nothing behind."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import psutil
import pytest

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


def test_a_lost_folder_does_not_take_the_page_away(tmp_path: Path) -> None:
    docs = company.write_documents(tmp_path / "docs")
    recipe = company.recipe(tmp_path / "company.yaml", docs)
    with AssistantProcess(tmp_path / "storage", **pipelines(recipe)) as server:
        password = server.password
    docs.rename(tmp_path / "elsewhere")
    with (
        AssistantProcess(tmp_path / "storage", **pipelines(recipe)) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        server.wait_for("Documents were not loaded: the source folder")
        assert client.post("/login", data={"name": "admin", "password": password}).status_code == 303
        found = client.post("/api/search", json={"query": "отпуск перенос"}).json()
        assert found["results"]
