"""`assistant doctor index`: each damage is done for real, seen, and put right without reading a file."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assistant.operations.index_check import examine_index, first_sentence
from assistant.parts.vector_stores import open_collection
from assistant.settings import Chroma
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import Site, snapshot
from tests.integration.test_command_line import Commands

pytestmark = pytest.mark.server


def collections(site: Site) -> dict[str, Any]:
    """The collections that hold something, by name."""
    found = {one.name: one for one in site.assistant.chroma.client().list_collections()}
    return {name: found[name] for name in sorted(found) if found[name].count()}


def change(site: Site, statement: str, *values: object) -> None:
    """As somebody does it with a database tool."""
    database = sqlite3.connect(site.pipeline.parent / "storage" / "assistant.db")
    with database:
        assert database.execute(statement, values).rowcount > 0
    database.close()


def lose_vectors(site: Site) -> None:
    store = next(iter(collections(site).values()))
    store.delete(ids=store.get(include=[])["ids"][:2])


def lose_a_collection(site: Site) -> None:
    site.assistant.chroma.client().delete_collection(next(iter(collections(site))))


def add_vectors(site: Site) -> None:
    store = next(iter(collections(site).values()))
    size = len(store.get(limit=1, include=["embeddings"])["embeddings"][0])
    store.add(ids=["gone-1-0", "gone-1-1"], embeddings=[[1.0] * size] * 2)


def misplace_vectors(site: Site) -> None:
    (source, target) = list(collections(site).values())[:2]
    held = source.get(include=["embeddings"])
    target.add(ids=held["ids"], embeddings=held["embeddings"])
    source.delete(ids=held["ids"])


def cut_the_word_index(site: Site) -> None:
    folder = site.pipeline.parent / "storage" / "bm25"
    current = folder / (folder / "CURRENT").read_text()
    for name in ("chunks.npy", "classes.npy"):
        np.save(current / name, np.load(current / name)[:-3])


def swap_classes_in_the_word_index(site: Site) -> None:
    folder = site.pipeline.parent / "storage" / "bm25"
    file = folder / (folder / "CURRENT").read_text() / "classes.npy"
    np.save(file, np.load(file)[::-1].copy())


def age_the_word_index(site: Site) -> None:
    """As an older version made it."""
    folder = site.pipeline.parent / "storage" / "bm25"
    file = folder / (folder / "CURRENT").read_text() / "sizes.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "rules": "of an older version"}))


def lose_the_word_index(site: Site) -> None:
    shutil.rmtree(site.pipeline.parent / "storage" / "bm25")


def forget_a_removal(site: Site) -> None:
    """What a removal leaves that was killed before its vectors were deleted."""
    name, store = next(iter(collections(site).items()))
    size = len(store.get(limit=1, include=["embeddings"])["embeddings"][0])
    store.add(ids=["gone-1-0"], embeddings=[[1.0] * size])
    change(
        site,
        "INSERT INTO vector_writes (generation, document_id, collection, version, chunks) VALUES (1, 'gone', ?, '1', 1)",
        name,
    )


def lose_the_journal(site: Site) -> None:
    change(site, "DELETE FROM vector_writes")


def add_to_the_journal(site: Site) -> None:
    change(site, "UPDATE vector_writes SET version = 'other'")


DAMAGES: dict[str, tuple[Callable[[Site], None], set[str]]] = {
    "vectors lost": (lose_vectors, {"vectors_missing"}),
    "collection lost": (lose_a_collection, {"vectors_missing"}),
    "vectors added": (add_vectors, {"vectors_surplus"}),
    "vectors misplaced": (misplace_vectors, {"vectors_missing", "vectors_misplaced"}),
    "word index cut": (cut_the_word_index, {"keyword"}),
    "word index of other classes": (swap_classes_in_the_word_index, {"keyword"}),
    "word index of an older version": (age_the_word_index, {"keyword"}),
    "word index lost": (lose_the_word_index, {"keyword"}),
    "removal killed": (forget_a_removal, {"writes_orphaned", "vectors_surplus"}),
    "journal lost": (lose_the_journal, {"writes_not_noted"}),
    "journal wrong": (add_to_the_journal, {"writes_not_noted", "writes_stale"}),
}


def test_a_sound_index(site: Site) -> None:
    report = examine_index(site.assistant, sample=None)
    assert report.found.counts() == {}
    assert report.findability.not_found == ()
    assert report.findability.looked_for == len(site.assistant.documents())
    assert report.left.vectors == report.left.chunks == len(company.keyword_of(site.assistant))
    assert report.is_sound


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_seen_and_repaired_without_reading_a_file(place: Path, damage: str) -> None:
    act, problems = DAMAGES[damage]
    with build(company.settings(place / "storage")) as assistant:
        site = Site(place / "docs", place / "company.yaml", assistant)
        before = snapshot(assistant)
        act(site)
    shutil.move(place / "docs", place / "away")
    with build(company.settings(place / "storage")) as assistant:
        seen = examine_index(assistant)
        assert set(seen.found.counts()) == problems
        assert not seen.is_sound
        assert all(problem["examples"] for problem in seen.as_json()["problems"])
        repaired = examine_index(assistant, repair=True, sample=None)
        assert (set(repaired.found.counts()), repaired.left.counts()) == (problems, {})
        assert repaired.is_sound
    shutil.move(place / "away", place / "docs")
    with build(company.settings(place / "storage")) as assistant:
        assert snapshot(assistant) == before
        report = assistant.ingest(place / "company.yaml")
        assert (report.unchanged, report.chunks_added) == (report.seen, 0)
        assert snapshot(assistant) == before


def test_chroma_lost_altogether(place: Path) -> None:
    """The database alone is enough: every vector is made anew, and equals that of the ingest."""
    with build(company.settings(place / "storage")) as assistant:
        before = snapshot(assistant)
    shutil.rmtree(place / "storage" / "chroma")
    shutil.rmtree(place / "storage" / "cache")
    shutil.rmtree(place / "docs")
    with build(company.settings(place / "storage")) as assistant:
        report = examine_index(assistant, repair=True)
        assert report.found.counts() == {"vectors_missing": report.left.chunks}
        assert report.is_sound
        assert snapshot(assistant) == before


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM chunks WHERE id IN (SELECT id FROM chunks LIMIT 1)", "chunk_count"),
        ("UPDATE documents SET chunks = chunks + 1 WHERE path = 'notice.md'", "chunk_count"),
        ("UPDATE chunks SET class_id = 1 + class_id % 2 WHERE id IN (SELECT max(id) FROM chunks)", "class_differs"),
    ],
)
def test_what_the_chunk_table_lacks_is_read_by_the_next_ingest(site: Site, statement: str, problem: str) -> None:
    before = snapshot(site.assistant)
    change(site, statement)
    repaired = examine_index(site.assistant, repair=True)
    assert repaired.left.counts() == {problem: 1}
    assert not repaired.is_sound
    report = site.ingest()
    assert report.updated + report.added == 1
    assert examine_index(site.assistant).is_sound
    assert company.comparable(snapshot(site.assistant)) == company.comparable(before)


@pytest.mark.parametrize("class_id", ["NULL", "1 + class_id % 2"])
def test_a_document_takes_the_class_of_its_passages(site: Site, class_id: str) -> None:
    before = snapshot(site.assistant)
    change(site, f"UPDATE documents SET class_id = {class_id} WHERE path = 'notice.md'")
    repaired = examine_index(site.assistant, repair=True)
    assert repaired.found.counts() == {"class_differs": 1}
    assert repaired.is_sound
    assert snapshot(site.assistant) == before
    assert site.ingest().unchanged == len(before["documents"])


def test_chunks_without_document(site: Site) -> None:
    """Only a database without foreign keys lets it come so far."""
    before = snapshot(site.assistant)
    change(
        site,
        "INSERT INTO chunks (generation, id, document_id, class_id, position, page_kind, section, text) "
        "VALUES (1, 'x-1-0', 'x', 1, 0, 'page', '', 'alone')",
    )
    repaired = examine_index(site.assistant, repair=True)
    assert repaired.found.counts() == {"chunks_without_document": 1}
    assert repaired.is_sound
    assert snapshot(site.assistant) == before


def test_another_documents_vectors_are_not_touched(site: Site) -> None:
    """A collection that is not ours may be on the same server."""
    other = open_collection(site.assistant.chroma.client(), "somebody-else").client
    other.add(ids=["1"], embeddings=[[1.0, 0.0]])
    add_vectors(site)
    assert examine_index(site.assistant, repair=True).is_sound
    assert other.count() == 1


def test_another_installation_on_the_same_server_keeps_its_vectors(site: Site, tmp_path: Path) -> None:
    """With the same embedding model its collections have the same names as ours."""
    site.assistant.chroma.client()
    port = int(site.assistant.chroma.url.rpartition(":")[2])
    company.write(tmp_path / "theirs", {"a.md": "# Чужой\n\nДокумент другой компании."})
    recipe = company.recipe(tmp_path / "other.yaml", tmp_path / "theirs", name="other")
    given = Chroma(mode="server", host="127.0.0.1", port=port)
    settings = company.settings(tmp_path / "other").model_copy(update={"chroma": given})
    with build(settings) as other:
        other.ingest(recipe)
        vectors = sum(one.count() for one in collections(site).values())
        report = examine_index(other, repair=True)
        assert (report.found.counts(), report.left.vectors) == ({}, report.left.chunks)
    assert sum(one.count() for one in collections(site).values()) == vectors


def test_a_document_that_cant_be_found_is_reported(site: Site) -> None:
    change(
        site,
        "UPDATE chunks SET text = 'мебель столы стулья доставка' WHERE document_id IN "
        "(SELECT id FROM documents WHERE path IN ('notice.md', 'hr/leave.md'))",
    )
    assert set(examine_index(site.assistant, sample=None).findability.not_found) == set()


def test_first_sentence(site: Site) -> None:
    row = next(view.row for view in site.assistant.documents() if view.row.path == "hr/leave.md")
    assert first_sentence(site.assistant.catalog.passages_of(row.id)) == "Отпуск двадцать восемь дней."


def test_command(tmp_path: Path) -> None:
    commands = Commands(tmp_path)
    commands.json("ingest")
    sound = commands.json("doctor", "index", "--all")
    assert (sound["sound"], sound["problems"]) == (True, [])
    assert sound["findability"]["share"] >= 0.9
    shutil.rmtree(tmp_path / "storage" / "bm25")
    done = commands.run("doctor", "index", "--json")
    assert done.returncode == 1
    assert [problem["problem"] for problem in json.loads(done.stdout)["problems"]] == ["keyword"]
    assert "there is no word index" in commands.run("doctor", "index").stdout
    assert commands.run("doctor", "index", "--repair").returncode == 0
    assert commands.run("doctor", "index").returncode == 0
    assert commands.json("doctor")["status"] in ("healthy", "degraded")
