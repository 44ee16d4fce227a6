"""What an ingest did, as the command line prints it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any


@dataclass(frozen=True)
class Failure:
    path: str
    error: str


@dataclass
class IngestReport:
    """Counts of documents and chunks; `failed` names every file that could not be loaded, and why."""

    pipeline: str
    seen: int = 0
    added: int = 0
    updated: int = 0
    deleted: int = 0
    moved: int = 0
    renamed: int = 0
    unchanged: int = 0
    failed: list[Failure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    chunks_added: int = 0
    chunks_deleted: int = 0
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    dry_run: bool = False

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time spent inside to the stage's seconds."""
        start = perf_counter()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + perf_counter() - start

    def as_json(self) -> dict[str, Any]:
        found = dict(self.__dict__)
        found["failed"] = [failure.__dict__ for failure in self.failed]
        found["seconds"] = round(self.seconds, 3)
        found["stages"] = {name: round(seconds, 3) for name, seconds in self.stages.items()}
        return found
