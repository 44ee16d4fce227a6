"""What an ingest did, as the command line prints it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

_SHOWN = 20  # skipped files that are named


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
    warnings: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    pages: int = 0
    ocr_pages: int = 0
    repaired_words: int = 0
    chunks_added: int = 0
    chunks_embedded: int = 0
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

    def summary(self) -> str:
        """What was done, in one line."""
        would = "would be " if self.dry_run else ""
        counts = [
            (self.added, "added"),
            (self.updated, "updated"),
            (self.deleted, "removed"),
            (self.moved, "moved to another access class"),
            (self.renamed, "renamed"),
        ]
        done = [f"{number} {would}{what}" for number, what in counts if number]
        line = f"{self.pipeline}: {self.seen} files; {', '.join([*done, f'{self.unchanged} unchanged'])}"
        return line + (f"; {self.chunks_added} passages in {self.seconds:.1f} s" if self.chunks_added else "")

    def problems(self) -> list[str]:
        """A line for every file that was not loaded, and for a source without files."""
        lines = [f"  FAILED {failure.path}: {failure.error}" for failure in self.failed]
        lines += self.notes
        lines += [f"  incomplete {warning.path}: {warning.error}" for warning in self.warnings]
        lines += [f"  skipped {path}: no reader for its extension" for path in self.skipped[:_SHOWN]]
        if len(self.skipped) > _SHOWN:
            lines.append(f"  … and {len(self.skipped) - _SHOWN} more without a reader")
        if self.seen == 0:
            lines.append(
                "The source folder holds no files: put documents into it, or name another one with --source DIR."
            )
        return lines

    def as_json(self) -> dict[str, Any]:
        found = dict(self.__dict__)
        found["failed"] = [failure.__dict__ for failure in self.failed]
        found["warnings"] = [warning.__dict__ for warning in self.warnings]
        found["seconds"] = round(self.seconds, 3)
        found["stages"] = {name: round(seconds, 3) for name, seconds in self.stages.items()}
        return found
