"""The command line as a program sees it: JSON contracts, exit codes, one line for every mistake."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.server

ROOT = Path(__file__).resolve().parents[2]


class Commands:
    """Runs `assistant …` as a process of its own, in a working directory and a storage of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "ASSISTANT_STORAGE__PATH": str(folder / "storage"),
            "ASSISTANT_CHROMA__PORT": "0",
            "ASSISTANT_EMBEDDING__PROVIDER": "hash",
            "ASSISTANT_LLMS": '[{"provider": "extractive"}]',
            **environment,
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "assistant", *arguments]
        options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 120, "cwd": self.folder}
        return subprocess.run(command, env=self.environment, check=False, **options)

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *arguments: str, code: int) -> str:
        """The one line on stderr."""
        done = self.run(*arguments)
        assert done.returncode == code, done
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        assert "Traceback" not in done.stderr
        return lines[0]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """The sample company, loaded in an empty working directory: shipped files are found from anywhere."""
    commands = Commands(tmp_path_factory.mktemp("commands"))
    report = commands.json("ingest")
    keys = {"pipeline", "seen", "added", "updated", "deleted", "unchanged", "failed", "chunks_added", "chunks_deleted"}
    assert keys | {"seconds", "stages"} <= set(report)
    assert report["added"] == report["seen"] >= 20
    assert report["failed"] == []
    return commands


def test_second_ingest_does_nothing(loaded: Commands) -> None:
    report = loaded.json("ingest")
    assert report["unchanged"] == report["seen"]
    assert (report["added"], report["updated"], report["deleted"], report["chunks_added"]) == (0, 0, 0, 0)


def test_documents_list(loaded: Commands) -> None:
    documents = loaded.json("documents", "list")["documents"]
    keys = {"path", "title", "department", "level", "pages", "chunks", "status", "error", "indexed_at"}
    assert all(keys <= set(document) for document in documents)
    assert {(document["department"], document["level"]) for document in documents} == {
        (department, level) for department in ("company", "finance", "sales") for level in (1, 2)
    }


def test_search_and_ask(loaded: Commands) -> None:
    found = loaded.json("search", "Как настроить VPN?", "-k", "3")
    assert set(found) >= {"query", "principal", "results", "timings_ms"}
    assert len(found["results"]) == 3
    keys = {"rank", "score", "document", "source", "title", "page", "department", "level", "text", "scores"}
    assert keys <= set(found["results"][0])
    assert set(found["results"][0]["scores"]) == {"bm25", "vector", "rerank"}

    answer = loaded.json("ask", "Как настроить VPN?")
    assert set(answer) >= {"answer", "citations", "model", "grounded", "conversation", "timings_ms"}
    assert answer["grounded"] is True
    assert answer["model"] == "extractive"
    cited = answer["citations"][0]
    assert {"n", "document", "source", "page", "quote"} <= set(cited)
    assert f"[{cited['n']}]" in answer["answer"]


def test_a_person_sees_what_the_person_may(loaded: Commands) -> None:
    added = loaded.run("users", "add", "petrov", "--department", "sales", "--generate")
    assert "password (shown once):" in added.stdout
    found = loaded.json("search", "бюджет оклады скидки", "-k", "50", "--as", "petrov")
    assert found["results"]
    assert {(row["department"], row["level"]) for row in found["results"]} <= {("company", 1), ("sales", 1)}
    assert "sha" not in added.stdout
    assert [user["name"] for user in loaded.json("users", "list")["users"]] == ["petrov"]


def test_tokens_are_made_listed_and_revoked(loaded: Commands) -> None:
    loaded.run("users", "add", "robot", "--generate")
    made = loaded.run("tokens", "create", "robot", "--name", "ci", "--days", "3")
    secret = made.stdout.strip()
    assert secret.startswith("lca_"), "alone on stdout, for a script"
    assert "shown this once" in made.stderr
    (token,) = loaded.json("tokens", "list", "robot")["tokens"]
    assert (token["name"], token["scopes"], token["used_at"]) == ("ci", ["ask"], None)
    listed = loaded.run("tokens", "list", "robot").stdout
    assert "ci (ask): until" in listed
    assert secret not in listed
    assert f"revoked {token['id']}" in loaded.run("tokens", "revoke", "robot", "ci").stdout
    assert loaded.json("tokens", "list", "robot")["tokens"] == []
    assert "has no token 'ci'" in loaded.refused("tokens", "revoke", "robot", "ci", code=1)
    assert "assistant users list" in loaded.refused("tokens", "create", "nobody", "--name", "x", code=1)
    loaded.run("users", "remove", "robot")


def test_mistakes_are_one_line(loaded: Commands, tmp_path: Path) -> None:
    assert "20000 characters" in loaded.refused("ask", "я" * 20_000, code=2)
    assert "assistant users list" in loaded.refused("search", "x", "--as", "nobody", code=1)
    assert "did you mean gpu?" in loaded.refused("--profile", "gup", "config", "show", code=2)
    assert "mount or make it" in loaded.refused("ingest", "--source", str(tmp_path / "gone"), code=2)
    assert "there is no document 'x'" in loaded.refused("documents", "show", "x", code=1)


def test_a_folder_is_somebodys(loaded: Commands, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("# Записка\n\nТекст записки.", "utf-8")
    assert "--department NAME" in loaded.refused("ingest", "--source", str(tmp_path), code=2)
    assert "--level needs --department" in loaded.refused("ingest", "--source", str(tmp_path), "--level", "2", code=2)
    legal = ("ingest", "--source", str(tmp_path), "--department", "legal", "--level", "2")
    first, again = loaded.run(*legal), loaded.run(*legal)
    assert (first.returncode, again.returncode) == (0, 0)
    assert "department 'legal' is new: no document and no account has it; known: company, finance" in first.stderr
    assert "is new" not in again.stderr
    typed = loaded.json("ingest", "--source", str(tmp_path), "--department", "salse", "--dry-run")
    assert "department 'salse' is new: no document and no account has it: did you mean sales?" in typed["notes"][0]
    assert "Nothing was changed" in loaded.refused("ingest", "--source", str(tmp_path), code=2)
    documents = loaded.json("documents", "list")["documents"]
    assert [(d["department"], d["level"]) for d in documents if d["path"] == "note.md"] == [("legal", 2)]


def test_nothing_loaded_yet(tmp_path: Path) -> None:
    assert "run `assistant ingest`" in Commands(tmp_path).refused("ask", "отпуск?", code=1)


def test_wrong_pipeline_names_the_line(tmp_path: Path) -> None:
    recipe = (ROOT / "pipelines" / "default.yaml").read_text("utf-8").replace("SentenceSplitter", "SentenceSpliter")
    (tmp_path / "wrong.yaml").write_text(recipe, "utf-8")
    line = Commands(tmp_path).refused("ingest", "wrong.yaml", code=2)
    number = next(n for n, text in enumerate(recipe.splitlines(), 1) if "SentenceSpliter" in text)
    assert f"line {number}" in line
    assert "did you mean SentenceSplitter?" in line


def test_failed_files_are_listed_and_the_rest_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "good.md").write_text("# Обеды\n\nСтоловая работает с 12 до 15 часов.", "utf-8")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 not really")
    commands = Commands(tmp_path)
    done = commands.run("ingest", "--source", str(folder), "--department", "company", "--json")
    assert done.returncode == 3
    report = json.loads(done.stdout)
    assert report["added"] == 1
    assert {failure["path"] for failure in report["failed"]} == {"empty.txt", "broken.pdf"}
    assert commands.run("ask", "Когда работает столовая?").returncode == 0


def test_storage_that_cannot_be_written(tmp_path: Path) -> None:
    """A file stands where the folder should be: also root, who may write everywhere, can't use it."""
    (tmp_path / "storage").write_text("")
    line = Commands(tmp_path).refused("ingest", code=1)
    assert "storage" in line
    assert "ASSISTANT_STORAGE__PATH" in line


def test_taken_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = Commands(tmp_path).refused("serve", "--port", str(port), code=2)
    assert f"127.0.0.1:{port} is taken by another program" in line


def test_doctor_names_every_part(loaded: Commands) -> None:
    report = loaded.json("doctor")
    assert set(report["checks"]) == {
        "storage",
        "database",
        "chroma",
        "access",
        "limits",
        "access_verified",
        "bm25",
        "embedding",
        "reranker",
        "ocr",
    }
    assert report["status"] == "healthy"
    with_model = Commands(
        loaded.folder,
        ASSISTANT_LLMS='[{"provider":"ollama","model":"m","url":"http://127.0.0.1:9"},{"provider":"extractive"}]',
    )
    report = with_model.json("doctor")
    assert report["status"] == "degraded"
    assert report["checks"]["llm m"]["state"] == "degraded"


def test_config_show_masks_secrets(tmp_path: Path) -> None:
    secret = "postgresql+psycopg://assistant:swordfish@127.0.0.1/assistant"
    done = Commands(tmp_path, ASSISTANT_DATABASE__URL=secret).run("config", "show")
    assert done.returncode == 0
    assert "swordfish" not in done.stdout + done.stderr
