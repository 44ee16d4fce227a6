"""Names, times and folders that no database or listing expects: one of them must not stop the others."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import fsspec
import pytest

from assistant.errors import PipelineError
from assistant.ingest.pipeline import load_pipeline
from assistant.ingest.sources import SourceItem, scan
from assistant.ingest.sources.item import LOOKS_THE_SAME, MAX_PATH
from assistant.ingest.sources.remote import _stamp
from tests.unit.samples import write_recipe

NFC = unicodedata.normalize("NFC", "Приказ о йоде.md")
LARGEST = 2**63 - 1  # of a database's integer


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs/hr").mkdir(parents=True)
    return tmp_path / "docs"


def scanned(folder: Path, source: str = "") -> dict[str, SourceItem]:
    recipe = write_recipe(folder, old="{directory: docs}", new=source or f"{{directory: '{folder / 'docs'}'}}")
    items = scan(load_pipeline(recipe, embedding_identity="m1"), cache=folder / "cache")
    found = {item.path: item for item in items}
    assert len(found) == len(items), "each path once, for the catalog has one row for it"
    return found


def test_of_three_unicode_forms_of_a_name_one_is_taken(docs: Path) -> None:
    forms = ("s\u0307\u0323.md", "\u1e61\u0323.md")  # neither is the composed one, and both look like it
    for name in forms:
        (docs / "hr" / name).write_text("текст", "utf-8")
    path = f"hr/{unicodedata.normalize('NFC', forms[0])}"
    found = scanned(docs.parent)
    assert [found[path].problem, found[f"{path} (2)"].problem] == [None, LOOKS_THE_SAME]


@pytest.mark.parametrize("folders", [("hr", "hr"), ("й", unicodedata.normalize("NFD", "й"))])
def test_a_server_may_list_the_decomposed_name_first(tmp_path: Path, folders: tuple[str, str]) -> None:
    memory = fsspec.filesystem("memory")
    names = [unicodedata.normalize("NFD", NFC), NFC] if folders[0] == folders[1] else [NFC, NFC]
    try:
        for folder, name in zip(folders, names, strict=True):
            memory.pipe(f"/twins/{folder}/{name}", b"text")
        found = scanned(tmp_path, "{url: 'memory://twins'}")
    finally:
        memory.rm("/twins", recursive=True)
    assert sorted(str(item.problem) for item in found.values()) == sorted(["None", LOOKS_THE_SAME])


def test_a_path_longer_than_the_catalog_holds_is_refused(docs: Path) -> None:
    folder = docs / "/".join(["x" * 200] * 10)
    folder.mkdir(parents=True)
    for name in ("a.md", "b.md"):
        (folder / name).write_text("текст", "utf-8")
    (docs / "hr/a.md").write_text("текст", "utf-8")
    found = scanned(docs.parent)
    assert found.pop("hr/a.md").problem is None
    assert len(found) == 2
    assert all(len(path) <= MAX_PATH and "its path is longer" in str(item.problem) for path, item in found.items())


def test_a_time_that_no_database_holds(docs: Path) -> None:
    file = docs / "hr/a.md"
    file.write_text("текст", "utf-8")
    os.utime(file, ns=(0, 13_569_465_600_000_000_000))  # the year 2400
    if file.stat().st_mtime_ns <= LARGEST:
        pytest.skip("this file system has no such times")
    item = scanned(docs.parent)["hr/a.md"]
    assert item.mtime_ns == LARGEST
    assert not item.changed_meanwhile()


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00", "0001-01-01T00:00:00+00:00", "9999-12-31", float("inf"), 1e30])
def test_a_servers_time_that_is_none(time: object) -> None:
    assert abs(_stamp({"mtime": time})) <= LARGEST


def test_a_folder_that_was_replaced_while_it_was_listed(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a share is unmounted: what was not listed yet would look deleted."""
    (docs / "hr/a.md").write_text("текст", "utf-8")
    scandir = os.scandir

    def unmounted(folder: str) -> object:
        if folder == str(docs / "hr"):
            shutil.move(docs, docs.parent / "away")
            docs.mkdir()
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", unmounted)
    with pytest.raises(PipelineError, match="was unmounted or replaced while it was listed"):
        scanned(docs.parent)


@pytest.mark.parametrize("name", ["A.MD.meta.yaml", "a.Meta.yaml", "_META.yaml", "A.md.META.YAML"])
def test_a_metadata_file_counts_however_it_is_written(docs: Path, name: str) -> None:
    """On a share of Windows it is the same name: what it closes must not stay open."""
    (docs / "hr/a.md").write_text("текст", "utf-8")
    (docs / "hr" / name).write_text("Level: 3", "utf-8")
    assert {path: item.metadata for path, item in scanned(docs.parent).items()} == {"hr/a.md": {"level": 3}}
