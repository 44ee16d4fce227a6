"""One `assistant ingest` in a child process that is killed at a given moment, and the stage that it was in then."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.integration import company

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([*company.PRELOAD, "tests.load.corpus", "tests.load.killer"])
LIMIT = 600.0  # seconds for one run


def ingest(storage: Path, recipe: Path, stage: Path, model: str) -> None:
    """In a child: the command line; the stages that it is in stand in a file that outlives it."""
    os.environ |= {
        "ASSISTANT_STORAGE__PATH": str(storage),
        "ASSISTANT_CHROMA__PORT": "0",
        "ASSISTANT_EMBEDDING__PROVIDER": "huggingface" if model else "hash",
        "ASSISTANT_LLMS": '[{"provider": "echo"}]',
    }
    os.chdir(storage.parent)
    for number, name in ((1, "output.txt"), (2, "errors.txt")):
        os.dup2(os.open(storage.parent / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    main = sys.modules["__main__"]  # tests.load.kills, which the reading workers are not to import
    main.__spec__, main.__file__ = None, None
    _note_stages(stage)
    from assistant.cli.main import run

    sys.argv = ["assistant", "ingest", "--json", "--accept-deletions", str(recipe)]
    run()


def _note_stages(file: Path) -> None:
    from assistant.ingest.report import IngestReport

    note = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    within: list[str] = []
    times = IngestReport.stage

    def write() -> None:
        text = "+".join(sorted(set(within))) or "between stages"
        os.pwrite(note, text.ljust(80).encode(), 0)

    @contextmanager
    def stage(self: IngestReport, name: str) -> Any:
        within.append(name)
        write()
        try:
            with times(self, name):
                yield
        finally:
            within.remove(name)
            write()

    IngestReport.stage = stage  # type: ignore[method-assign]
    os.pwrite(note, b"start".ljust(80), 0)


@dataclass
class Killer:
    """Runs of one storage; `seen` are the processes that it started."""

    storage: Path
    recipe: Path
    model: str
    seen: set[psutil.Process] = field(default_factory=set)

    def run(self, *, moment: float = LIMIT, victim: str = "main") -> tuple[bool, float, str]:
        """Whether it was killed (not ended by itself), after how many seconds, and in which stage."""
        stage = self.storage.parent / "stage.txt"
        stage.write_text("start")
        process = PROCESSES.Process(target=ingest, args=(self.storage, self.recipe, stage, self.model))
        begun = time.perf_counter()
        process.start()
        while process.exitcode is None and (left := begun + moment - time.perf_counter()) > 0:
            process.join(min(left, 0.25))
            self._look(process.pid)
        if process.exitcode is None:
            self._kill(process.pid, victim)
            process.join()
        seconds = time.perf_counter() - begun
        if process.exitcode not in (0, -signal.SIGKILL):
            output = (self.storage.parent / "errors.txt").read_text("utf-8", "replace")
            raise SystemExit(f"ingest ended with {process.exitcode} by itself:\n{output[-3000:]}")
        return process.exitcode != 0, seconds, stage.read_text().strip() or "start"

    def _look(self, pid: int | None) -> None:
        with suppress(psutil.Error):
            self.seen |= set(psutil.Process(pid).children(recursive=True))

    def _kill(self, pid: int | None, victim: str) -> None:
        with suppress(psutil.Error):
            main = psutil.Process(pid)
            others = main.children(recursive=True) if victim != "main" else []
            main.kill()
            for process in others:
                with suppress(psutil.Error):
                    if "Chroma" in victim or "chroma" not in " ".join(process.cmdline()):
                        process.kill()

    def left_over(self) -> list[str]:
        """Processes of ours that live on when the last run has ended."""
        _, alive = psutil.wait_procs(self.seen, timeout=10)
        return [f"{process.pid} {process.name()}" for process in alive]


def warm_up() -> None:
    """The imports are not part of a run's time."""
    process = PROCESSES.Process(target=os.getpid)
    process.start()
    process.join()
