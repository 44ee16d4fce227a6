"""What a scan sees: files of the folder and nothing outside it, whatever their names."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from assistant.errors import DocumentError, PipelineError
from assistant.ingest.pipeline import Pipeline, load_pipeline
from assistant.ingest.sources import SourceItem, scan
from tests.unit.samples import RECIPE, write_recipe

NFC = unicodedata.normalize("NFC", "Приказ о йоде и ёлке.md")
NFD = unicodedata.normalize("NFD", NFC)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs/hr").mkdir(parents=True)
    return tmp_path / "docs"


@pytest.fixture
def pipeline(docs: Path) -> Pipeline:
    recipe = write_recipe(docs.parent, text=RECIPE.replace("directory: docs", f"directory: {docs}"))
    return load_pipeline(recipe, embedding_identity="m1")


def test_files_come_by_path_with_size_and_time(docs: Path, pipeline: Pipeline) -> None:
    for name in ("hr/б.md", "hr/а.md", "z.pdf", "hr/~$а.md"):
        (docs / name).write_text("текст", "utf-8")
    items = scan(pipeline)
    assert [item.path for item in items] == ["hr/а.md", "hr/б.md", "z.pdf"]
    stat = (docs / "hr/а.md").stat()
    assert (items[0].size, items[0].mtime_ns) == (10, stat.st_mtime_ns)
    assert items[0].location == docs / "hr/а.md"


def test_a_decomposed_name_is_known_by_its_composed_form(docs: Path, pipeline: Pipeline) -> None:
    (docs / "hr" / NFD).write_text("текст", "utf-8")
    (item,) = scan(pipeline)
    assert item.path == f"hr/{NFC}"
    assert item.problem is None
    assert item.location is not None
    assert item.location.read_text("utf-8") == "текст"


def test_of_two_names_that_look_the_same_one_is_refused(docs: Path, pipeline: Pipeline) -> None:
    (docs / "hr" / NFC).write_text("один", "utf-8")
    (docs / "hr" / NFD).write_text("два", "utf-8")
    by_path = {item.path: item for item in scan(pipeline)}
    assert sorted(by_path) == sorted([f"hr/{NFC}", f"hr/{NFD}"])
    assert by_path[f"hr/{NFC}"].problem is None
    assert "rename one of them" in str(by_path[f"hr/{NFD}"].problem)


def test_a_link_out_of_the_folder_is_refused(docs: Path, pipeline: Pipeline) -> None:
    (docs.parent / "secret.md").write_text("секрет")
    (docs / "hr/a.md").write_text("текст")
    (docs / "hr/inside.md").symlink_to(docs / "hr/a.md")
    (docs / "hr/outside.md").symlink_to(docs.parent / "secret.md")
    (docs / "hr/nowhere.md").symlink_to(docs / "gone.md")
    (docs / "hr/round.md").symlink_to(docs / "hr/round.md")
    problems = {item.path: item.problem for item in scan(pipeline)}
    assert problems.pop("hr/a.md") is None
    assert problems.pop("hr/inside.md") is None
    assert problems.pop("hr/outside.md") == "it is a link out of the source folder"
    assert all(str(problem).startswith("it can't be opened") for problem in problems.values())
    assert len(problems) == 2


def test_a_linked_folder_is_not_entered(docs: Path, pipeline: Pipeline) -> None:
    (docs.parent / "private").mkdir()
    (docs.parent / "private/x.md").write_text("секрет")
    (docs / "hr/link").symlink_to(docs.parent / "private", target_is_directory=True)
    (item,) = scan(pipeline)
    assert item.path == "hr/link"
    assert "a link to a folder, and those are not followed" in str(item.problem)


def test_a_pipe_is_not_waited_for(docs: Path, pipeline: Pipeline) -> None:
    os.mkfifo(docs / "hr/pipe.md")
    (item,) = scan(pipeline)
    assert item.problem == "it is not a regular file"


def test_a_name_that_is_not_utf8_is_shown_escaped(docs: Path, pipeline: Pipeline) -> None:
    try:
        Path(os.fsdecode(os.fsencode(docs) + b"/hr/\xcf\xf0.md")).write_text("текст")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    (item,) = scan(pipeline)
    assert "not valid UTF-8" in str(item.problem)
    assert item.path.encode("utf-8") == rb"hr/\udccf\udcf0.md"


def test_a_missing_folder_is_not_an_empty_one(docs: Path, pipeline: Pipeline) -> None:
    (docs / "hr").rmdir()
    docs.rmdir()
    with pytest.raises(PipelineError, match=r"the source folder .*docs of pipeline 'handbook' is not there"):
        scan(pipeline)


def test_the_sha256_is_of_the_content(docs: Path) -> None:
    file = docs / "a.md"
    file.write_bytes(b"abc")
    item = SourceItem("a.md", file, 3, 0)
    assert item.sha256() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    file.unlink()
    with pytest.raises(DocumentError, match="it can't be read: No such file"):
        item.sha256()


def test_documents_of_a_reader_keep_their_names_from_run_to_run(docs: Path) -> None:
    (docs / "a.md").write_text("один")
    arguments = f"{{reader: llama_index.core.readers.SimpleDirectoryReader, arguments: {{input_dir: {docs}}}}}"
    recipe = write_recipe(docs.parent, old="{directory: docs}", new=arguments)
    pipeline = load_pipeline(recipe, embedding_identity="m1")
    first, second = scan(pipeline), scan(pipeline)
    assert [item.path for item in first] == [str(docs / "a.md")]
    assert [(item.path, item.sha256()) for item in first] == [(item.path, item.sha256()) for item in second]
    assert first[0].location is None


def test_a_reader_that_fails_is_a_sentence(docs: Path) -> None:
    source = "{reader: llama_index.core.readers.SimpleDirectoryReader, arguments: {input_dir: /nowhere/at/all}}"
    recipe = write_recipe(docs.parent, old="{directory: docs}", new=source)
    with pytest.raises(PipelineError, match="SimpleDirectoryReader of pipeline 'handbook' failed: .*/nowhere/at/all"):
        scan(load_pipeline(recipe, embedding_identity="m1"))
