"""A file that could not be read for a while is read again once it can be, whatever its time and content say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.access.principal import AccessClass, Principal
from assistant.assistant import Assistant
from assistant.index.catalog import FAILED, INDEXED
from assistant.ingest import worker
from assistant.ingest.administration import Administration
from assistant.ingest.pipeline import Pipeline, load_pipeline
from assistant.ingest.report import IngestReport
from assistant.ingest.sources import SourceItem
from assistant.parts.readers import Reading
from assistant.records.tables import DocumentRow
from assistant.settings import Settings
from assistant.wiring import build
from tests.unit.samples import RECIPE, write_recipe

TEXT = "# Отпуск\n\n28 дней"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "docs/hr/a.md"
    file.parent.mkdir(parents=True)
    file.write_text(TEXT, "utf-8")
    return file


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    """The real service. No vector is written here, so no Chroma is started."""
    storage = {"path": tmp_path / "storage"}
    settings = Settings.model_validate(
        {"storage": storage, "llms": [{"provider": "echo"}], "embedding": {"provider": "hash"}}
    )
    with build(settings) as assistant:
        yield assistant
        assert not assistant.catalog.writes()


@pytest.fixture
def pipeline(tmp_path: Path, file: Path, assistant: Assistant) -> Pipeline:
    text = RECIPE.replace("directory: docs", f"directory: {tmp_path / 'docs'}")
    return load_pipeline(write_recipe(tmp_path, text=text), embedding_identity=assistant.model_identity)


@pytest.fixture
def row(file: Path, assistant: Assistant, pipeline: Pipeline) -> DocumentRow:
    """The file, as the catalog knows it: read with this recipe."""
    stat = file.stat()
    row = DocumentRow(
        id="d1",
        pipeline=pipeline.name,
        source="",
        path="hr/a.md",
        location=str(file),
        title="Отпуск",
        class_id=assistant.catalog.class_id(AccessClass("hr", 1)),
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        sha256=hashlib.sha256(TEXT.encode()).hexdigest(),
        fingerprint=pipeline.fingerprint("hr/a.md"),
        version="v1",
        chunks=0,
        details={},
        status=INDEXED,
    )
    assistant.catalog.save(row)
    return row


def planned(assistant: Assistant, pipeline: Pipeline) -> IngestReport:
    return assistant.ingest_service.run(pipeline, dry_run=True)


@pytest.mark.parametrize("status", [INDEXED, FAILED])
def test_a_file_that_was_out_of_reach_for_a_while(
    assistant: Assistant, pipeline: Pipeline, file: Path, row: DocumentRow, status: str
) -> None:
    if status == FAILED:  # it stood in the catalog as damaged, with the limits that it was read under
        row.status, row.error, row.fingerprint = FAILED, "damaged", row.fingerprint + assistant.ingest_service._limits
        assistant.catalog.save(row)
    before = planned(assistant, pipeline)
    assert (before.unchanged, len(before.failed), before.updated) == (int(status == INDEXED), int(status == FAILED), 0)
    unreadable = SourceItem("hr/a.md", file.with_name("gone.md"), size=1, mtime_ns=1)
    report = assistant.ingest_service.run(pipeline, items=[unreadable])
    assert [failure.path for failure in report.failed] == ["hr/a.md"]
    stored = assistant.catalog.document(row.id)
    assert (stored.status, stored.error) == (FAILED, "it can't be read: No such file or directory")
    again = planned(assistant, pipeline)
    assert (again.updated, again.failed, again.unchanged) == (1, [], 0)


def test_a_file_that_changed_while_it_was_read(
    assistant: Assistant, pipeline: Pipeline, file: Path, row: DocumentRow
) -> None:
    """Only its time changed in the end: size and content are what the scan saw."""
    row.sha256, row.mtime_ns = "an older content", 0
    assistant.catalog.save(row)
    seen = SourceItem("hr/a.md", file, row.size, mtime_ns=1)
    report = assistant.ingest_service.run(pipeline, items=[seen])
    assert [failure.error for failure in report.failed] == ["it changed while it was read: the next run takes it"]
    assert assistant.catalog.document(row.id).sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
    again = planned(assistant, pipeline)
    assert (again.updated, again.failed) == (1, [])


def trouble(job: worker.Job) -> Reading:
    """In the worker: a share that has gone."""
    raise worker.PassingTrouble(f"{job.location} is not there for now")


def test_a_file_that_could_not_be_read_for_the_systems_sake(
    assistant: Assistant, pipeline: Pipeline, file: Path, row: DocumentRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither it nor a setting changes, and yet it can be read the next time."""
    row.sha256 = "an older content"
    row.mtime_ns = 0
    assistant.catalog.save(row)
    monkeypatch.setattr(worker, "read", trouble)
    report = assistant.ingest_service.run(pipeline)
    assert [failure.error for failure in report.failed] == [f"{file} is not there for now"]
    again = planned(assistant, pipeline)
    assert (again.updated, again.failed) == (1, [])


def test_what_failed_is_read_once_more_when_an_administrator_asks(
    assistant: Assistant, pipeline: Pipeline, row: DocumentRow
) -> None:
    row.status, row.error, row.fingerprint = FAILED, "damaged", row.fingerprint + assistant.ingest_service._limits
    assistant.catalog.save(row)

    def asks(*departments: str) -> None:
        admin = Principal("1", "admin", frozenset({"admin"}), frozenset(departments))
        Administration(admin, assistant.policy, assistant.catalog, [str(pipeline.file)], assistant.audit).retry()

    asks("finance")  # may not know of it
    assert [failure.path for failure in planned(assistant, pipeline).failed] == ["hr/a.md"]
    asks("hr")
    again = planned(assistant, pipeline)
    assert (again.updated, again.failed) == (1, [])
    assert assistant.catalog.document(row.id).error == "damaged", "until it is read"
