"""What `assistant watch` hears, with the system's own notifications; runs are only counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import watchfiles

from assistant.ingest.report import IngestReport
from assistant.ingest.watch import keep_in_step
from assistant.settings import Watch
from tests.unit.samples import RECIPE, write_recipe


class Watching:
    """A thread that watches a folder; sweeps are an hour apart."""

    def __init__(self, root: Path) -> None:
        self.docs = root / "docs"
        self.docs.mkdir()
        self.recipe = write_recipe(root, text=RECIPE.replace("directory: docs", f"directory: {self.docs}"))
        self.runs = 0
        self.said: list[str] = []
        self._stop = Event()
        self._thread = Thread(target=self._watch)

    def start(self) -> None:
        self._thread.start()
        self.wait_for(lambda: self.runs == 1)
        time.sleep(1.5)  # until it listens

    def end(self) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < until, (self.runs, self.said)
            time.sleep(0.05)

    def _watch(self) -> None:
        settings = Watch(debounce_seconds=0.2, sweep_minutes=60)
        keep_in_step([self.recipe], run=self._run, settings=settings, stop=self._stop, say=self.said.append)

    def _run(self, *_: object, **__: object) -> IngestReport:
        self.runs += 1
        return IngestReport("handbook")


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    found = Watching(tmp_path)
    yield found
    found.end()


def test_a_folder_that_was_made_anew_is_heard(watching: Watching) -> None:
    """Within the second between two looks, and with the inode of the one before, where the file system gives it again."""
    watching.start()
    before = watching.docs.stat().st_ino
    for _ in range(20):
        watching.docs.rmdir()
        watching.docs.mkdir()
        if watching.docs.stat().st_ino == before:
            break
    watching.wait_for(lambda: watching.runs == 2)
    time.sleep(1.5)
    (watching.docs / "a.md").write_text("x")
    watching.wait_for(lambda: watching.runs == 3)
    assert watching.runs == 3


def test_an_access_file_is_heard_and_other_hidden_files_are_not(watching: Watching) -> None:
    (watching.docs / "hr").mkdir()
    watching.start()
    (watching.docs / "hr/.swap").write_text("x")
    time.sleep(2.5)
    assert watching.runs == 1
    (watching.docs / "hr/.access.yaml").write_text("level: 2")
    watching.wait_for(lambda: watching.runs == 2)


@pytest.mark.parametrize(
    ("error", "said"),
    [(OSError("OS file watch limit reached."), "some changes are found by the sweep only"), (PermissionError(), "")],
)
def test_what_cant_be_listened_to_is_said_and_the_rest_is_heard(
    watching: Watching, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    """A folder that this account may not read, or one more than the system's limit: `watchfiles` may keep silent of it."""
    watch = watchfiles.watch

    def limited(*folders: str, ignore_permission_denied: bool, **options: Any) -> Iterator[Any]:
        if not ignore_permission_denied:
            raise error
        yield from watch(*folders, ignore_permission_denied=True, **options)

    monkeypatch.setattr(watchfiles, "watch", limited)
    watching.start()
    (watching.docs / "a.md").write_text("x")
    watching.wait_for(lambda: watching.runs == 2)
    assert [line[: len(said)] for line in watching.said] == ([said] if said else [])
