"""What a scan sees: files of the folder and nothing outside it, whatever their names."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from time import process_time

import pytest

from assistant.errors import DocumentError, PipelineError
from assistant.ingest.pipeline import Pipeline, load_pipeline
from assistant.ingest.plan import EMPTY, make_plan
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


@pytest.mark.parametrize(
    "name",
    ["🎉 Итоги 👨‍👩‍👧.md", "ж" * 126 + ".md", "строка\nвторая.md", "-rf *.md", "a\tb'\"$(id).md", "a\\b.md", " .md"],
)
def test_unusual_names_are_names(docs: Path, pipeline: Pipeline, name: str) -> None:
    (docs / "hr" / name).write_text("текст", "utf-8")
    (item,) = scan(pipeline)
    assert (item.path, item.problem) == (f"hr/{name}", None)
    assert item.local_file() == docs / "hr" / name


def test_what_is_hidden_or_metadata_is_no_document(docs: Path, pipeline: Pipeline) -> None:
    for path in (
        ".git/a.md",
        ".Trash-1000/b.md",
        "hr/.~lock.md",
        "hr/.meta.yaml",
        "hr/a.md.meta.yaml",
        "hr/_meta.yaml",
    ):
        (docs / path).parent.mkdir(exist_ok=True)
        (docs / path).write_text("author: a", "utf-8")
    (docs / "hr/meta.yaml").write_text("a document", "utf-8")
    assert [item.path for item in scan(pipeline)] == ["hr/meta.yaml"]


def test_links_in_a_circle_end(docs: Path, pipeline: Pipeline) -> None:
    (docs / "hr/up").symlink_to(docs, target_is_directory=True)
    (docs / "hr/a").symlink_to(docs / "hr/b")
    (docs / "hr/b").symlink_to(docs / "hr/a")
    problems = {item.path: str(item.problem) for item in scan(pipeline)}
    assert sorted(problems) == ["hr/a", "hr/b", "hr/up"]
    assert "links" in problems["hr/a"]


def test_an_unreadable_folder_is_not_an_empty_one(docs: Path, tmp_path: Path) -> None:
    """The tests may run as root, who reads every folder but one whose path is too long for the system."""
    (docs / "hr/closed").mkdir()
    below = os.open(docs / "hr/closed", os.O_RDONLY)
    for _ in range(18):
        os.mkdir("x" * 250, dir_fd=below)
        deeper = os.open("x" * 250, os.O_RDONLY, dir_fd=below)
        os.close(below)
        below = deeper
    os.close(below)
    recipe = write_recipe(tmp_path, text=RECIPE.replace("directory: docs", f"directory: {docs}"))
    with pytest.raises(PipelineError, match=r"the folder .*closed/.* can't be read: File name too long\. Give this"):
        scan(load_pipeline(recipe, embedding_identity="m1"))
    recipe.write_text(recipe.read_text("utf-8").replace('"~$*"', '"closed/"'), "utf-8")
    assert scan(load_pipeline(recipe, embedding_identity="m1")) == []


def test_an_excluded_folder_is_not_entered_unless_a_pattern_takes_something_back(docs: Path, tmp_path: Path) -> None:
    (docs / "hr/old/keep").mkdir(parents=True)
    (docs / "hr/old/a.md").write_text("a")
    (docs / "hr/old/keep/b.md").write_text("b")
    text = RECIPE.replace("directory: docs", f"directory: {docs}")
    for exclude, expected in (('"old/"', []), ('"old/**", "!old/keep/**"', ["hr/old/keep/b.md"])):
        recipe = write_recipe(
            tmp_path, text=text.replace('"~$*"', exclude.replace("old/*", "/hr/old/*").replace("!old", "!/hr/old"))
        )
        assert [item.path for item in scan(load_pipeline(recipe, embedding_identity="m1"))] == expected


def test_a_file_that_vanishes_after_the_scan(docs: Path, pipeline: Pipeline) -> None:
    (docs / "hr/a.md").write_text("текст")
    (item,) = scan(pipeline)
    (docs / "hr/a.md").unlink()
    assert item.changed_meanwhile()
    with pytest.raises(DocumentError, match="it can't be read: No such file"):
        item.sha256()


def test_a_folder_that_becomes_a_link_after_the_scan_leads_nowhere(docs: Path, pipeline: Pipeline) -> None:
    """Whoever may write into the share must not have a file from elsewhere read in the moment between."""
    (docs / "hr/in").mkdir()
    (docs / "hr/in/a.md").write_text("текст")
    (docs.parent / "private").mkdir()
    (docs.parent / "private/a.md").write_text("секрет")
    (item,) = scan(pipeline)
    (docs / "hr/in").rename(docs / "hr/out")
    (docs / "hr/in").symlink_to(docs.parent / "private", target_is_directory=True)
    for read in (item.local_file, item.sha256):
        with pytest.raises(DocumentError, match="it became a link"):
            read()


def test_a_large_folder_is_scanned_quickly(docs: Path, pipeline: Pipeline) -> None:
    """Ten seconds for 100,000 files would be too slow; here it is a tenth, with room for a busy machine."""
    for number in range(10_000):
        (docs / f"hr/{number}.md").touch()
    start = process_time()
    items = scan(pipeline)
    plan = make_plan(pipeline, items, [], {})
    assert process_time() - start < 3
    assert {refusal.error for refusal in plan.refused} == {EMPTY}
    assert len(plan.refused) == 10_000


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


def test_documents_of_a_reader_are_included_and_cleaned(docs: Path) -> None:
    for name in ("a.md", "b.txt", "c.md"):
        (docs / "hr" / name).write_text(f"текст {name}")
    (docs / "hr/c.md").write_text("до\0после")
    source = f"{{reader: directory, arguments: {{input_dir: {docs}/hr}}}}"
    text = RECIPE.replace("{directory: docs}", source).replace('"**/*"', '"*.md"')
    found = scan(load_pipeline(write_recipe(docs.parent, text=text), embedding_identity="m1"))
    assert [Path(item.path).name for item in found] == ["a.md", "c.md"]
    assert found[1].documents[0].get_content() == "допосле"


def test_documents_without_names_of_their_own_are_numbered(docs: Path) -> None:
    source = "{reader: StringIterableReader, load: {texts: [один, два]}}"
    recipe = write_recipe(docs.parent, old="{directory: docs}", new=source)
    pipeline = load_pipeline(recipe, embedding_identity="m1")
    first, second = scan(pipeline), scan(pipeline)
    assert [item.path for item in first] == ["0", "1"]
    assert [item.sha256() for item in first] == [item.sha256() for item in second]


def test_a_reader_that_fails_is_a_sentence(docs: Path) -> None:
    source = "{reader: llama_index.core.readers.SimpleDirectoryReader, arguments: {input_dir: /nowhere/at/all}}"
    recipe = write_recipe(docs.parent, old="{directory: docs}", new=source)
    with pytest.raises(PipelineError, match="SimpleDirectoryReader of pipeline 'handbook' failed: .*/nowhere/at/all"):
        scan(load_pipeline(recipe, embedding_identity="m1"))
