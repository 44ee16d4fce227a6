"""What an ingest shows on a terminal: a live line while it runs, and a table at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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

    columns = (
        MofNCompleteColumn(),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    begun = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None, counts="")

        def update(state: IngestProgress) -> None:
            counts = _counts(state, time.monotonic() - begun)
            bar.update(task, description=_current(state), completed=state.files, total=state.total, counts=counts)

        yield update


def _counts(state: IngestProgress, seconds: float) -> str:
    found = [f"{state.pages} pages"]
    if state.ocr_pages:
        found.append(f"{state.ocr_pages} by OCR")
    if state.failed:
        found.append(f"[red]{state.failed} failed[/red]")
    if state.files and seconds > 1:
        found.append(f"{state.files / seconds:.1f} files/s")
    return ", ".join(found)


def _current(state: IngestProgress) -> str:
    name = state.current if len(state.current) <= 45 else f"…{state.current[-44:]}"
    return f"{name} ({state.current_seconds:.0f} s)" if state.current_seconds >= _SLOW else name


def print_table(reports: list[IngestReport]) -> None:
    """Counts of each pipeline on stdout; time by stage under it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("pipeline")
    for name in ("files", "added", "updated", "removed", "unchanged", "failed", "pages", "by OCR", "passages", "time"):
        table.add_column(name, justify="right")
    for report in reports:
        counts = (report.seen, report.added, report.updated, report.deleted, report.unchanged, len(report.failed))
        work = (report.pages, report.ocr_pages, report.chunks_added)
        table.add_row(report.pipeline, *(str(number) for number in (*counts, *work)), f"{report.seconds:.1f} s")
    Console(width=None if sys.stdout.isatty() else 160).print(table)
