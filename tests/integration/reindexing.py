"""Runs of `assistant reindex` in this process, over a site that another model loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assistant.assistant import Assistant
from assistant.reindex.build import Built, Reindex
from assistant.settings import Embedding, Ingest, Settings
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import Site

QUESTION, LEAVE = "перенос отпуска", "hr/leave.md"
SMALL = Embedding(provider="hash", model="64")


def other(site: Site, embedding: Embedding = SMALL, **blocks: Any) -> Settings:
    """The same storage, with another embedding model in the settings, and the site's pipeline as the configured one."""
    given = {"embedding": embedding, "ingest": Ingest(workers=1, batch_chunks=2, pipelines=[str(site.pipeline)])}
    return company.settings(site.assistant.settings.storage.path, **given | blocks)


@contextmanager
def moving(site: Site, *, force: bool = False, **blocks: Any) -> Iterator[tuple[Assistant, Reindex]]:
    with build(other(site, **blocks)) as assistant:
        run = Reindex(assistant, [], say=print, force=force)
        with run.alone():
            yield assistant, run


def reindex(site: Site, meanwhile: Callable[[], object] = lambda: None, **blocks: Any) -> Built:
    """A whole run; `meanwhile` happens when the first passes are done."""
    with moving(site, **blocks) as (_, run):
        index = run.begin()
        assert run.estimate(index).documents > 0
        run.build(index)
        meanwhile()
        built = run.switch(index)
        run.prune()
        return built


def states(assistant: Assistant) -> dict[int, str]:
    return {one.number: one.state for one in assistant.serving.generations.all()}


def undisturbed(site: Site, folder: Path) -> dict[str, Any]:
    """What a fresh storage holds that loads today's files by the new model."""
    with build(company.settings(folder, embedding=SMALL)) as fresh:
        fresh.ingest(site.pipeline)
        return company.comparable(company.snapshot(fresh))
