"""The page's own door (`/gradio_api`): whatever a signed-in person sends as chat, no file of the machine comes back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.web_site import Web, site

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with site(tmp_path_factory.mktemp("page")) as found:
        yield found


def messages(path: str) -> list[list[dict[str, Any]]]:
    """Chat contents that name a file, in all the ways that Gradio knows."""
    data = {"path": path, "meta": {"_type": "gradio.FileData"}}
    return [
        [{"type": "file", "file": {"path": path}}],
        [{"type": "file", "file": data}],
        [{"type": "component", "component": "file", "value": data, "constructor_args": {}, "props": {}}],
        [{"type": "component", "component": "image", "value": None, "constructor_args": {"value": path}, "props": {}}],
    ]


def asked(client: httpx.Client, content: Any, session: str) -> tuple[bool, str]:
    """Ask with that content as the chat so far: whether it was answered, and all that came back."""
    config = client.get("/config").json()
    ask = next(d for d in config["dependencies"] if len(d["inputs"]) == 2)
    shown = [{"role": "user", "content": content, "metadata": None, "options": None}]
    body = {"data": ["VPN?", shown], "fn_index": ask["id"], "session_hash": session}
    joined = client.post("/gradio_api/queue/join", json=body)
    if joined.status_code != 200:
        return False, joined.text
    lines = []
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            lines.append(line)
            if "process_completed" in line or "close_stream" in line:
                break
    return '"success": true' in lines[-1].replace('"success":true', '"success": true'), "\n".join(lines)


def test_chat_messages_open_no_file(web: Web) -> None:
    secret = web.docs / "hr" / "managers" / "grades.md"
    before = set(Path(tempfile.gettempdir(), "gradio").rglob("*"))
    with web.client("staff") as client:
        for target in (str(secret), "/etc/passwd"):
            for number, content in enumerate(messages(target)):
                answered, back = asked(client, content, f"s{number}{len(target)}")
                assert not answered, back
                assert "grade nine" not in back
                assert client.get(f"/gradio_api/file={target}").status_code == 404
    assert set(Path(tempfile.gettempdir(), "gradio").rglob("*")) == before
    copies = [file for file in (web.assistant.settings.storage.path / "cache").rglob("*") if file.is_file()]
    assert not any("grade nine" in file.read_text("utf-8", "replace") for file in copies)


def test_plain_text_is_answered(web: Web) -> None:
    with web.client("staff") as client:
        answered, back = asked(client, [{"type": "text", "text": "раньше"}], "plain")
        assert answered, back
        assert "раньше" in back or "\\u0440" in back


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/upload", "/gradio_api/proxy=http://127.0.0.1/"])
def test_uploads_and_proxies_are_shut(web: Web, path: str) -> None:
    with web.client("admin") as client:
        assert client.get(path).status_code == 404
        assert client.post(path, files={"files": ("x.txt", b"x")}).status_code == 404
