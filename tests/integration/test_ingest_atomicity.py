"""Runs that fail or are killed at any point: nothing is lost or doubled, and the next run completes."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from assistant.errors import ModelUnavailable
from assistant.index.catalog import Catalog
from assistant.index.keyword import KeywordIndex
from assistant.index.writer import Writer
from assistant.parts.fakes import HashEmbedding
from assistant.parts.vector_stores import ClassVectorStore
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import HR, SALES

pytestmark = pytest.mark.server

# Children that are forked from a server that has imported everything: a killed run costs no second import.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(company.PRELOAD)


class Disturbed(HashEmbedding):
    """Does something at the n-th text that it embeds."""

    at: int
    act: Callable[[], None]
    seen: int = 0

    def _get_text_embedding(self, text: str) -> list[float]:
        self.seen += 1
        if self.seen == self.at:
            self.act()
        return super()._get_text_embedding(text)


def change_much(site_folder: Path) -> None:
    """Three changed documents, one new, one deleted."""
    company.write(
        site_folder,
        {
            "hr/leave.md": "# Отпуск\n\nОтпуск тридцать дней.\n\n## Перенос\n\nПеренос отпуска согласует директор.",
            "notice.md": "# Общий порядок\n\nПропуск выдаёт бюро пропусков.\n\n## Гости\n\nГостей встречает охрана.",
            "sales/prices.md": "# Цены\n\nСкидка без согласования не выше пяти процентов.",
            "hr/new.md": "# Новое\n\nИспытательный срок три месяца.",
        },
    )
    (site_folder / "sales/returns.txt").unlink()


def workers() -> list[psutil.Process]:
    return [process for process in psutil.Process().children(recursive=True) if "spawn_main" in command(process)]


def command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has just ended, also if nobody has asked yet how (a zombie of another test)
        return ""


def test_embedding_that_fails_midway(place: Path, tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("CUDA out of memory")

    change_much(place / "docs")
    failing = Disturbed(at=3, act=fail)  # hr/leave.md has two passages, hr/new.md is next
    with build(company.settings(place / "storage"), embed_model=failing) as assistant:
        with pytest.raises(ModelUnavailable, match="CUDA"):
            assistant.ingest(place / "company.yaml")
        assert not workers(), "reading goes on after the run has failed"
        for method in ("bm25", "vector"):
            found = company.search(assistant, "Скидка без согласования", SALES, method=method).sources[0].passage
            assert (found.path, "семи" in found.text) == ("sales/prices.md", True), "the old version was lost"
            found = company.search(assistant, "перенос отпуска согласует", HR, method=method).sources[0].passage
            assert (found.path, "директор" in found.text) == ("hr/leave.md", True), "what was done can't be found"
        assert "hr/new.md" not in company.indexed(assistant)
        assert assistant.ingest(place / "company.yaml").failed == []
        assert company.snapshot(assistant) == company.undisturbed(tmp_path / "fresh", [place / "company.yaml"])


@pytest.mark.parametrize("at", [1, 3, 5])
def test_chroma_that_is_killed_midway(place: Path, tmp_path: Path, at: int) -> None:
    def kill() -> None:
        os.kill(json.loads((place / "storage/run/chroma.json").read_text())["pid"], signal.SIGKILL)

    change_much(place / "docs")
    disturbed = Disturbed(at=at, act=kill)
    with build(company.settings(place / "storage"), embed_model=disturbed) as assistant:
        assistant.chroma.client()
        assert assistant.ingest(place / "company.yaml").failed == []  # it was started anew
        assert company.snapshot(assistant) == company.undisturbed(tmp_path / "fresh", [place / "company.yaml"])


# --- killed at chosen points

POINTS = [
    (owner, name, when)
    for owner, name in [
        (Catalog, "begin_writes"),
        (ClassVectorStore, "add"),
        (ClassVectorStore, "delete_nodes"),
        (Catalog, "end_writes"),
        (Catalog, "commit_versions"),
        (Catalog, "change_class"),
        (Catalog, "forget"),
        (Writer, "settle"),
        (KeywordIndex, "_build"),
    ]
    for when in ("before", "after")
]
LOADED_BY_LLAMA_INDEX = """
name: notes
source: {{reader: llama_index.core.readers.SimpleDirectoryReader, arguments: {{input_dir: "{folder}", recursive: true}}}}
transformations: [MarkdownSections, {{SentenceSplitter: {{chunk_size: 60, chunk_overlap: 0}}}}]
access:
  - {{match: "**/moving/**", department: "{moving}"}}
  - {{match: "/**", department: hr}}
"""
BEFORE = {
    "changed.md": "# Changed\n\nFirst old words.\n\n## More\n\nSecond old words.",
    "deleted.md": "# Deleted\n\nThese words go away.",
    "moving/moved.md": "# Moved\n\nThese words change hands.",
}
AFTER = {
    "changed.md": "# Changed\n\nFirst new words.",
    "moving/moved.md": "# Moved\n\nThese words change hands.",
    "new.md": "# New\n\nFresh words.",
}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """A storage that has loaded BEFORE, and what it and one of AFTER hold."""
    place = tmp_path_factory.mktemp("notes")
    write_state(place, BEFORE)
    before = company.undisturbed(place / "storage", [place / "notes.yaml"])
    write_state(place, AFTER)
    return place, before, company.undisturbed(place / "after", [place / "notes.yaml"])


def write_state(place: Path, texts: dict[str, str]) -> None:
    shutil.rmtree(place / "docs", ignore_errors=True)
    company.write(place / "docs", texts)
    moving = "hr" if texts is BEFORE else "sales"
    (place / "notes.yaml").write_text(LOADED_BY_LLAMA_INDEX.format(folder=place / "docs", moving=moving))


def run_and_die(storage: Path, pipeline: Path, owner: str, name: str, when: str) -> None:
    """In a child: an ingest that dies before or after the call of a method."""
    found: Any = next(one for one in (Catalog, ClassVectorStore, Writer, KeywordIndex) if one.__name__ == owner)
    method = getattr(found, name)

    def deadly(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - any method
        if when == "after":
            method(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(found, name, deadly)
    with build(company.settings(storage)) as assistant:
        assistant.ingest(pipeline)


@pytest.mark.parametrize(("owner", "name", "when"), POINTS, ids=[f"{when}-{name}" for _, name, when in POINTS])
def test_run_that_is_killed_at_a_point(
    notes: tuple[Path, dict[str, Any], dict[str, Any]], tmp_path: Path, owner: type, name: str, when: str
) -> None:
    place, before, after = notes
    storage = shutil.copytree(place / "storage", tmp_path / "storage")
    write_state(place, AFTER)
    arguments = (storage, place / "notes.yaml", owner.__name__, name, when)
    process = PROCESSES.Process(target=run_and_die, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL

    with build(company.settings(storage)) as assistant:
        held = {key for part in company.vectors_of(assistant).values() for key in part}
        for view in assistant.documents():
            passages = assistant.catalog.passages_of(view.row.id)
            text = "".join(passage.text for passage in passages)
            assert ("old" in text) != ("new" in text) or "changed.md" not in view.row.path, "two versions at once"
            assert held >= {passage.chunk for passage in passages}, f"{view.row.path} can't be found by its vectors"
    reverted = shutil.copytree(storage, tmp_path / "reverted")
    with build(company.settings(storage)) as assistant:
        assert assistant.ingest(place / "notes.yaml").failed == []
        assert company.snapshot(assistant) == after
    write_state(place, BEFORE)
    with build(company.settings(reverted)) as assistant:
        assert assistant.ingest(place / "notes.yaml").failed == []
        assert company.snapshot(assistant) == before
