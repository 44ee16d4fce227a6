"""What goes wrong around a file's reading costs that file alone, and what passes is tried again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import AssistantError
from assistant.ingest import reading, worker
from assistant.ingest.pipeline import ReaderChoice
from assistant.ingest.reading import ReadResult, ReadTask, read_all
from assistant.parts.readers import READERS, CorporateReader, Part, ReadContext, Reading
from assistant.settings import Ingest, IngestLimits, Ocr

WORKER_READ, WORKER_RECOGNISE = worker.read, worker.recognise


class OwnError(Exception):
    """As libraries have them: it can't be made anew from its text, so it does not come through a pipe."""

    def __init__(self, place: int, what: str) -> None:
        super().__init__(f"{what} at {place}")


class Deadly:
    """Kills the worker while it sends the result, as a machine without memory does."""

    def __reduce__(self) -> tuple[Any, ...]:
        os.kill(os.getpid(), signal.SIGKILL)
        return (Deadly, ())


class OddReader(CorporateReader):
    """Does what the file's name says."""

    def read(self, file: Path, context: ReadContext) -> Reading:
        if file.stem == "own":
            raise OwnError(3, "nonsense\udce9\0")
        if file.stem == "exit":
            raise SystemExit(3)
        if file.stem == "gone":
            (file.parent / "never there").read_bytes()
        if file.stem == "memory":
            raise OSError(12, "Cannot allocate memory")
        if file.stem == "deadly":
            return Reading([Part("text")], {"title": Deadly()})
        return Reading([Part("text", "1"), Part("", "2", picture=1)] if file.stem == "scan" else [Part("text")])

    def recognise(self, file: Path, pictures: Sequence[int], context: ReadContext) -> list[Part]:
        raise OSError(28, "No space left on device")


def odd() -> CorporateReader:
    return OddReader()


def read(job: worker.Job) -> Reading:
    """In the worker: `worker.read` with one reader more."""
    READERS.register("odd")(odd)
    return WORKER_READ(job)


def recognise(job: worker.Job, pictures: list[int]) -> list[Part]:
    READERS.register("odd")(odd)
    return WORKER_RECOGNISE(job, pictures)


Results = Callable[..., dict[str, ReadResult]]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setattr(worker, "read", read)
    monkeypatch.setattr(worker, "recognise", recognise)

    def _results(*names: str, **settings: Any) -> dict[str, ReadResult]:
        for name in names:
            (tmp_path / name).write_text("x")
        tasks = [ReadTask(name, tmp_path / name, ReaderChoice("odd"), 1) for name in names]
        found = read_all(tasks, settings=Ingest(workers=1, **settings), cache=tmp_path / "cache" / "ocr")
        return {result.key: result for result in found}

    return _results


def test_an_error_of_any_class_fails_its_own_file_only(results: Results) -> None:
    found = results("a", "own", "b", "exit", "c", "memory", "d")
    assert {name: result.error for name, result in found.items() if result.error} == {
        "own": "the reader failed on it: OwnError: nonsense? at 3",
        "exit": "the reader failed on it: SystemExit: 3",
        "memory": "reading needs more than 3072 MB (ingest.limits.memory_mb)",
    }
    assert not any(result.passing for result in found.values())


def test_trouble_of_the_system_is_not_the_files(results: Results) -> None:
    found = results("a", "gone", "scan")
    assert (found["gone"].passing, found["scan"].passing, found["a"].passing) == (True, True, False)
    assert "No such file or directory" in (found["gone"].error or "")
    assert (found["scan"].error, [page.text for page in found["scan"].pages]) == (None, ["text", ""])
    assert "No space left on device" in (found["scan"].warning or "")


def test_pages_that_are_not_recognised_are_said(results: Results) -> None:
    """Else they would never be read, also once it is switched on."""
    assert "(ingest.ocr.enabled is off)" in (results("scan", ocr=Ocr(enabled=False))["scan"].warning or "")


def test_reading_that_is_stuck_ends(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """No document is noted as failed: the next run reads them."""
    monkeypatch.setattr(reading, "_GRACE", 0.5)
    limits = IngestLimits(seconds=1, ocr_page_seconds=0.1)
    with pytest.raises(AssistantError, match="ended or do not answer"):
        results("deadly", "a", "b", limits=limits)


def test_workers_that_end_at_their_start(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "isolate", os._exit)
    with pytest.raises(AssistantError, match="ended or do not answer"):
        results("a", "b", limits=IngestLimits(memory_mb=1))


def test_nothing_temporary_is_left(tmp_path: Path, results: Results) -> None:
    results("a", "own")
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == []
