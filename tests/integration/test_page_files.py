"""The page's own door (`/gradio_api`): whatever a signed-in person sends, no file comes back, and nothing of another's."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.web_site import Web, site

pytestmark = pytest.mark.server
QUESTION = "Кто ведёт учёт канцелярии?"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with site(tmp_path_factory.mktemp("page")) as found:
        yield found


def sent(client: httpx.Client, handler: str, data: list[Any], event_data: Any = None) -> str:
    """All that comes back when a page runs that handler."""
    dependencies = client.get("/config").json()["dependencies"]
    wanted = next(d for d in dependencies if d["api_name"] == handler)
    session = secrets.token_hex(5)
    body = {"data": data, "fn_index": wanted["id"], "session_hash": session, "event_data": event_data}
    if not wanted["queue"]:
        answer = client.post("/gradio_api/run/predict", json=body)  # the door that the page uses
        assert answer.status_code != 404, "nothing was run"
        return answer.text
    joined = client.post("/gradio_api/queue/join", json=body)
    if joined.status_code != 200:
        return joined.text
    lines = []
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            lines.append(line)
            if "process_completed" in line or "close_stream" in line:
                break
    return "\n".join(lines).encode().decode("unicode_escape", "replace")


def test_values_that_name_a_file_open_none(web: Web) -> None:
    secret = web.docs / "hr" / "managers" / "grades.md"
    before = set(Path(tempfile.gettempdir(), "gradio").rglob("*"))
    with web.client("staff") as client:
        for target in (str(secret), "/etc/passwd"):
            file = {"path": target, "meta": {"_type": "gradio.FileData"}}
            for value in (file, [file], {"value": file}, {"__type__": "update", "value": file}):
                for data in ([value, "", "k1"], ["VPN?", value, "k2"], ["VPN?", "", value]):
                    back = sent(client, "ask", data)
                    assert "grade nine" not in back
                    assert "root:" not in back
            assert client.get(f"/gradio_api/file={target}").status_code == 404
    assert set(Path(tempfile.gettempdir(), "gradio").rglob("*")) == before
    copies = [file for file in (web.assistant.settings.storage.path / "cache").rglob("*") if file.is_file()]
    assert not any("grade nine" in file.read_text("utf-8", "replace") for file in copies)


def test_a_question_is_kept_and_its_answer_sent(web: Web) -> None:
    with web.client("staff") as client:
        back = sent(client, "ask", [QUESTION, "", "once"])
        (talk,) = client.get("/api/conversations").json()["conversations"]
        assert talk["title"] == QUESTION
        assert talk["id"] in back
        again = sent(client, "ask", [QUESTION, talk["id"], "once"])
        assert talk["id"] in again
        kept = client.get(f"/api/conversations/{talk['id']}").json()
        assert [one["question"] for one in kept["messages"]] == [QUESTION]


def test_what_is_anothers_is_not_there(web: Web) -> None:
    """Opened, asked in, renamed, deleted, restored, rated and stopped by who knows its id."""
    with web.client("hr") as owner:
        sent(owner, "ask", ["Что видит только владелец?", "", "mine"])
        (talk,) = owner.get("/api/conversations").json()["conversations"]
        (message,) = owner.get(f"/api/conversations/{talk['id']}").json()["messages"]
        with web.client("admin") as other:
            seen = [
                sent(other, "open", [talk["id"]]),
                sent(other, "ask", ["А ещё?", talk["id"], "other"]),
                sent(other, "stop", [talk["id"]]),
                *(
                    sent(other, name, [], {"talk": talk["id"], "title": "чужое", "search": "владелец", "shown": 9})
                    for name in ("list", "rename", "delete", "restore")
                ),
                sent(other, "rate", [], {"message": message["id"], "rating": 1}),
            ]
        for back in seen:
            assert "видит только" not in back
        (after,) = owner.get("/api/conversations").json()["conversations"]
        assert after["title"] == talk["title"]
        (kept,) = owner.get(f"/api/conversations/{talk['id']}").json()["messages"]
        assert kept["feedback"] is None


@pytest.mark.parametrize("odd", [None, 7, "x", [], {"talk": {}, "title": [], "rating": "1", "message": 5, "shown": -1}])
def test_odd_events_are_no_bug(web: Web, odd: Any) -> None:
    with web.client("sales") as client:
        for name in ("list", "rename", "delete", "restore", "rate"):
            body = json.loads(sent(client, name, [], odd))
            assert "data" in body, body
        assert client.get("/api/conversations").json()["conversations"] == []


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/upload", "/gradio_api/proxy=http://127.0.0.1/"])
def test_uploads_and_proxies_are_shut(web: Web, path: str) -> None:
    with web.client("admin") as client:
        assert client.get(path).status_code == 404
        assert client.post(path, files={"files": ("x.txt", b"x")}).status_code == 404
