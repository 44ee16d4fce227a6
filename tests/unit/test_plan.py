"""What a run has to do, decided from real files and real catalog rows before any file is read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from assistant.access.principal import AccessClass
from assistant.index.catalog import FAILED, INDEXED
from assistant.ingest.pipeline import Pipeline, load_pipeline
from assistant.ingest.plan import EMPTY, NO_RULE, Plan, make_plan
from assistant.ingest.sources import scan
from assistant.records.tables import DocumentRow
from tests.unit.samples import RECIPE, write_recipe

HR, MANAGERS = 1, 2
CLASSES = {HR: AccessClass("hr", 1), MANAGERS: AccessClass("hr", 2)}


class Folder:
    """A source folder with its pipeline, and the catalog rows of what was loaded from it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "docs"
        recipe = write_recipe(root, text=RECIPE.replace("directory: docs", f"directory: {self.root}"))
        self.pipeline: Pipeline = load_pipeline(recipe, embedding_identity="m1")
        self.rows: list[DocumentRow] = []
        self.root.mkdir()

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    def loaded(self, path: str, text: str, *, class_id: int = HR, title: str = "Title", **changes: object) -> Path:
        """A file that the catalog knows as it is now."""
        file = self.write(path, text)
        stat = file.stat()
        row = DocumentRow(
            id=f"id-{path}",
            path=path,
            location=str(file),
            title=title,
            class_id=class_id,
            size=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            fingerprint=self.pipeline.fingerprint(path),
            chunks=3,
            details={},
            status=INDEXED,
        )
        for name, value in changes.items():
            setattr(row, name, value)
        self.rows.append(row)
        return file

    def plan(self, limits: str = "") -> Plan:
        return make_plan(self.pipeline, scan(self.pipeline), self.rows, CLASSES, limits=limits)

    def recipe(self, more: str) -> None:
        """Say more in the pipeline file."""
        text = RECIPE.replace("directory: docs", f"directory: {self.root}") + more
        self.pipeline = load_pipeline(write_recipe(self.root.parent, text=text), embedding_identity="m1")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def touch(file: Path) -> None:
    """Another time, the same content."""
    os.utime(file, ns=(1_600_000_000_000_000_000, 1_600_000_000_000_000_000))


def test_a_new_file_is_read(folder: Folder) -> None:
    folder.write("hr/a.md", "текст")
    plan = folder.plan()
    assert [(work.item.path, work.row, work.access_class) for work in plan.work] == [("hr/a.md", None, CLASSES[HR])]
    assert plan.work[0].sha256 == hashlib.sha256("текст".encode()).hexdigest()


def test_a_file_that_stands_is_not_even_opened(folder: Folder) -> None:
    file = folder.loaded("hr/a.md", "текст")
    stat = file.stat()
    file.write_text("ТЕКСТ", "utf-8")  # as long, and given the old time: only its content tells
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert folder.plan() == Plan(unchanged=1)


def test_a_changed_file_is_read_again(folder: Folder) -> None:
    folder.loaded("hr/a.md", "старый текст")
    folder.write("hr/a.md", "новый текст и ещё")
    plan = folder.plan()
    assert [work.row for work in plan.work] == folder.rows
    assert plan.work[0].sha256 != folder.rows[0].sha256
    assert plan.unchanged == 0


def test_a_touched_file_is_only_noted(folder: Folder) -> None:
    touch(folder.loaded("hr/a.md", "текст"))
    plan = folder.plan()
    assert plan == Plan(unchanged=1, touched=folder.rows)
    assert folder.rows[0].mtime_ns == 1_600_000_000_000_000_000


def test_another_recipe_reads_everything_again(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст", fingerprint="an older recipe")
    assert [work.row for work in folder.plan().work] == folder.rows


def test_a_renamed_file_keeps_its_document(folder: Folder) -> None:
    folder.loaded("hr/old.md", "текст").rename(folder.root / "hr/new.md")
    plan = folder.plan()
    assert plan == Plan(unchanged=1, renamed=1, touched=folder.rows)
    assert (folder.rows[0].id, folder.rows[0].path) == ("id-hr/old.md", "hr/new.md")
    assert folder.rows[0].location == str(folder.root / "hr/new.md")


def test_a_rename_across_classes_also_moves(folder: Folder) -> None:
    (folder.root / "hr/managers").mkdir(parents=True)
    folder.loaded("hr/a.md", "текст").rename(folder.root / "hr/managers/a.md")
    plan = folder.plan()
    assert plan.moved == [(folder.rows[0], CLASSES[MANAGERS])]
    assert plan.renamed == 1
    assert plan.deleted == plan.work == []


def test_a_title_taken_from_the_old_name_is_read_again(folder: Folder) -> None:
    folder.loaded("hr/old.md", "текст", title="old").rename(folder.root / "hr/new.md")
    plan = folder.plan()
    assert plan.renamed == 0
    assert [work.item.path for work in plan.work] == ["hr/new.md"]
    assert plan.deleted == folder.rows


def test_a_rename_to_another_reader_is_read_again(folder: Folder) -> None:
    folder.loaded("hr/a.md", "# Текст").rename(folder.root / "hr/a.txt")
    plan = folder.plan()
    assert ([work.item.path for work in plan.work], plan.deleted) == (["hr/a.txt"], folder.rows)


def test_a_copy_is_a_document_of_its_own(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст")
    folder.write("hr/b.md", "текст")
    plan = folder.plan()
    assert (plan.unchanged, plan.renamed, plan.deleted) == (1, 0, [])
    assert [work.item.path for work in plan.work] == ["hr/b.md"]


def test_of_two_copies_of_a_vanished_file_one_is_its_new_name(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст").rename(folder.root / "hr/b.md")
    folder.write("hr/c.md", "текст")
    plan = folder.plan()
    assert (plan.renamed, plan.deleted) == (1, [])
    assert [work.item.path for work in plan.work] == ["hr/c.md"]


def test_a_changed_rule_moves_without_reading(folder: Folder) -> None:
    folder.loaded("hr/managers/a.md", "текст", class_id=HR)
    assert folder.plan() == Plan(unchanged=1, moved=[(folder.rows[0], CLASSES[MANAGERS])])


def test_a_changed_file_under_a_changed_rule_moves_at_once_and_is_read(folder: Folder) -> None:
    """The old version must not stay findable by the old class's readers until the new one is read."""
    folder.loaded("hr/managers/a.md", "старый", class_id=HR)
    folder.write("hr/managers/a.md", "новый текст")
    plan = folder.plan()
    assert plan.moved == [(folder.rows[0], CLASSES[MANAGERS])]
    assert [work.access_class for work in plan.work] == [CLASSES[MANAGERS]]


def test_what_no_rule_names_is_refused_and_withdrawn(folder: Folder) -> None:
    folder.loaded("sales/a.md", "текст")
    folder.write("other.md", "текст")
    plan = folder.plan()
    found = {refusal.item.path: (refusal.row, refusal.error, refusal.withdraw) for refusal in plan.refused}
    assert found == {"sales/a.md": (folder.rows[0], NO_RULE, True), "other.md": (None, NO_RULE, True)}
    assert plan.work == plan.deleted == []


def test_a_file_that_became_a_link_out_is_withdrawn(folder: Folder) -> None:
    file = folder.loaded("hr/a.md", "текст")
    file.unlink()
    file.symlink_to("/etc/hostname")
    (refusal,) = folder.plan().refused
    assert (refusal.row, refusal.withdraw) == (folder.rows[0], True)


def test_a_vanished_file_is_deleted(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст").unlink()
    folder.loaded("hr/b.md", "другой")
    assert folder.plan() == Plan(unchanged=1, deleted=[folder.rows[0]])


def test_a_file_without_a_reader_is_skipped_and_its_document_deleted(folder: Folder) -> None:
    folder.loaded("hr/a.xyz", "текст")
    assert folder.plan() == Plan(skipped=["hr/a.xyz"], deleted=folder.rows)


def test_a_file_that_failed_is_not_read_until_it_changes(folder: Folder) -> None:
    file = folder.loaded("hr/a.md", "текст", status=FAILED, error="damaged")
    assert folder.plan() == Plan(still_failing=folder.rows)
    touch(file)
    assert folder.plan() == Plan(still_failing=folder.rows, touched=folder.rows)
    file.write_text("починили", "utf-8")
    assert [work.row for work in folder.plan().work] == folder.rows


def test_a_row_without_a_recipe_is_read_whatever_its_status(folder: Folder) -> None:
    """So the service marks what must be tried again: interrupted, unreadable for a while, changed while it was read."""
    folder.loaded("hr/a.md", "текст", status=FAILED, fingerprint="")
    folder.loaded("hr/b.md", "другой", fingerprint="")
    assert [work.row for work in folder.plan().work] == folder.rows


def test_a_failed_file_that_was_renamed_is_tried_anew(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст", status=FAILED).rename(folder.root / "hr/b.md")
    plan = folder.plan()
    assert ([work.item.path for work in plan.work], plan.deleted) == (["hr/b.md"], folder.rows)


def test_what_is_incomplete_is_read_again_under_other_limits(folder: Folder) -> None:
    fingerprint = folder.pipeline.fingerprint("hr/a.md")
    folder.loaded("hr/failed.md", "один", status=FAILED, fingerprint=f"{fingerprint}-limits")
    folder.loaded("hr/half.md", "два", fingerprint=f"{fingerprint}-limits")
    folder.loaded("hr/whole.md", "три")
    assert folder.plan("-limits") == Plan(unchanged=2, still_failing=folder.rows[:1])
    plan = folder.plan("-others")
    assert [work.item.path for work in plan.work] == ["hr/failed.md", "hr/half.md"]
    assert [work.fingerprint for work in plan.work] == [fingerprint] * 2
    assert plan.unchanged == 1


def test_an_empty_file_is_noted_once_and_costs_nothing_then(folder: Folder) -> None:
    folder.write("hr/a.md", "")
    (refusal,) = folder.plan().refused
    assert (refusal.error, refusal.withdraw) == (EMPTY, False)
    folder.loaded("hr/a.md", "", status=FAILED, error=EMPTY, fingerprint="", chunks=0, class_id=None)
    assert folder.plan() == Plan(still_failing=folder.rows)
    folder.write("hr/a.md", "теперь с текстом")
    assert [work.row for work in folder.plan().work] == folder.rows


def test_a_file_that_was_emptied_keeps_its_earlier_version(folder: Folder) -> None:
    folder.loaded("hr/a.md", "текст").write_text("")
    (refusal,) = folder.plan().refused
    assert (refusal.row, refusal.withdraw) == (folder.rows[0], False)


def test_a_noted_refusal_is_not_noted_again_until_a_rule_names_the_file(folder: Folder) -> None:
    folder.loaded("sales/a.md", "текст", status=FAILED, error=NO_RULE, fingerprint="", chunks=0, class_id=None)
    assert folder.plan() == Plan(still_failing=folder.rows)
    folder.pipeline = load_pipeline(
        write_recipe(
            folder.root.parent, text=(folder.root.parent / "recipe.yaml").read_text("utf-8").replace("/hr/**", "*")
        ),
        embedding_identity="m1",
    )
    assert [work.row for work in folder.plan().work] == folder.rows
