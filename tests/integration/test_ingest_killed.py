"""`assistant ingest` killed with SIGKILL again and again, at any moment, while its documents go on changing."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from assistant.assistant import Assistant
from assistant.parts.fakes import HashEmbedding
from assistant.wiring import build
from tests.integration import company

pytestmark = pytest.mark.server

ROUNDS = 12
FOLDERS = ("hr", "hr/managers", "sales", "other")
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(company.PRELOAD)


def assistant_command(storage: Path, arguments: list[str]) -> None:
    """In a child: the command line, with an embedding model slow enough to be killed in."""
    os.environ |= {
        "ASSISTANT_STORAGE__PATH": str(storage),
        "ASSISTANT_CHROMA__PORT": "0",
        "ASSISTANT_EMBEDDING__PROVIDER": "hash",
        "ASSISTANT_LLMS": '[{"provider": "echo"}]',
    }
    quick = HashEmbedding._get_text_embedding

    def slow(self: HashEmbedding, text: str) -> list[float]:
        time.sleep(0.01)
        return quick(self, text)

    HashEmbedding._get_text_embedding = slow  # type: ignore[method-assign]
    from assistant.cli.main import run

    sys.argv = ["assistant", *arguments]
    run()


def write_version(folder: Path, name: str, version: str, sections: int) -> None:
    text = "".join(f"## Section {number}\n\nText {number} of {version}.\n\n" for number in range(sections))
    company.write(folder, {name: f"# {Path(name).stem}\n\nBeginning of {version}.\n\n{text}"})


def change(folder: Path, chance: random.Random, version: str) -> None:
    """A few documents are changed, made, deleted, or moved to another access class."""
    files = sorted(folder.rglob("*.md"))
    for file in chance.sample(files, min(len(files), 4)):
        action, name = chance.random(), file.relative_to(folder).as_posix()
        if action < 0.5:
            write_version(folder, name, version, chance.randint(1, 6))
        elif action < 0.65:
            file.unlink()
        else:
            target = folder / chance.choice(FOLDERS) / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(file, target)
    for number in range(3):
        write_version(folder, f"{chance.choice(FOLDERS)}/{version}-{number}.md", version, chance.randint(1, 6))


def kill_after(process: multiprocessing.process.BaseProcess, seconds: float) -> None:
    """And its reading workers must not outlive it. The Chroma server may: whoever comes next uses it."""
    process.join(seconds)
    family = psutil.Process(process.pid).children(recursive=True) if process.exitcode is None else []
    readers = [child for child in family if "spawn_main" in " ".join(child.cmdline())]
    process.kill()
    process.join()
    _, alive = psutil.wait_procs(readers, timeout=10)
    assert not alive, "reading workers live on after their run was killed"


def check_versions(assistant: Assistant) -> None:
    for view in assistant.documents():
        passages = assistant.catalog.passages_of(view.row.id)
        versions = {passage.text.rstrip(".").rsplit(" ", 1)[-1] for passage in passages}
        assert len(versions) <= 1, f"{view.row.path} is a mixture"
        assert len({passage.access_class for passage in passages}) <= 1


@pytest.mark.parametrize("seed", [20240917])
def test_random_kills_lose_nothing(tmp_path: Path, seed: int) -> None:
    chance, folder, storage = random.Random(seed), tmp_path / "docs", tmp_path / "storage"
    print(f"seed {seed}")
    for number in range(6):
        write_version(folder, f"{chance.choice(FOLDERS)}/first-{number}.md", "first", 3)
    pipeline = company.recipe(tmp_path / "company.yaml", folder)
    arguments = (storage, ["ingest", "--accept-deletions", str(pipeline)])
    begun = time.monotonic()
    first = PROCESSES.Process(target=assistant_command, args=arguments)
    first.start()
    first.join()
    assert first.exitcode == 0
    whole = time.monotonic() - begun
    killed = 0
    with build(company.settings(storage)) as reader:  # as the page would be, all the time
        for number in range(ROUNDS):
            change(folder, chance, f"round{number}")
            process = PROCESSES.Process(target=assistant_command, args=arguments)
            process.start()
            kill_after(process, whole * chance.uniform(0.2, 1.0))
            killed += process.exitcode == -signal.SIGKILL
            check_versions(reader)
        last = PROCESSES.Process(target=assistant_command, args=arguments)
        last.start()
        last.join()
        assert last.exitcode == 0
        found = company.snapshot(reader)
    assert killed >= ROUNDS // 2
    assert company.comparable(found) == company.comparable(company.undisturbed(tmp_path / "fresh", [pipeline]))
