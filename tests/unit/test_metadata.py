"""What is known of a document beside its text, and that its own metadata never opens it to more people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assistant.access.principal import AccessClass
from assistant.errors import DocumentError
from assistant.ingest import metadata
from assistant.ingest.metadata import OWN, MetadataRefused, access_class, merged, parse, settled
from assistant.ingest.pipeline import Pipeline, load_pipeline
from assistant.ingest.sources import SourceItem, scan
from tests.unit.samples import RECIPE, write_recipe

RULES = """\
metadata_rules:
  - {match: "/hr/orders/**", values: {author: Отдел кадров}}
  - {pattern: '№ ?(?P<number>[\\d-]+) от (?P<date>\\d{4}-\\d\\d-\\d\\d)', values: {author: Канцелярия}}
"""


def compiled(folder: Path, more: str = "") -> Pipeline:
    text = RECIPE.replace("directory: docs", f"directory: {folder / 'docs'}") + more
    return load_pipeline(write_recipe(folder, text=text), embedding_identity="m1")


def item(path: str = "hr/a.md", **values: Any) -> SourceItem:
    return SourceItem(path, None, 1, 1, metadata=values)


def scanned(folder: Path, texts: dict[str, str], more: str = "") -> dict[str, SourceItem]:
    for path, text in texts.items():
        file = folder / "docs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return {found.path: found for found in scan(compiled(folder, more))}


def test_values_stay_as_they_are_written() -> None:
    text = (
        "title: ' Отчёт '\nversion: 1.10\nnumber: 007\ndate: 2026-01-31T10:00:00\nlevel: 2\ntags: [да, нет]\nempty:\n"
    )
    assert parse(text, "x") == {
        "title": "Отчёт",
        "version": "1.10",
        "number": "007",
        "date": "2026-01-31",
        "level": 2,
        "tags": ["да", "нет"],
    }
    assert parse("", "x") == parse("# nothing\n", "x") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\ndate: 31.01.2026", "line 2: date: '31.01.2026' is not a day such as 2026-01-31"),
        ("date: 2026-02-30", "line 1: date: "),
        ("level: 0", "line 1: level: Input should be greater than or equal to 1"),
        ("level: high", "line 1: level: Input should be a valid integer"),
        ("department: ''", "line 1: department: "),
        ("title: {a: b}", "line 1: title: "),
        ("a: [[b]]", "line 1: a: "),
        ("_own: x", "a name that begins with _ is taken"),
        ("a: 1\na: 2", "line 2: 'a' is here twice"),
        ("- a", "write `key: value` lines"),
        ("a: [", "not valid YAML"),
        ("[" * 50_000, "not valid YAML"),
        ("a: &x [*x]", "line 1: a: "),
    ],
)
def test_a_wrong_value_names_file_line_and_key(text: str, said: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse(text, "hr/a.meta.yaml")
    assert str(refused.value).startswith("its metadata file hr/a.meta.yaml")
    assert said in str(refused.value)


def test_a_tag_in_a_metadata_file_is_only_a_name() -> None:
    assert parse("a: !!python/object/apply:os.getcwd []", "x") == {"a": []}


def test_metadata_files_from_far_to_near(tmp_path: Path) -> None:
    found = scanned(
        tmp_path,
        {
            "_meta.yaml": "company: Ветер\nauthor: все",
            "hr/.meta.yaml": "author: Кадры\nlevel: 3",
            "hr/a.docx.md": "текст",
            "hr/a.docx.meta.yaml": "title: по основе",
            "hr/a.docx.md.meta.yaml": "title: по имени\nlevel: 2",
            "hr/deep/b.md": "текст",
            "c.md": "текст",
        },
    )
    assert found["c.md"].metadata == {"company": "Ветер", "author": "все"}
    assert found["hr/deep/b.md"].metadata == {"company": "Ветер", "author": "Кадры", "level": 3}
    assert found["hr/a.docx.md"].metadata == {
        "company": "Ветер",
        "author": "Кадры",
        "title": "по имени",
        "level": 3,  # a nearer file does not take back what one above it asks for
    }
    assert sorted(found) == ["c.md", "hr/a.docx.md", "hr/deep/b.md"]


def test_the_nearest_level_wins_where_metadata_is_trusted(tmp_path: Path) -> None:
    texts = {"hr/.meta.yaml": "level: 3", "hr/a.md": "x", "hr/a.meta.yaml": "level: 2"}
    assert scanned(tmp_path, texts, "trust_metadata: true\n")["hr/a.md"].metadata == {"level": 2}


@pytest.mark.parametrize("content", [b"date: soon", b"\xff\xfe", b"a: " + b"x" * 70_000, None])
def test_a_metadata_file_that_cant_be_read_is_a_problem_that_may_pass(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "docs/hr").mkdir(parents=True)
    file = tmp_path / "docs/hr/.meta.yaml"
    if content is None:
        (tmp_path / "elsewhere.yaml").write_text("level: 2")
        file.symlink_to(tmp_path / "elsewhere.yaml")
    else:
        file.write_bytes(content)
    found = scanned(tmp_path, {"hr/a.md": "текст", "b.md": "текст"})
    assert str(found["hr/a.md"].problem).startswith("its metadata file hr/.meta.yaml")
    assert found["hr/a.md"].unreachable
    assert found["b.md"].problem is None


def test_what_is_stronger_wins(tmp_path: Path) -> None:
    pipeline = compiled(tmp_path, RULES)
    path = "hr/orders/Приказ № 5-2 от 2026-01-31.md"
    assert merged(pipeline, item(path), {}) == {
        "company": "Северный ветер",
        "author": "Отдел кадров",
        "number": "5-2",
        "date": "2026-01-31",
    }
    said = {"author": "Иванова", "title": "Приказ\0", "date": "по дате", "pages": 3, "_x": 1, "subject": None}
    assert merged(pipeline, item(path, author="Петров"), said) == {
        "company": "Северный ветер",
        "author": "Петров",
        "number": "5-2",
        "date": "2026-01-31",  # what a document says wrongly of itself is left out
        "title": "Приказ",
        "pages": 3,
    }
    assert merged(pipeline, item("hr/a.md"), {}) == {"company": "Северный ветер"}


def test_a_rule_that_finds_a_wrong_day_names_the_pipeline(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"recipe.yaml, metadata_rules: date: "):
        merged(compiled(tmp_path, RULES), item("hr/Приказ № 5 от 2026-13-31.md"), {})


def test_an_end_before_the_beginning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="valid until 2026-01-01, before it is valid from 2026-02-01"):
        merged(compiled(tmp_path), item(valid_from="2026-02-01", valid_until="2026-01-01"), {})


def test_what_nobody_may_read_is_refused_with_its_details(tmp_path: Path) -> None:
    with pytest.raises(MetadataRefused, match="no access rule") as refused:
        settled(compiled(tmp_path, "trust_metadata: true\n"), item("other/a.md"), {"title": "Приказ"})
    assert refused.value.details["title"] == "Приказ"
    with pytest.raises(MetadataRefused, match="department sales") as refused:
        settled(compiled(tmp_path), item(), {"department": "sales"})
    assert refused.value.details[OWN] == {"department": "sales"}


def own(pipeline: Pipeline, found: SourceItem, **said: Any) -> AccessClass | None:
    details = merged(pipeline, found, said)
    assert not set(metadata.ACCESS) & set(details)
    return access_class(pipeline, found, details)


def test_metadata_may_narrow(tmp_path: Path) -> None:
    pipeline = compiled(tmp_path)
    assert own(pipeline, item()) == AccessClass("hr", 1)
    assert own(pipeline, item(), level="3", department="hr") == AccessClass("hr", 3)
    assert own(pipeline, item(level=2)) == AccessClass("hr", 2)
    assert own(pipeline, item(level=2), level=4) == AccessClass("hr", 4)
    assert own(pipeline, item(level=4), level=2) == AccessClass("hr", 4)
    assert own(pipeline, item("other/a.md"), department="hr", level=9) is None


@pytest.mark.parametrize(
    ("beside", "said", "sentence"),
    [
        ({"department": "sales"}, {}, "says department sales, the pipeline's rule says hr"),
        ({}, {"department": "sales"}, "says department sales, the pipeline's rule says hr"),
        ({"department": "hr"}, {"department": "sales"}, "says department sales"),
        ({}, {"level": 1}, "says level 1, the pipeline's rule says 2"),
        ({"level": 3}, {"level": 1}, "says level 1, the pipeline's rule says 2"),
    ],
)
def test_metadata_never_widens(tmp_path: Path, beside: dict[str, Any], said: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DocumentError, match=sentence):
        own(compiled(tmp_path), item("hr/managers/a.md", **beside), **said)


@pytest.mark.parametrize(
    "said", [{"level": "everyone"}, {"level": -1}, {"department": ["hr"]}, {"department": "x" * 300}]
)
def test_a_wrong_department_or_level_is_never_left_out(tmp_path: Path, said: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match="it says of itself: (level|department): "):
        own(compiled(tmp_path), item(), **said)


def test_trusted_metadata_decides(tmp_path: Path) -> None:
    pipeline = compiled(tmp_path, "trust_metadata: true\n")
    assert own(pipeline, item("hr/managers/a.md"), level=1) == AccessClass("hr", 1)
    assert own(pipeline, item("hr/managers/a.md"), department="sales") == AccessClass("sales", 1)
    assert own(pipeline, item("other/a.md"), department="sales", level=2) == AccessClass("sales", 2)
    assert own(pipeline, item("other/a.md", department="hr"), department="sales") == AccessClass("hr", 1)
    assert own(pipeline, item("other/a.md")) is None
    assert own(pipeline, item("other/a.md"), level=2) is None


def test_a_link_does_not_lead_around_a_metadata_file(tmp_path: Path) -> None:
    """The folder's rule is one and the same; only the metadata file keeps staff out of it."""
    texts = {"hr/secret/a.md": "оклады", "hr/secret/.meta.yaml": "level: 3", "hr/open/b.md": "текст"}
    scanned(tmp_path, texts)
    (tmp_path / "docs/hr/open/a.md").symlink_to(tmp_path / "docs/hr/secret/a.md")
    (tmp_path / "docs/hr/open/c.md").symlink_to(tmp_path / "docs/hr/open/b.md")
    found = scanned(tmp_path, {})
    assert found["hr/open/a.md"].problem == "it is a link to a file of another access class"
    assert found["hr/open/c.md"].problem is None
