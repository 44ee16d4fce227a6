"""A server that loads documents because the page asked for it stops as quickly as any other, and leaves nothing running."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.integration import company
from tests.servers.assistant_process import AssistantProcess

pytestmark = pytest.mark.server


def test_stopping_does_not_wait_for_the_loading(tmp_path: Path) -> None:
    docs = company.write_documents(tmp_path / "docs")
    recipe = company.recipe(tmp_path / "company.yaml", docs)
    settings = {
        "ASSISTANT_EMBEDDING__PROVIDER": "hash",
        "ASSISTANT_LLMS": '[{"provider": "extractive"}]',
        "ASSISTANT_INGEST__PIPELINES": f'["{recipe}"]',
        "ASSISTANT_INGEST__WORKERS": "1",
    }
    with AssistantProcess(tmp_path / "storage", **settings) as server:
        company.write(docs, {f"many/{number}.md": f"# {number}\n\nПункт {number}." for number in range(5000)})
        with httpx.Client(
            base_url=server.url, follow_redirects=True, headers={"accept-language": "en", "origin": server.url}
        ) as client:
            client.post("/login", data={"name": "admin", "password": server.password})
            page = client.post("/admin/documents/load").text
            deadline = time.monotonic() + 60
            while "Files: " not in page:
                assert time.monotonic() < deadline, page
                time.sleep(0.2)
                page = client.get("/admin/documents").text
            assert "of 5000" in page
            assert 'http-equiv="refresh"' in page
        children = psutil.Process(server.process.pid).children(recursive=True)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        assert not any("Traceback" in line for line in server.output), "".join(server.output)
    assert psutil.wait_procs(children, timeout=5)[1] == []
