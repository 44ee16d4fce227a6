"""Generations: the table, the migration of older stores, and what is kept apart in one database."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import op
from sqlalchemy import text

from assistant.access.principal import AccessClass
from assistant.errors import AssistantError, NotFound, StorageError
from assistant.index.catalog import INDEXED, Catalog
from assistant.index.generations import BUILDING, KEPT, SERVING, EmbeddingChoice, Generations, Size
from assistant.ingest.rows import NewRows
from assistant.ingest.sources import SourceItem
from assistant.records.database import Database
from assistant.records.tables import ChunkColumns, DocumentRow
from assistant.reindex.compare import Figures, check_not_worse
from tests.unit.older_store import older

ONE, TWO = (
    EmbeddingChoice({"provider": "hash", "model": "1"}, "a" * 64),
    EmbeddingChoice({"provider": "hash"}, "b" * 64),
)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path / 'assistant.db'}")
    database.migrate(tmp_path / "lock")
    return database


def put(catalog: Catalog, document: str, texts: list[str], path: str = "") -> None:
    number = catalog.class_id(AccessClass("company", 1))
    row = DocumentRow(id=document, pipeline="p", source="", path=path or f"{document}.md", status=INDEXED)
    row.class_id, row.chunks, row.version = number, len(texts), "1"
    chunks: list[ChunkColumns] = [
        {
            "id": f"{document}-1-{position}",
            "document_id": document,
            "class_id": number,
            "position": position,
            "page": None,
            "page_kind": "page",
            "section": "",
            "text": text_,
        }
        for position, text_ in enumerate(texts)
    ]
    catalog.commit_versions([(row, chunks)])


def test_generations_do_not_see_each_other(database: Database) -> None:
    """The same document, with the same ids of passages, in two of them."""
    generations = Generations(database)
    second = generations.begin(TWO, {})
    one, two = Catalog(database), Catalog(database, second.number)
    put(one, "d", ["старое"])
    put(two, "d", ["новое", "ещё"])
    put(two, "e", ["другое"])
    assert (one.chunks_version(), two.chunks_version()) == (1, 2)
    assert [row.id for row in one.documents()] == ["d"]
    assert one.passages(["d-1-0", "d-1-1", "e-1-0"])["d-1-0"].text == "старое"
    assert {key: found.text for key, found in two.passages(["d-1-0", "d-1-1"]).items()} == {
        "d-1-0": "новое",
        "d-1-1": "ещё",
    }
    assert (one.status_counts(), two.status_counts()) == ({INDEXED: 1}, {INDEXED: 2})
    assert (list(one.facts()), sorted(two.facts())) == (["d"], ["d", "e"])
    assert generations.sizes() == {1: Size(1, 0, 1), 2: Size(2, 0, 3)}
    assert one.forget(["d", "e"]) == 1
    assert one.documents() == []
    assert len(two.passages_of("d")) == 2
    with pytest.raises(NotFound):
        one.document("e")


def test_one_serves_whatever_happens(database: Database) -> None:
    generations = Generations(database)
    assert (generations.serving().number, generations.serving().state) == (1, SERVING)
    second = generations.begin(TWO, {"p": "1"})
    assert generations.building() == second
    generations.switch(2)
    assert {one.number: one.state for one in generations.all()} == {1: KEPT, 2: SERVING}
    for number in (2, 3):
        with pytest.raises(StorageError, match=f"generation {number} is not there to serve"):
            generations.switch(number)
        with pytest.raises(StorageError, match=f"generation {number} serves, or is not there"):
            generations.give_up(number)
    assert generations.serving().number == 2
    generations.switch(1)
    generations.give_up(2)
    with pytest.raises(StorageError, match="generation 2 is not there to serve"):
        generations.switch(2)
    generations.remove_rows(2)
    with pytest.raises(NotFound, match="there is no generation 2"):
        generations.of(2)
    assert generations.begin(TWO, {}).number == 3, "a number is never used again"
    assert (generations.of(3).state, generations.serving().number) == (BUILDING, 1)


def test_which_model_is_used(database: Database) -> None:
    generations = Generations(database)
    catalog = Catalog(database)
    assert generations.with_embedding(generations.serving(), ONE).embedding == ONE, "an empty store"
    with database.transaction() as session:
        session.execute(text("INSERT INTO vector_writes VALUES (1, 'd', 'gaaaaaaaaaa-c1', '1', 1)"))
    assert generations.with_embedding(generations.serving(), ONE).embedding == ONE, "from before generations"
    unknown = generations.with_embedding(generations.serving(), TWO).embedding
    assert (unknown.settings, unknown.identity) == ({}, "aaaaaaaaaa")
    generations.adopt(TWO)
    assert generations.serving().embedding.identity == ""
    generations.adopt(ONE)
    assert generations.serving().embedding == ONE
    assert generations.with_embedding(generations.serving(), TWO).embedding == ONE
    assert generations.serving().collection_names(catalog.store_id)(3) == "gaaaaaaaaaa-c3"
    second = generations.begin(TWO, {})
    assert second.collection_names(catalog.store_id)(3) == f"g2-{catalog.store_id()}-c3"


def test_removals_by_hand_are_kept_for_the_one_that_is_built(database: Database) -> None:
    generations = Generations(database)
    row = DocumentRow(id="d", pipeline="p", source="/s", path="d.md")
    generations.withdraw([row])
    second = generations.begin(TWO, {})
    assert generations.withdrawn(2) == set()
    generations.withdraw([row])
    assert generations.withdrawn(second.number) == {("p", "/s", "d.md")}


def test_a_document_keeps_its_id(database: Database) -> None:
    """Also a renamed one, whose id is what its first path would give to another document."""
    new = NewRows(Catalog(database), "p", "", {})
    first = new(SourceItem("a.md", None, 0, 0)).id
    second = Catalog(database, 2)
    ids = {"b.md": first}
    assert NewRows(second, "p", "", ids)(SourceItem("b.md", None, 0, 0)).id == first
    rows = NewRows(second, "p", "", ids)
    assert rows(SourceItem("a.md", None, 0, 0)).id != first
    assert rows(SourceItem("b.md", None, 0, 0)).id == first
    assert new(SourceItem("a.md", None, 0, 0)).id != first


def test_an_older_store_becomes_the_first_generation(tmp_path: Path) -> None:
    database = older(Database(f"sqlite:///{tmp_path / 'assistant.db'}"))
    database.migrate(tmp_path / "lock")
    catalog = Catalog(database)
    assert [(row.id, row.details, row.ocr_pages) for row in catalog.documents()] == [
        ("d", {"n": 1}, 0),
        ("e", {"n": 1}, 0),
    ]
    assert [(found.text, found.page_kind) for found in catalog.passages(["d-1-0"]).values()] == [("текст", "sheet")]
    assert (catalog.chunks_version(), catalog.store_id()) == (41, f"{7:016x}")
    assert [write.collection for write in catalog.writes()] == ["gaaaaaaaaaa-c1"]
    assert catalog.forget(["d"]) == 1
    assert [row.id for row in catalog.documents()] == ["e"]
    serving = Generations(database).serving()
    assert (serving.number, serving.state, serving.embedding.identity) == (1, SERVING, "")


def test_a_migration_that_is_cut_off_leaves_the_older_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = older(Database(f"sqlite:///{tmp_path / 'assistant.db'}"))
    with monkeypatch.context() as patch:
        patch.setattr(op, "create_index", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            database.migrate(tmp_path / "lock")
    database.close()
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM documents")).scalar() == 2
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0002"
    database.migrate(tmp_path / "lock")
    assert len(Catalog(database).documents()) == 2


@pytest.mark.parametrize(("old", "new", "is_worse"), [(0.8, 0.81, False), (0.8, 0.79, False), (0.8, 0.7, True)])
def test_a_generation_that_finds_less_is_not_switched_to(old: float, new: float, is_worse: bool) -> None:
    pair = Figures(1, old, 1.0, False), Figures(2, new, 1.0, False)
    if is_worse:
        with pytest.raises(AssistantError, match=r"finds less \(nDCG@10 0.700 against 0.800\); nothing was switched"):
            check_not_worse(*pair)
    else:
        check_not_worse(*pair)
