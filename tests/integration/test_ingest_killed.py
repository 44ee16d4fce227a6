"""`assistant ingest` killed with SIGKILL again and again, at any moment, while its documents go on changing."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
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


def assistant_command(storage: Path, arguments: list[str], texts: int, seconds: float) -> None:
    """In a child: the command line, to die so many seconds after so many texts were embedded."""
    os.environ |= {
        "ASSISTANT_STORAGE__PATH": str(storage),
        "ASSISTANT_CHROMA__PORT": "0",
        "ASSISTANT_EMBEDDING__PROVIDER": "hash",
        "ASSISTANT_INGEST__WORKERS": "1",
        "ASSISTANT_INGEST__BATCH_CHUNKS": "5",
        "ASSISTANT_LLMS": '[{"provider": "echo"}]',
    }
    death = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
    death.daemon = True
    embed, seen = HashEmbedding._get_text_embedding, iter(range(1, 1_000_000))

    def slow(self: HashEmbedding, text: str) -> list[float]:
        time.sleep(0.01)
        if next(seen) == texts:
            death.start()
        return embed(self, text)

    HashEmbedding._get_text_embedding = slow  # type: ignore[method-assign]
    if not texts:
        death.start()
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


def run(readers: set[psutil.Process], *arguments: object) -> int | None:
    """The exit code; the reading workers that were seen are added to `readers`."""
    process = PROCESSES.Process(target=assistant_command, args=arguments)
    process.start()
    while process.exitcode is None:
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children()
            readers |= {child for child in children if "spawn_main" in " ".join(child.cmdline())}
        process.join(0.1)
    return process.exitcode


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
    readers: set[psutil.Process] = set()
    assert run(readers, *arguments, -1, 0.0) == 0
    killed = 0
    with build(company.settings(storage)) as reader:  # as the page would be, all the time
        for number in range(ROUNDS):
            change(folder, chance, f"round{number}")
            moment = (chance.randint(1, 20), chance.uniform(0, 0.1)) if number % 4 else (0, chance.uniform(0.1, 2.0))
            killed += run(readers, *arguments, *moment) == -signal.SIGKILL
            check_versions(reader)
        assert run(readers, *arguments, -1, 0.0) == 0
        found = company.snapshot(reader)
    assert killed >= ROUNDS // 2
    assert not psutil.wait_procs(readers, timeout=10)[1], "reading workers outlive their run"
    assert company.comparable(found) == company.comparable(company.undisturbed(tmp_path / "fresh", [pipeline]))
