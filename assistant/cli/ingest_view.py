"""What an ingest shows on a terminal: a live line while it runs, and a table at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from assistant.cli.context import show
from assistant.ingest.progress import IngestProgress, Progress

if TYPE_CHECKING:
    from assistant.ingest.report import IngestReport

_SLOW = 5.0  # seconds after which the file under way is named with its time


@contextmanager
def live_progress(quiet: bool) -> Iterator[Progress | None]:
    """A bar on stderr: files, pages, pages by OCR, rate, time left, the slow file. None where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    is_narrow = console.width < 110
    columns = (
        MofNCompleteColumn(),
        BarColumn(bar_width=6 if is_narrow else 20),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.description}", markup=False),
    )
    begun = time.monotonic()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=None, counts="")

        def update(state: IngestProgress) -> None:
            counts = _counts(state, time.monotonic() - begun)
            bar.update(
                task,
                description=_current(state, 18 if is_narrow else 45),
                completed=state.files,
                total=state.total,
                counts=counts,
            )

        yield update


def _counts(state: IngestProgress, seconds: float) -> str:
    found = [f"{state.pages} pages"]
    if state.ocr_pages:
        found.append(f"{state.ocr_pages} OCR")
    if state.failed:
        found.append(f"[red]{state.failed} failed[/red]")
    if state.files and seconds > 1:
        found.append(f"{state.files / seconds:.1f}/s")
    return ", ".join(found)


def _current(state: IngestProgress, width: int) -> str:
    if state.files == state.total:
        return "storing"
    name = state.current if len(state.current) <= width else f"…{state.current[1 - width :]}"
    return f"{name} {state.current_seconds:.0f} s" if state.current_seconds >= _SLOW else name


def print_table(reports: list[IngestReport]) -> None:
    """Counts of each pipeline on stdout; what is nothing everywhere has no column, so that 80 characters are enough."""
    from rich.table import Table

    names = ("files", "added", "updated", "removed", "unchanged", "failed", "pages", "by OCR", "passages")
    rows = [
        (r.seen, r.added, r.updated, r.deleted, r.unchanged, len(r.failed), r.pages, r.ocr_pages, r.chunks_added)
        for r in reports
    ]
    shown = [number for number in range(len(names)) if any(row[number] for row in rows)]
    table = Table("pipeline", box=None, header_style="bold", pad_edge=False)
    for name in (*(names[number] for number in shown), "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for report, row in zip(reports, rows, strict=True):
        table.add_row(report.pipeline, *(str(row[number]) for number in shown), f"{report.seconds:.1f} s")
    show(table, width=160)
