"""`assistant models` as a person and a program see it: what is here, what to do, one line for trouble."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_command_line import Commands
from tests.integration.tiny_models import NAME, WEIGHTS
from tests.servers.hub import hub
from tests.servers.ollama import ScriptedOllama

LLM = "qwen2.5:7b"


@pytest.fixture
def ollama() -> Iterator[ScriptedOllama]:
    with ScriptedOllama() as server:
        yield server


def commands(folder: Path, **environment: str) -> Commands:
    made = Commands(folder, ASSISTANT_EMBEDDING__PROVIDER="huggingface", **environment)
    for name in ("HF_HOME", "HF_HUB_CACHE", "LLAMA_INDEX_CACHE_DIR", "XDG_CACHE_HOME"):
        made.environment[name] = str(folder / "no-cache")
    return made


def served(url: str, model: str = LLM) -> str:
    return json.dumps([{"provider": "ollama", "model": model, "url": url}])


def by_name(found: dict[str, list[dict[str, object]]]) -> dict[tuple[object, object], dict[str, object]]:
    return {(model["kind"], model["name"]): model for model in reversed(found["models"])}  # those in force are first


def test_list_names_what_is_here_and_what_to_do(tmp_path: Path, ollama: ScriptedOllama, encoder: Path) -> None:
    found = by_name(commands(tmp_path, ASSISTANT_LLMS=served(ollama.url)).json("models", "list"))
    bundled = found["embedding", "data/models/static-bilingual"]
    assert (bundled["state"], bundled["place"], bundled["detail"]) == ("complete", "bundled", "")
    assert bundled["used_by"] == ["in force", "default", "server"]
    assert int(str(bundled["size"])) > 10_000_000
    llm = found["llm", LLM]
    assert (llm["state"], llm["place"], llm["path"]) == ("complete", "ollama", ollama.url)
    assert int(str(llm["size"])) > 4_000_000_000
    absent = found["reranker", "BAAI/bge-reranker-v2-m3"]
    assert (absent["state"], absent["advice"]) == ("absent", "assistant models pull BAAI/bge-reranker-v2-m3")
    assert absent["used_by"] == ["gpu", "vllm"]

    cut = shutil.copytree(encoder, tmp_path / "storage/models/BAAI/bge-m3")
    (cut / WEIGHTS).write_bytes((encoder / WEIGHTS).read_bytes()[:1000])
    lacking = shutil.copytree(encoder, tmp_path / "own")
    (lacking / WEIGHTS).unlink()
    run = commands(tmp_path, ASSISTANT_LLMS=served(ollama.url, "other"), ASSISTANT_EMBEDDING__MODEL=str(lacking))
    found = by_name(run.json("models", "list"))
    pulled = found["embedding", "BAAI/bge-m3"]
    assert (pulled["state"], pulled["place"], pulled["detail"]) == (
        "incomplete",
        "pulled",
        f"{WEIGHTS} is cut off or no safetensors file",
    )
    own = found["embedding", str(lacking)]
    assert (own["state"], own["place"], own["detail"]) == (
        "incomplete",
        "folder",
        "the weights (*.safetensors) are missing",
    )
    assert (found["llm", "other"]["state"], found["llm", "other"]["advice"]) == (
        "absent",
        "assistant models pull other",
    )
    shown = run.run("models", "list")
    assert shown.returncode == 0
    assert "in force" in shown.stdout.splitlines()[0]
    assert "→ assistant models pull BAAI/bge-m3" in shown.stdout


def test_pull_by_the_environments_mirror_then_search_without_it(tmp_path: Path, encoder: Path) -> None:
    run = commands(tmp_path, ASSISTANT_EMBEDDING__MODEL=NAME, HF_HUB_OFFLINE="1")
    assert f"run `assistant models pull {NAME}`" in run.refused("ingest", code=2)
    with hub({NAME: encoder}) as server:
        run.environment["HF_ENDPOINT"] = server.url
        done = run.run("models", "pull", NAME)
        assert done.returncode == 0, done.stderr
        assert str(tmp_path / "storage/models" / NAME) in done.stdout
        assert f"{WEIGHTS}: 100 %" in done.stderr
        assert "→ run `assistant reindex` if documents are loaded, else `assistant ingest`" in done.stderr
        server.requests.clear()
        found = by_name(run.json("models", "list"))["embedding", NAME]
        assert (found["state"], found["place"]) == ("complete", "pulled")
        checks = json.loads(run.run("doctor", "--json").stdout)["checks"]
        assert (checks["embedding"]["state"], checks["embedding"]["detail"]) == ("ok", f"{NAME}, 32 dimensions")
        assert server.requests == []


def test_trouble_is_one_line(tmp_path: Path, encoder: Path) -> None:
    run = commands(tmp_path)
    assert "is no model's name" in run.refused("models", "pull", "../x", code=2)
    assert "is no folder" in run.refused("models", "pull", NAME, "--from", "/no/such/folder", code=2)
    assert "unknown protocol 'gopher'" in run.refused("models", "pull", NAME, "--from", "gopher://x/y", code=2)
    assert "can't be reached" in run.refused("models", "pull", NAME, "--from", "http://127.0.0.1:9", code=1)
    with hub({NAME: encoder}) as server:
        assert "has no model" in run.refused("models", "pull", "acme/none", "--from", server.url, code=1)


def test_a_language_model_is_pulled_by_its_server(tmp_path: Path, ollama: ScriptedOllama) -> None:
    run = commands(tmp_path, ASSISTANT_LLMS=served(ollama.url, "gemma3:4b"))
    done = run.run("models", "pull", "gemma3:4b")
    assert (done.returncode, done.stdout) == (0, "gemma3:4b is at its server\n"), done.stderr
    assert "50 % of 4.7 GB" in done.stderr
    assert by_name(run.json("models", "list"))["llm", "gemma3:4b"]["state"] == "complete"
    (asked,) = [record for record in ollama.requests if record.path == "/api/pull"]
    assert asked.body["model"] == "gemma3:4b"

    ollama.change(pull_error="pull model manifest: file does not exist")
    line = run.refused("models", "pull", "no-such:1b", code=1)
    assert "can't pull 'no-such:1b': pull model manifest: file does not exist" in line
    ollama.change(pull_error="", pull_ends_after=0)
    assert "broke off" in run.refused("models", "pull", "llama3:8b", "--from", ollama.url, code=1)
    ollama.stop()
    assert "does not answer" in run.refused("models", "pull", "llama3:8b", code=1)
