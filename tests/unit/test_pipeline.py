"""A pipeline that compiles: which files, whose class, which reader, and what makes a document be done again."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from llama_index.core.node_parser import SentenceSplitter, TokenTextSplitter

from assistant.access.principal import AccessClass
from assistant.ingest.pipeline import Pipeline, for_folder, load_pipeline
from assistant.parts.node_parsers import MarkdownSections
from tests.unit.samples import RECIPE, write_recipe


def compiled(folder: Path, *, old: str = "", new: str = "", model: str = "m1") -> Pipeline:
    return load_pipeline(write_recipe(folder, old=old, new=new), embedding_identity=model)


def test_the_shipped_pipeline_compiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    pipeline = load_pipeline("pipelines/default.yaml", embedding_identity="m1")
    steps = pipeline.compile().transformations
    assert isinstance(steps[0], MarkdownSections)
    assert isinstance(steps[-1], SentenceSplitter)
    assert {".docx", ".htm", ".html", ".md", ".pdf", ".txt"} <= set(pipeline.readers)
    assert pipeline.access_class("company/hr/Отпуск.pdf") == AccessClass("company", 1)
    assert pipeline.access_class("company/managers/Оклады.docx") == AccessClass("company", 2)
    assert pipeline.access_class("sales/managers/a/b.md") == AccessClass("sales", 2)
    assert pipeline.access_class("legal/x.md") is None


def test_a_splitter_counts_the_embedding_models_tokens(tmp_path: Path) -> None:
    def letters(text: str) -> list[int]:
        return [ord(letter) for letter in text]

    pipeline = load_pipeline(write_recipe(tmp_path), embedding_identity="m1", tokenizer=letters)
    splitter = pipeline.transformations[1]
    assert isinstance(splitter, SentenceSplitter)
    assert (splitter.chunk_size, splitter.chunk_overlap) == (320, 40)
    assert splitter._token_size("отпуск") == 6


def test_a_class_below_llama_index_may_be_named_by_path(tmp_path: Path) -> None:
    path = "llama_index.core.node_parser.TokenTextSplitter"
    pipeline = compiled(tmp_path, old="MarkdownSections", new=path)
    assert isinstance(pipeline.transformations[0], TokenTextSplitter)


def test_the_first_rule_that_matches_decides(tmp_path: Path) -> None:
    pipeline = compiled(tmp_path)
    assert pipeline.access_class("hr/managers/grades.md") == AccessClass("hr", 2)
    assert pipeline.access_class("hr/managers/deep/er.md") == AccessClass("hr", 2)
    assert pipeline.access_class("hr/managers.md") == AccessClass("hr", 1)
    wide = '  - {match: "/hr/**", department: all}\n'
    pipeline = compiled(tmp_path, old="access:\n", new="access:\n" + wide)
    assert pipeline.access_class("hr/managers/grades.md") == AccessClass("all", 1)


@pytest.mark.parametrize("path", ["sales/hr/x.md", "hr.md", "HR/x.md", "other.md"])
def test_what_no_rule_names_has_no_class(tmp_path: Path, path: str) -> None:
    assert compiled(tmp_path).access_class(path) is None


def test_a_rule_that_only_excludes_opens_nothing(tmp_path: Path) -> None:
    pipeline = compiled(tmp_path, old="/hr/**", new="!/secret/**")
    assert pipeline.access_class("hr/x.md") is None
    assert pipeline.access_class("secret/x.md") is None


@pytest.mark.parametrize(("written", "named"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_decomposed_name_gets_the_class_of_the_composed_one(tmp_path: Path, written: str, named: str) -> None:
    """й and ё are two characters on macOS: the narrow rule must not be missed, and the wide one taken instead."""
    folder = unicodedata.normalize(written, "Йошкар-Ола ёлки")  # type: ignore[arg-type]  # a form's name
    narrow = f'  - {{match: "/hr/{folder}/**", department: hr, level: 3}}\n'
    pipeline = compiled(tmp_path, old="access:\n", new="access:\n" + narrow)
    composed = unicodedata.normalize("NFC", f"hr/{folder}/приказ.md")
    assert pipeline.access_class(composed) == AccessClass("hr", 3)
    pipeline = compiled(tmp_path, old='"~$*"', new=f'"{unicodedata.normalize(named, "Чужой")}*"')  # type: ignore[arg-type]
    assert not pipeline.includes("hr/Чужой.md")


def test_include_and_exclude(tmp_path: Path) -> None:
    pipeline = compiled(tmp_path, old='["**/*"]', new='["/hr/**", "*.txt"]')
    assert pipeline.includes("hr/deep/x.md")
    assert pipeline.includes("other/x.txt")
    assert not pipeline.includes("other/x.md")
    assert not pipeline.includes("hr/~$x.md")


def test_the_reader_is_chosen_by_extension_whatever_its_case(tmp_path: Path) -> None:
    pipeline = compiled(tmp_path)
    reader = pipeline.reader("hr/ПРИКАЗ.MD")
    assert reader is not None
    assert reader.name == "markdown"
    assert pipeline.reader("hr/x.pdf") is None
    assert pipeline.reader("hr/md") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("chunk_size: 320", "chunk_size: 200"),
        ("  - MarkdownSections\n", ""),
        (".md: markdown", ".md: text"),
        ("Северный ветер", "Южный ветер"),
    ],
)
def test_what_changes_the_chunks_changes_the_fingerprint(tmp_path: Path, old: str, new: str) -> None:
    before = compiled(tmp_path).fingerprint("hr/x.md")
    assert compiled(tmp_path, old=old, new=new).fingerprint("hr/x.md") != before


def test_another_embedding_model_changes_the_fingerprint(tmp_path: Path) -> None:
    assert compiled(tmp_path, model="m2").fingerprint("hr/x.md") != compiled(tmp_path).fingerprint("hr/x.md")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: handbook", "name: other"),
        ("directory: docs", "directory: /mnt/docs"),
        ("/hr/managers/**", "/hr/bosses/**"),
        ("level: 2", "level: 7"),
        ('exclude: ["~$*"]', "exclude: []"),
        (".txt: text", ".txt: markdown"),
        ("  .txt: text\n", ""),
    ],
)
def test_what_leaves_the_chunks_leaves_the_fingerprint(tmp_path: Path, old: str, new: str) -> None:
    """Above all access rules: a changed rule moves a document, and reads nothing again."""
    before = compiled(tmp_path).fingerprint("hr/x.md")
    assert compiled(tmp_path, old=old, new=new).fingerprint("hr/x.md") == before


def test_the_recipe_for_another_folder(tmp_path: Path) -> None:
    pipeline = compiled(tmp_path)
    given = for_folder(pipeline, tmp_path / "mail", AccessClass("legal", 3))
    assert given.source.directory == str(tmp_path / "mail")
    assert given.access_class("anything/at/all.md") == AccessClass("legal", 3)
    assert given.fingerprint("x.md") == pipeline.fingerprint("x.md")
    own_rules = for_folder(pipeline, tmp_path / "mail", None)
    assert own_rules.access_class("anything.md") is None
    assert own_rules.access_class("hr/x.md") == AccessClass("hr", 1)


def test_a_source_may_be_a_llama_index_reader(tmp_path: Path) -> None:
    reader = "{reader: llama_index.core.readers.StringIterableReader, load: {texts: [один]}}"
    file = write_recipe(tmp_path, old="{directory: docs}", new=reader)
    without_readers = file.read_text("utf-8").replace("readers:\n  .md: markdown\n  .txt: text\n", "")
    file.write_text(without_readers, "utf-8")
    assert load_pipeline(file, embedding_identity="m1").source.load == {"texts": ["один"]}
    assert "readers:" in RECIPE


def test_a_recipe_is_loaded_and_a_source_scanned_without_heavy_packages(tmp_path: Path) -> None:
    """A run that finds nothing to do takes no seconds of imports."""
    (tmp_path / "docs/hr").mkdir(parents=True)
    (tmp_path / "docs/hr/a.md").write_text("текст", "utf-8")
    (tmp_path / "docs/hr/.meta.yaml").write_text("level: 2", "utf-8")
    recipe = write_recipe(tmp_path, old="docs", new=str(tmp_path / "docs"))
    program = f"""
import sys
from assistant.ingest.pipeline import load_pipeline
from assistant.ingest.plan import make_plan
from assistant.ingest.sources import scan
pipeline = load_pipeline({str(recipe)!r}, embedding_identity="m1")
assert len(make_plan(pipeline, scan(pipeline), [], {{}}).work) == 1
heavy = {{"llama_index", "torch", "chromadb", "fsspec", "httpx", "numpy", "watchfiles"}}
print(sorted(heavy & {{name.partition(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_metadata_rules_change_the_fingerprint_of_what_they_name(tmp_path: Path) -> None:
    before = compiled(tmp_path)
    rules = "metadata_rules:\n  - {match: '/hr/orders/**', values: {author: Кадры}}\n"
    after = compiled(tmp_path, old="metadata:", new=rules + "metadata:")
    assert after.fingerprint("hr/a.md") == before.fingerprint("hr/a.md")
    assert after.fingerprint("hr/orders/a.md") != before.fingerprint("hr/orders/a.md")


def test_who_may_read_is_no_part_of_the_fingerprint(tmp_path: Path) -> None:
    pipeline = compiled(tmp_path)
    plain = pipeline.fingerprint("hr/a.md")
    assert pipeline.fingerprint("hr/a.md", {"department": "hr", "level": 3}) == plain
    assert pipeline.fingerprint("hr/a.md", {"title": "Приказ", "level": 3}) != plain
