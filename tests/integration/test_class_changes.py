"""A document changes its class by a pipeline's rule or an access file, while its old and its new readers ask on and on.

Never do both find it: whatever the old reader asks after the new one has found it, he finds nothing. Also when runs are
killed, and what is kept of it elsewhere follows.
"""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from assistant.access.principal import AccessClass
from assistant.assistant import Assistant
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import HR, SALES, Site
from tests.integration.test_ingest_killed import assistant_command

pytestmark = pytest.mark.server

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(company.PRELOAD)
READERS = {"hr": HR, "sales": SALES}
RULED, BESIDE = "ruled/salary.md", "pool/bonus.md"
QUESTION = "премия и оклад"
TEXTS = {RULED: "# Оклад\n\nОклад и премия за год.", BESIDE: "# Премия\n\nПремия и оклад за квартал."}


@dataclass
class Asking:
    """Two threads, one for each reader, over a service of their own, as another process has it."""

    assistant: Assistant
    stop: threading.Event = field(default_factory=threading.Event)
    # reader → (begun, ended, paths found), in order
    seen: dict[str, list[tuple[float, float, set[str]]]] = field(default_factory=lambda: {"hr": [], "sales": []})
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> Asking:
        self._threads = [threading.Thread(target=self._ask, args=(name,)) for name in READERS]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, name: str) -> None:
        while not self.stop.is_set():
            begun = time.monotonic()
            found = company.search(self.assistant, QUESTION, READERS[name], k=10)
            paths = {source.passage.path for source in found.sources}
            self.failures += [
                f"{name} was given {source.passage.path} of {source.passage.access_class}"
                for source in found.sources
                if source.passage.access_class.department not in (name, "company")
            ]
            self.seen[name].append((begun, time.monotonic(), paths & set(TEXTS)))
            time.sleep(0.01)

    def wait(self, done: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not done():
            assert time.monotonic() < until, "nobody found what is to be found"
            time.sleep(0.05)

    def finds_now(self, name: str, path: str) -> bool:
        """Whether a question that begins from now on finds it."""
        begun = time.monotonic()
        self.wait(lambda: bool(self.seen[name]) and self.seen[name][-1][0] > begun)
        return path in self.seen[name][-1][2]


def overlaps(asking: Asking, path: str, old: str, since: float) -> list[tuple[float, float, set[str]]]:
    """Questions of the old reader that found the path though the new one had found it before they were asked."""
    new = next(name for name in READERS if name != old)
    first = min((ended for begun, ended, paths in asking.seen[new] if begun > since and path in paths), default=None)
    if first is None:
        return []
    return [one for one in asking.seen[old] if one[0] > first and path in one[2]]


def arrange(site: Site, ruled: str, beside: str) -> None:
    site.rules({"/ruled/**": (ruled, 1)})
    company.write(site.folder, {"pool/.access.yaml": f"department: {beside}\n"})


@pytest.fixture
def moving(tmp_path: Path) -> Site:
    folder = tmp_path / "docs"
    company.write(folder, TEXTS)
    return Site(folder, tmp_path / "company.yaml", None)  # type: ignore[arg-type]  # each part of the test has its own


def test_never_both_while_rules_and_access_files_change(moving: Site, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    chance = random.Random(seed)
    arrange(moving, "hr", "hr")
    with (
        build(company.settings(tmp_path / "storage")) as writer,
        build(company.settings(tmp_path / "storage")) as reader,
    ):
        assert writer.ingest(moving.pipeline).failed == []
        with Asking(reader) as asking:
            assert asking.finds_now("hr", RULED)
            old = "hr"
            for change in range(6):
                new, since = "sales" if old == "hr" else "hr", time.monotonic()
                arrange(moving, new, new)
                if change % 2:  # killed somewhere, and done again
                    _killed(tmp_path / "storage", moving.pipeline, chance.uniform(0.0, 1.5))
                report = writer.ingest(moving.pipeline)
                assert report.failed == [], seed
                for path in TEXTS:
                    assert not asking.finds_now(old, path), f"seed {seed}: {old} finds {path} after the run"
                    assert asking.finds_now(new, path), f"seed {seed}: {new} does not find {path} after the run"
                    assert overlaps(asking, path, old, since) == [], f"seed {seed}: both found {path}"
                old = new
        assert asking.failures == [], seed
        assert min(len(seen) for seen in asking.seen.values()) > 30
        company.snapshot(writer)  # fails where vectors, words and passages disagree


def _killed(storage: Path, pipeline: Path, seconds: float) -> None:
    process = PROCESSES.Process(target=assistant_command, args=(storage, ["ingest", str(pipeline)], 0, seconds))
    process.start()
    process.join(60)
    assert process.exitcode is not None


def test_a_broken_access_file_takes_documents_out_and_a_right_one_brings_them_back(
    moving: Site, tmp_path: Path
) -> None:
    arrange(moving, "hr", "hr")
    with build(company.settings(tmp_path / "storage")) as assistant:
        assistant.ingest(moving.pipeline)
        assert set(company.paths(assistant, QUESTION, HR)) == set(TEXTS)
        company.write(moving.folder, {"pool/.access.yaml": "departmnt: hr\n"})
        report = assistant.ingest(moving.pipeline)
        assert list(company.reasons(report)) == [BESIDE]
        assert "line 1: unknown key 'departmnt': did you mean department?" in company.reasons(report)[BESIDE]
        assert set(company.paths(assistant, QUESTION)) == {RULED}, "the local operator reads all there is"
        company.write(moving.folder, {"pool/.access.yaml": "department: hr\nlevel: 2\n"})
        assert assistant.ingest(moving.pipeline).failed == []
        assert company.indexed(assistant)[BESIDE] == AccessClass("hr", 2)
        assert set(company.paths(assistant, QUESTION, HR)) == {RULED}
        (moving.folder / "pool/.access.yaml").unlink()
        report = assistant.ingest(moving.pipeline)
        assert "no access rule names it" in company.reasons(report)[BESIDE]
        company.snapshot(assistant)
