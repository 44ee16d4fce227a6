"""What a run has to do when metadata files, or what documents say of themselves, came or changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.index.catalog import FAILED
from assistant.ingest.metadata import OWN
from assistant.ingest.plan import NO_RULE, Plan
from tests.unit.test_plan import CLASSES, HR, MANAGERS, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_metadata_file_that_came_or_changed_has_the_document_read_again(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст")
    folder.write("hr/a.md.meta.yaml", "title: Приказ")
    (work,) = folder.plan().work
    folder.rows[0].fingerprint = work.fingerprint
    assert folder.plan() == Plan(unchanged=1)
    folder.write("hr/a.md.meta.yaml", "title: Приказ 2")
    assert len(folder.plan().work) == 1


def test_a_metadata_file_that_says_only_who_may_read_moves_the_document(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст")
    folder.write("hr/a.meta.yaml", "level: 2\ndepartment: hr")
    assert folder.plan() == Plan(unchanged=1, moved=[(folder.rows[0], CLASSES[MANAGERS])])
    folder.rows[0].class_id = MANAGERS
    (folder.root / "hr/a.meta.yaml").unlink()
    assert folder.plan() == Plan(unchanged=1, moved=[(folder.rows[0], CLASSES[HR])])


def test_what_a_document_said_of_itself_is_remembered_without_opening_it(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст", class_id=MANAGERS, details={OWN: {"level": 2}})
    assert folder.plan() == Plan(unchanged=1)
    folder.loaded("hr/b.md", "другой", class_id=HR, details={OWN: {"level": 2}})
    assert folder.plan() == Plan(unchanged=2, moved=[(folder.rows[1], CLASSES[MANAGERS])])


def test_a_metadata_file_of_another_department_withdraws_the_document(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст")
    folder.write("hr/_meta.yaml", "department: sales")
    (refusal,) = folder.plan().refused
    assert "says department sales, the pipeline's rule says hr" in refusal.error
    assert (refusal.row, refusal.withdraw) == (folder.rows[0], True)


def test_a_document_that_contradicts_the_rule_is_read_again_with_another_recipe(folder: Folder) -> None:
    """A reader that was put right may find that it says something else."""
    own = {OWN: {"department": "sales"}}
    folder.loaded("hr/a.md", "текст", details=own, status=FAILED, chunks=0, class_id=None)
    folder.rows[0].error = folder.plan().refused[0].error
    folder.rows[0].fingerprint = "of another version of the readers"
    (work,) = folder.plan().work
    folder.rows[0].fingerprint = work.fingerprint
    assert folder.plan() == Plan(still_failing=folder.rows)


def test_a_document_that_contradicts_the_rule_is_read_again_only_when_it_changes(folder: Folder) -> None:
    own = {OWN: {"department": "sales"}}
    file = folder.loaded("hr/a.md", "текст", details=own, status=FAILED, chunks=0, class_id=None)
    error = folder.plan().refused[0].error
    folder.rows[0].error = error
    assert folder.plan() == Plan(still_failing=folder.rows)
    file.write_text("исправлено", "utf-8")
    assert [work.row for work in folder.plan().work] == folder.rows


def test_a_broken_metadata_file_leaves_what_is_loaded_where_it_is(folder: Folder) -> None:
    """A slip of the pen in one file must not take a folder out of the index, nor open it to more people."""
    folder.loaded("hr/a.md", "текст", class_id=MANAGERS)
    folder.loaded("hr/managers/b.md", "другой", class_id=HR)
    folder.write("hr/.meta.yaml", "level: [")
    plan = folder.plan()
    assert [(refusal.row, refusal.withdraw) for refusal in plan.refused] == [(row, False) for row in folder.rows]
    assert plan.moved == [(folder.rows[1], CLASSES[MANAGERS])]


def test_trusted_metadata_may_come_from_the_document_itself(folder: Folder) -> None:
    folder.write("other/a.md", "текст")
    assert [refusal.error for refusal in folder.plan().refused] == [NO_RULE]
    folder.recipe("trust_metadata: true\n")
    assert [(work.item.path, work.access_class) for work in folder.plan().work] == [("other/a.md", None)]
    folder.loaded("other/a.md", "текст", class_id=HR, details={OWN: {"department": "hr"}})
    assert folder.plan() == Plan(unchanged=1)


def test_a_document_that_was_refused_after_reading_is_read_again_when_a_rule_names_it(folder: Folder) -> None:
    folder.recipe("trust_metadata: true\n")
    folder.loaded("other/a.md", "текст", status=FAILED, error=NO_RULE, chunks=0, class_id=None)
    assert folder.plan() == Plan(still_failing=folder.rows)
    folder.write("other/a.meta.yaml", "department: hr")
    assert [work.row for work in folder.plan().work] == folder.rows
