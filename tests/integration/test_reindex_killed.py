"""`assistant reindex` killed with SIGKILL while it builds, before, in and after the switch, and while it removes."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from assistant.index.generations import BUILDING, FAILED, SERVING
from assistant.parts.fakes import HashEmbedding
from assistant.settings import Embedding
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import HR, Site, paths

pytestmark = pytest.mark.server

QUESTION, LEAVE = "перенос отпуска", "hr/leave.md"
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(company.PRELOAD)

# Where it dies: (module, class, function, whether the function is done first).
SECOND_PASS = ("assistant.reindex.build", "Reindex", "switch", False)
BEFORE_SWITCH = ("assistant.index.generations", "Generations", "switch", False)
IN_SWITCH = ("assistant.index.generations", "", "now", False)  # of a run that goes on: to begin one takes the time too
AFTER_SWITCH = ("assistant.index.generations", "Generations", "switch", True)
IN_REMOVAL = ("assistant.index.generations", "Generations", "remove_rows", False)


def command(storage: Path, pipeline: Path, model: str, keep: int, texts: int, point: tuple[Any, ...] | None) -> None:
    """In a child: the command line, to die at a point, or after so many embedded texts."""
    os.environ |= {
        "ASSISTANT_STORAGE__PATH": str(storage),
        "ASSISTANT_CHROMA__PORT": "0",
        "ASSISTANT_EMBEDDING__PROVIDER": "hash",
        "ASSISTANT_EMBEDDING__MODEL": model,
        "ASSISTANT_INGEST__WORKERS": "1",
        "ASSISTANT_INGEST__BATCH_CHUNKS": "2",
        "ASSISTANT_INGEST__PIPELINES": json.dumps([str(pipeline)]),
        "ASSISTANT_INDEX__KEEP_GENERATIONS": str(keep),
        "ASSISTANT_LLMS": '[{"provider": "echo"}]',
    }
    embed, seen = HashEmbedding._get_text_embedding, iter(range(1, 1_000_000))

    def counting(self: HashEmbedding, text: str) -> list[float]:
        if next(seen) == texts:
            os.kill(os.getpid(), signal.SIGKILL)
        return embed(self, text)

    HashEmbedding._get_text_embedding = counting  # type: ignore[method-assign]
    if point is not None:
        _die_at(*point)
    from assistant.cli.main import run

    sys.argv = ["assistant", "reindex", "--yes"]
    run()


def _die_at(module: str, owner: str, name: str, done: bool) -> None:
    place = importlib.import_module(module)
    place = getattr(place, owner) if owner else place
    original = getattr(place, name)

    def dying(*arguments: Any, **options: Any) -> None:
        if done:
            original(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(place, name, dying)


def run(
    site: Site, *, model: str = "64", keep: int = 1, texts: int = -1, point: tuple[Any, ...] | None = None
) -> int | None:
    storage = site.assistant.settings.storage.path
    process = PROCESSES.Process(target=command, args=(storage, site.pipeline, model, keep, texts, point))
    process.start()
    process.join()
    return process.exitcode


def states(site: Site) -> dict[int, str]:
    return {one.number: one.state for one in site.assistant.serving.generations.all()}


def undisturbed(site: Site, folder: Path, model: str = "64") -> dict[str, Any]:
    with build(company.settings(folder, embedding=Embedding(provider="hash", model=model))) as fresh:
        fresh.ingest(site.pipeline)
        return company.comparable(company.snapshot(fresh))


def test_killed_before_the_switch_it_goes_on(site: Site, tmp_path: Path) -> None:
    moments: list[dict[str, Any]] = [
        *({"texts": texts} for texts in (1, 3, 20)),
        *({"point": point} for point in (SECOND_PASS, BEFORE_SWITCH)),
    ]
    for number, moment in enumerate(moments):
        company.write(site.folder, {f"hr/new-{number}.md": f"# Новое {number}\n\nСобака {number} охраняет склад."})
        if number == 3:
            (site.folder / "sales/returns.txt").unlink()
        assert run(site, **moment) == -signal.SIGKILL
        assert states(site) == {1: SERVING, 2: BUILDING}
        assert paths(site.assistant, QUESTION, HR)[0] == LEAVE
    assert run(site) == 0
    assert site.assistant.serving().generation.number == 2
    assert company.comparable(company.snapshot(site.assistant)) == undisturbed(site, tmp_path / "fresh")


def test_killed_in_the_switch_the_old_one_serves(site: Site) -> None:
    assert run(site, texts=3) == -signal.SIGKILL
    assert run(site, point=IN_SWITCH) == -signal.SIGKILL
    assert states(site) == {1: SERVING, 2: BUILDING}
    assert paths(site.assistant, QUESTION, HR)[0] == LEAVE
    company.snapshot(site.assistant)


def test_killed_after_the_switch_the_new_one_serves(site: Site, tmp_path: Path) -> None:
    assert run(site, point=AFTER_SWITCH, keep=0) == -signal.SIGKILL
    assert site.assistant.serving().generation.number == 2
    assert company.comparable(company.snapshot(site.assistant)) == undisturbed(site, tmp_path / "fresh")
    assert run(site, model="32", keep=0, point=IN_REMOVAL) == -signal.SIGKILL
    assert site.assistant.serving().generation.number == 3
    assert FAILED in states(site).values()
    assert run(site, model="32", keep=0) == 0
    assert states(site) == {4: SERVING}
    assert company.comparable(company.snapshot(site.assistant)) == undisturbed(site, tmp_path / "again", "32")
