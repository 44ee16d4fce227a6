"""`assistant doctor` and `assistant doctor index`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.context import note, of, print_json, show, told
from assistant.signs import without_unseen

if TYPE_CHECKING:
    from assistant.operations.index_check import IndexReport

doctor = typer.Typer(help="Every part, its version, its state, and what to do.", invoke_without_command=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_PROBLEMS = {
    "chunk_count": "documents have another number of passages than the catalog says",
    "class_differs": "documents have no access class, or passages of another one",
    "chunks_without_document": "passages have no document",
    "vectors_missing": "passages have no vector",
    "vectors_surplus": "vectors have no passage",
    "vectors_misplaced": "vectors are in the collection of another access class",
    "writes_orphaned": "vector writes are of documents that are gone",
    "writes_stale": "vector writes are of versions that are gone",
    "writes_not_noted": "documents are missing in the journal of vector writes",
    "keyword": "word index is not that of the passages",
}


def register(app: typer.Typer) -> None:
    app.add_typer(doctor, name="doctor")


@doctor.callback()
def health(context: typer.Context, as_json: Json = False) -> None:
    """Every part, its version, its state, and what to do. Example: `assistant doctor`

    `assistant doctor index` compares what the parts hold.
    """
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from assistant.operations.health import examine

    with of(context).assistant() as assistant:
        found = asyncio.run(examine(assistant, ask_directories=True))
    if as_json:
        print_json(found.as_json())
    else:
        for part in found.parts:
            told(f"{part.state:9} {part.name:18} {part.version:12} {part.detail}")
            if part.advice:
                told(f"{'':9} {'':18} → {part.advice}")
        print(found.status)
    if found.status == "unhealthy":
        raise typer.Exit(1)


@doctor.command("index")
def index(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Put right what differs, from the passages' texts.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Look for every document, not for a sample of 50.")] = False,
    as_json: Json = False,
) -> None:
    """Whether catalog, vectors and word index agree, and documents are found by their first sentence.

    Exit code 1 if something is wrong and was not repaired. Example: `assistant doctor index --repair`
    """
    from assistant.operations.index_check import SAMPLE, examine_index

    with of(context).assistant() as assistant, _progress(as_json) as progress:
        report = examine_index(
            assistant,
            repair=repair,
            sample=None if every else SAMPLE,
            waiting=lambda: note("waiting for an ingest to finish …"),
            progress=progress,
        )
    if as_json:
        print_json(report.as_json())
    else:
        _print(report)
    if not report.is_sound:
        raise typer.Exit(1)


def _print(report: IndexReport) -> None:
    from rich.table import Table

    left, findability = report.left, report.findability
    print(f"{left.documents} documents, {left.chunks} passages, {left.vectors} vectors")
    if len(report.generations) > 1:
        print(f"generations: {', '.join(f'{number} {state}' for number, state in report.generations.items())}")
    if problems := report.found.counts():
        table = Table("problem", "found", "left", "for example", box=None, header_style="bold")
        for name, count in problems.items():
            examples = without_unseen("\n".join(report.examples(name)[:2]))
            table.add_row(_PROBLEMS[name], str(count), str(left.counts().get(name, 0)), examples)
        show(table, width=240)
    else:
        print("catalog, vectors and word index agree")
    print(f"found by their own first sentence: {findability.share:.0%} of {findability.looked_for} documents")
    for path in findability.not_found[:20]:
        note(f"not found: {path}")
    if left.counts():
        advice = "run `assistant ingest`: it reads those documents anew" if report.repaired else "run it with --repair"
        note(f"→ {advice}")


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking for documents", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
