"""Settings that name another embedding model than the store was made with: it answers with its own, and takes nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from assistant.errors import OtherModel
from assistant.operations.health import examine
from assistant.settings import Embedding, Ingest
from assistant.web.app import create_app
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import HR, Site, paths, search
from tests.integration.reindexing import LEAVE, QUESTION, SMALL, other, reindex
from tests.integration.web_site import Web, problem, served
from tests.integration.web_site import site as web_site

pytestmark = pytest.mark.server


def test_a_store_of_another_model_is_refused_and_answers(site: Site) -> None:
    before = company.snapshot(site.assistant)
    with build(other(site)) as assistant:
        for dry_run in (False, True):
            with pytest.raises(
                OtherModel, match=r"made with the embedding model hash data/.*: run `assistant reindex` to mo"
            ):
                assistant.ingest(site.pipeline, dry_run=dry_run)
        found = search(assistant, QUESTION, HR)
        assert (found.sources[0].passage.path, found.notices) == (LEAVE, ())
        assert found.sources[0].scores.vector is not None
        assert company.snapshot(assistant) == before
        health = {part.name: part for part in asyncio.run(examine(assistant)).parts}["embedding"]
        assert (health.state, "the settings name hash 64" in health.detail) == ("degraded", True)
        assistant.serving.generations.note_embedding(1, assistant.serving.configured)
    with build(other(site)) as assistant:
        assert assistant.serving().generation.embedding.name == "hash 64"


def test_an_empty_store_takes_the_model_of_its_first_ingest(tmp_path: Path) -> None:
    pipeline = company.recipe(tmp_path / "company.yaml", company.write_documents(tmp_path / "docs"))
    with (
        build(company.settings(tmp_path / "storage")) as first,
        build(company.settings(tmp_path / "storage", embedding=SMALL)) as second,
    ):
        assert first.serving().generation.number == second.serving().generation.number == 1
        assert second.ingest(pipeline).added == 9
        with pytest.raises(OtherModel, match="hash 64"):
            first.ingest(pipeline)
        assert paths(first, QUESTION)[0] == LEAVE


def test_without_its_model_words_alone_answer(site: Site, tmp_path: Path) -> None:
    """From the hash to the real bundled model, in a folder that goes away afterwards."""
    model = tmp_path / "model"
    model.mkdir()
    for file in (company.ROOT / "data" / "models" / "static-bilingual").rglob("*"):
        if file.is_file():
            target = model / file.relative_to(company.ROOT / "data" / "models" / "static-bilingual")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(file)
    assert reindex(site, embedding=Embedding(model=str(model))).documents == 9
    found = search(site.assistant, "сколько дней отдыхают", HR)
    assert found.notices == ()
    model.rename(tmp_path / "away")
    with build(other(site)) as assistant:
        found = search(assistant, QUESTION, HR)
        assert [notice.kind for notice in found.notices] == ["keyword_only"]
        assert "is not on this machine" in found.notices[0].detail
        assert found.sources[0].passage.path == LEAVE
        health = {part.name: part for part in asyncio.run(examine(assistant)).parts}["embedding"]
        assert (health.state, "words alone answer" in health.detail) == ("degraded", True)


def test_nothing_is_uploaded_to_it(tmp_path: Path) -> None:
    """A file that could not be loaded would lie there, and nobody would find it."""
    recipe, file = str(tmp_path / "company.yaml"), {"files": ("new.md", b"# New")}
    browser = {"accept": "text/html", "accept-language": "en"}
    with web_site(tmp_path, ingest=Ingest(workers=1, batch_chunks=20, pipelines=[recipe])) as web:
        settings = web.assistant.settings.model_copy(update={"embedding": SMALL})
        with build(settings) as assistant:
            app = create_app(assistant, ready=threading.Event())
            with served(app) as url, Web(url, app, assistant, web.ollama, web.docs).client("admin") as client:
                refused = problem(client.post("/api/admin/documents", data={"place": f"{recipe}|"}, files=file), 409)
                assert "run `assistant reindex` to move to hash 64" in refused["detail"]
                page = client.post("/admin/documents", data={"place": f"{recipe}|"}, files=file, headers=browser)
                assert (page.status_code, "Ask your administrator to run" in page.text) == (409, True)
        assert not (web.docs / "new.md").exists()


def run(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line with settings that name another model."""
    environment = {
        "ASSISTANT_STORAGE__PATH": str(site.assistant.settings.storage.path),
        "ASSISTANT_CHROMA__PORT": "0",
        "ASSISTANT_EMBEDDING__PROVIDER": "hash",
        "ASSISTANT_EMBEDDING__MODEL": "64",
        "ASSISTANT_INGEST__PIPELINES": json.dumps([str(site.pipeline)]),
    }
    command = [sys.executable, "-m", "assistant", *arguments]
    options = {"capture_output": True, "text": True, "check": False, "stdin": subprocess.DEVNULL, "cwd": company.ROOT}
    return subprocess.run(command, timeout=200, env=os.environ | environment, **options)


@pytest.mark.parametrize("command", ["ingest", "watch"])
def test_the_command_line_says_it_in_one_line(site: Site, command: str) -> None:
    done = run(site, command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("assistant: the store was made with the embedding model hash data/models/")
    assert done.stderr.count("\n") == 1


def test_the_command_line_moves_to_it_and_back(site: Site) -> None:
    refused = run(site, "reindex")
    assert (refused.returncode, refused.stderr) == (2, "assistant: nobody is there to be asked: run it with --yes\n")
    done = run(site, "reindex", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert "generation 2 by hash 64: about 9 documents" in done.stderr
    moved = json.loads(done.stdout)
    assert (moved["generation"], moved["replaced"], moved["documents"], moved["lost"]) == (2, 1, 9, [])
    listed = json.loads(run(site, "reindex", "--list", "--json").stdout)["generations"]
    assert [(one["generation"], one["state"], one["documents"]) for one in listed] == [
        (1, "kept", 9),
        (2, "serving", 9),
    ]
    assert json.loads(run(site, "doctor", "index", "--json").stdout)["generations"][0] == {
        "generation": 1,
        "state": "kept",
    }
    removed = run(site, "documents", "remove", "sales/returns.txt")
    assert removed.returncode == 0, removed.stderr
    assert removed.stdout.splitlines()[1:] == ["also from generation 1, which is kept (1 passages)"]
    back = run(site, "reindex", "--back")
    assert back.stdout == "generation 1 serves again\n"
    assert "nothing is ingested until embedding.model is set back to hash data/models/" in back.stderr
    assert run(site, "reindex", "--drop", "2").returncode == 0
    assert [one.number for one in site.assistant.serving.generations.all()] == [1]
    assert "sales/returns.txt" not in company.indexed(site.assistant)
    company.snapshot(site.assistant)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--list --force", "--list takes none of --pipeline, --golden, --force"),
        ("--list --pipeline x.yaml", "--list takes none of --pipeline, --golden, --force"),
        ("--back --golden x", "--back takes none of --golden, --force"),
        ("--drop 2 --force", "--drop takes none of --pipeline, --golden, --force, --json"),
        ("--drop 2 --json", "--drop takes none of --pipeline, --golden, --force, --json"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(site: Site, arguments: str, said: str) -> None:
    done = run(site, "reindex", *arguments.split())
    assert (done.returncode, done.stderr) == (2, f"assistant: {said}\n")
