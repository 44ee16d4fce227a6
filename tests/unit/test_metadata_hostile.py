"""Metadata that would stop a run or fill the catalog, and library messages that hold a password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.access.principal import AccessClass
from assistant.errors import DocumentError, PipelineError
from assistant.ingest.metadata import MAX_BYTES, access_class, merged, parse
from assistant.ingest.pipeline import for_folder, load_pipeline
from assistant.ingest.secrets import without_secrets
from assistant.ingest.sources import SourceItem, scan
from tests.unit.samples import RECIPE, write_recipe


@pytest.mark.parametrize("level", ["1001", "3000000000", "9" * 30])
def test_a_level_that_no_database_holds(level: str, tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="level: Input should be less than or equal to 1000"):
        parse(f"level: {level}", "x")
    pipeline = load_pipeline(write_recipe(tmp_path), embedding_identity="m1")
    with pytest.raises(DocumentError, match="it says of itself: level"):
        merged(pipeline, SourceItem("hr/a.md", None, 1, 1), {"level": int(level)})
    recipe = write_recipe(tmp_path, old="level: 2", new=f"level: {level}")
    with pytest.raises(PipelineError, match="level: Input should be less than or equal to 1000"):
        load_pipeline(recipe, embedding_identity="m1")


def test_a_class_given_for_a_folder_is_not_opened_by_what_lies_in_it(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, text=f"{RECIPE}trust_metadata: true\n")
    pipeline = load_pipeline(recipe, embedding_identity="m1")
    board = for_folder(pipeline, tmp_path, AccessClass("board", 3))
    for said in ({"department": "hr"}, {"level": 1}):
        item = SourceItem("a.md", None, 1, 1, metadata=said)
        with pytest.raises(DocumentError, match="the pipeline's rule says"):
            access_class(board, item)
    assert access_class(board, SourceItem("a.md", None, 1, 1, metadata={"level": 4})) == AccessClass("board", 4)
    assert for_folder(pipeline, tmp_path, None).trust_metadata


def test_a_key_that_nothing_can_store() -> None:
    found = parse('"\\uD800x\\0": y', "x")
    assert json.dumps(found, ensure_ascii=False).encode()
    assert found == {"?x": "y"}


def test_a_key_means_the_same_however_it_is_written() -> None:
    assert parse("Level: 3\nDEPARTMENT: hr\nTags: [A]", "x") == {"level": 3, "department": "hr", "Tags": ["A"]}
    with pytest.raises(DocumentError, match="line 2: 'level' is here twice"):
        parse("level: 3\nLevel: 1", "x")


def test_references_do_not_make_a_file_longer_than_it_may_be(tmp_path: Path) -> None:
    long = "x" * 30_000
    for many in (f"b: [{','.join(['*a'] * 10_000)}]", "\n".join(f"b{n}: *a" for n in range(3))):
        with pytest.raises(DocumentError, match="with its references it is longer than 64 KB"):
            parse(f"a: &a {long}\n{many}", "x")
    pipeline = load_pipeline(write_recipe(tmp_path), embedding_identity="m1")
    found = merged(pipeline, SourceItem("hr/a.md", None, 1, 1), {"author": "x", "b": [long] * 10_000, "c": long})
    assert sum(map(len, found.values())) < MAX_BYTES
    assert found["author"] == "x"


def test_a_librarys_message_without_its_secrets(tmp_path: Path) -> None:
    text = "404 for url 'https://me:p4ss@host/x?q=1&access_token=abcd&z=2', key K12345, inner S12345"
    given = {"api_key": "K12345", "headers": {"Authorization": "S12345"}, "size": 5}
    assert without_secrets(text, given) == "404 for url 'https://…host/x?q=1&…&z=2', key …, inner …"
    source = (
        "{reader: llama_index.core.readers.SimpleDirectoryReader, arguments: {input_dir: 'http://me:p4ss@nowhere/x'}}"
    )
    recipe = write_recipe(tmp_path, old="{directory: docs}", new=source)
    with pytest.raises(PipelineError) as failed:
        scan(load_pipeline(recipe, embedding_identity="m1"))
    assert "p4ss" not in str(failed.value)
