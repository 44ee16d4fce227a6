"""`assistant watch` as a process of its own: what happens in a folder is in the catalog seconds later."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration import company

pytestmark = pytest.mark.server


class Watching:
    """The process, its folder of documents, and what its catalog holds."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "docs"
        self.recipe = company.recipe(root / "company.yaml", self.folder)
        self.output = root / "output"
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / "hr").mkdir(parents=True)

    def start(self, **environment: str) -> None:
        given = {
            "ASSISTANT_STORAGE__PATH": str(self._root / "storage"),
            "ASSISTANT_CHROMA__PORT": "0",
            "ASSISTANT_EMBEDDING__PROVIDER": "hash",
            "ASSISTANT_INGEST__WORKERS": "1",
            "ASSISTANT_INGEST__WATCH__DEBOUNCE_SECONDS": "0.3",
        }
        command = [sys.executable, "-m", "assistant", "watch", str(self.recipe)]
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                command, env={**os.environ, **given, **environment}, cwd=self._root, stdout=output, stderr=output
            )

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(60)
        finally:
            self._process.kill()

    def said(self) -> str:
        return self.output.read_text("utf-8")

    def loaded(self) -> dict[str, str]:
        """Path → status."""
        database = self._root / "storage" / "assistant.db"
        if not database.exists():
            return {}
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            try:
                return dict(connection.execute("select path, status from documents").fetchall())
            except sqlite3.OperationalError:  # its tables are being made
                return {}

    def wait_for(self, condition: Callable[[], bool], seconds: float = 90) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, (self.loaded(), self.said())
            assert self._process is not None
            assert self._process.poll() is None, self.said()
            time.sleep(0.1)


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    found = Watching(tmp_path)
    yield found
    found.end(signal.SIGKILL)


def test_what_happens_in_the_folder_is_in_the_catalog(watching: Watching) -> None:
    company.write(watching.folder, {"hr/a.md": "# Отпуск\n\nДвадцать восемь дней."})
    watching.start()
    watching.wait_for(lambda: watching.loaded() == {"hr/a.md": "indexed"})
    company.write(watching.folder, {"hr/новая папка/б.md": "# Приказ\n\nО переносе."})
    watching.wait_for(lambda: watching.loaded().get("hr/новая папка/б.md") == "indexed")
    company.write(watching.folder, {"hr/a.md": "# Отпуск\n\nТридцать дней.", "hr/~$a.tmp": "x", "hr/.~lock": "x"})
    watching.wait_for(lambda: "1 updated" in watching.said())
    (watching.folder / "hr/a.md").unlink()
    watching.wait_for(lambda: list(watching.loaded()) == ["hr/новая папка/б.md"])
    assert watching.end() == 0
    assert "Traceback" not in watching.said()
    lines = [line for line in watching.said().splitlines() if line.startswith("company:")]
    assert len(lines) == 4, watching.said()


def test_a_folder_that_is_never_quiet_is_loaded(watching: Watching) -> None:
    company.write(watching.folder, {"hr/a.md": "# Отпуск\n\nДвадцать восемь дней."})
    watching.start()
    watching.wait_for(lambda: "hr/a.md" in watching.loaded())
    company.write(watching.folder, {"hr/b.md": "# Приказ\n\nО переносе."})
    number = 0

    def loaded_while_written() -> bool:
        nonlocal number
        number += 1
        (watching.folder / f"hr/{number % 5}.log").write_text("x" * number)
        return "hr/b.md" in watching.loaded()

    watching.wait_for(loaded_while_written, seconds=60)
    assert watching.end(signal.SIGINT) == 0


def test_a_run_that_fails_is_said_and_tried_again(watching: Watching) -> None:
    watching.folder.rename(watching.folder.with_name("away"))
    watching.start(ASSISTANT_INGEST__WATCH__SWEEP_MINUTES="60")
    watching.wait_for(lambda: "is not there: mount or make it" in watching.said())
    away = watching.folder.with_name("away")
    company.write(away, {"hr/a.md": "# Отпуск\n\nДвадцать восемь дней."})
    away.rename(watching.folder)
    watching.wait_for(lambda: watching.loaded() == {"hr/a.md": "indexed"})
    watching.recipe.write_text("name: [", "utf-8")
    company.write(watching.folder, {"hr/b.md": "# Приказ\n\nО переносе."})
    watching.wait_for(lambda: "not valid YAML" in watching.said())
    company.recipe(watching.recipe, watching.folder)
    company.write(watching.folder, {"hr/c.md": "# Приказ\n\nО сроках."})
    watching.wait_for(lambda: set(watching.loaded()) == {"hr/a.md", "hr/b.md", "hr/c.md"})
    assert watching.end() == 0


def test_a_source_without_notifications_is_swept(watching: Watching) -> None:
    """A server says nothing of its changes; fsspec's file system stands for it by its own protocol."""
    from tests.servers.webdav import PASSWORD, USER, webdav

    with webdav(watching.folder) as server:
        source = f'{{url: "{server.url}", options: {{username: {USER}, password: {PASSWORD}}}}}'
        text = watching.recipe.read_text("utf-8").replace(f'{{directory: "{watching.folder}"}}', source)
        watching.recipe.write_text(text, "utf-8")
        watching.start(ASSISTANT_INGEST__WATCH__SWEEP_MINUTES="0.05")
        watching.wait_for(lambda: "watching" in watching.said())
        company.write(watching.folder, {"hr/a.md": "# Отпуск\n\nДвадцать восемь дней."})
        watching.wait_for(lambda: watching.loaded() == {"hr/a.md": "indexed"})
        assert watching.end() == 0


def test_a_wrong_pipeline_ends_it_at_once(watching: Watching) -> None:
    watching.recipe.write_text("nmae: x\n", "utf-8")
    watching.start()
    assert watching._process is not None
    assert watching._process.wait(60) == 2
    assert "unknown key 'nmae': did you mean name?" in watching.said()
