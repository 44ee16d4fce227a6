"""`assistant reindex`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.context import note, of, print_json, show
from assistant.cli.ingest_view import live_progress

if TYPE_CHECKING:
    from assistant.assistant import Assistant
    from assistant.reindex.build import Reindex
    from assistant.reindex.compare import Figures
    from assistant.reindex.estimate import Estimate
    from assistant.serving import Index

_SHOWN = 20  # documents named
_USELESS = {
    "--list": ("--pipeline", "--golden", "--force"),
    "--back": ("--golden", "--force"),
    "--drop": ("--pipeline", "--golden", "--force", "--json"),
}

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    app.command("reindex")(reindex)


def reindex(
    context: typer.Context,
    pipelines: Annotated[
        list[str] | None,
        typer.Option("--pipeline", help="The file of a pipeline of the store that is not in ingest.pipelines."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask after the estimate.")] = False,
    golden: Annotated[Path | None, typer.Option(help="Labelled questions to compare by (index.golden).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Switch though it finds less, or lacks documents.")] = False,
    show: Annotated[bool, typer.Option("--list", help="Show the generations.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Switch back to the generation that is kept.")] = False,
    drop: Annotated[
        int | None, typer.Option(metavar="N", help="Remove a generation that is kept or half built.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build the index anew beside the one that answers (another model, other recipes), then switch to it without a pause.

    Killed or stopped, the same command goes on. Example: `assistant reindex --yes`
    """
    from assistant.reindex.build import Reindex

    _check_options(
        {"--list": show, "--back": back, "--drop": drop is not None},
        {"--pipeline": bool(pipelines), "--golden": golden is not None, "--force": force, "--json": as_json},
    )
    with of(context).assistant() as assistant:
        if show:
            _list(assistant, as_json)
            return
        run = Reindex(
            assistant,
            pipelines or [],
            say=note,
            waiting=lambda: note("waiting for an ingest to finish …"),
            force=force,
        )
        with run.alone():
            if back:
                _back(assistant, run, as_json)
            elif drop is not None:
                run.remove(assistant.serving.generations.of(drop))
                note(f"generation {drop} is removed")
            else:
                _build(assistant, run, yes=yes, golden=golden, force=force, as_json=as_json)


def _check_options(chosen: dict[str, bool], given: dict[str, bool]) -> None:
    """Raises `ConfigError` for options that would do nothing."""
    from assistant.errors import ConfigError

    names = [name for name, is_chosen in chosen.items() if is_chosen]
    if len(names) > 1:
        raise ConfigError("--list, --back and --drop are commands of their own: give one of them")
    for name in names:
        useless = _USELESS[name]
        if any(given[option] for option in useless):
            raise ConfigError(f"{name} takes none of {', '.join(useless)}")


def _build(assistant: Assistant, run: Reindex, *, yes: bool, golden: Path | None, force: bool, as_json: bool) -> None:
    from assistant.errors import ConfigError

    if not yes and not sys.stdin.isatty():
        raise ConfigError("nobody is there to be asked: run it with --yes")
    start = perf_counter()
    index = run.begin()
    try:
        note(_estimated(index, run.estimate(index)))
        if not yes:
            typer.confirm("Build it now?", abort=True, err=True)
    except BaseException:  # also Ctrl+C
        run.abandon(index)
        raise
    with live_progress(quiet=as_json) as progress:
        run.build(index, progress)
    figures = _compare(assistant, index, golden, force=force, quiet=as_json)
    built = run.switch(index)
    removed = run.prune()
    seconds = perf_counter() - start
    if as_json:
        shown = [vars(one) for one in figures]
        print_json({**built.as_json(), "golden": shown, "removed": removed, "seconds": round(seconds, 3)})
    else:
        print(
            f"generation {built.generation} serves: {built.documents} documents, {built.chunks} passages in {seconds:.0f} s"
        )
        if built.replaced not in removed:
            print(f"generation {built.replaced} is kept: `assistant reindex --back` returns to it")
        for number in removed:
            print(f"generation {number} is removed")
    for failure in built.lost[:_SHOWN]:
        note(f"  FAILED {failure.path}: {failure.error}")
    if built.lost:
        note(f"{len(built.lost)} documents of generation {built.replaced} could not be made: see above")
        raise typer.Exit(3)


def _estimated(index: Index, estimate: Estimate) -> str:
    generation = index.generation
    minutes, seconds = divmod(round(estimate.seconds), 60)
    return (
        f"generation {generation.number} by {generation.embedding.name}: about {estimate.documents} documents, "
        f"{estimate.passages} passages, {f'{minutes} min ' if minutes else ''}{seconds} s, "
        f"{estimate.bytes / (1 << 20):.0f} MiB of {estimate.free_bytes / (1 << 30):.1f} GiB free; "
        "questions are answered from the present one until then"
    )


def _compare(assistant: Assistant, index: Index, golden: Path | None, *, force: bool, quiet: bool) -> list[Figures]:
    """Figures of both on the golden questions. Raises `AssistantError` when the new one finds less."""
    from assistant.errors import ConfigError
    from assistant.reindex.compare import check_not_worse, figures, golden_questions

    serving = assistant.serving()
    folder = golden or assistant.settings.index.golden
    if folder is None:
        return []
    try:
        questions = golden_questions(folder, serving)
    except ConfigError:
        if golden is not None:
            raise
        return []
    if not questions:
        if golden is not None:
            raise ConfigError(f"none of the documents that {golden} asks for is in the store: give another set")
        return []
    found = []
    with _asking(quiet) as advance:
        for each in (serving, index):
            found.append(asyncio.run(figures(each, questions, advance)))
    for one in found:
        note(f"{folder}, {len(questions)} questions: {one}")
    if not force:
        check_not_worse(*found)
    return found


@contextmanager
def _asking(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("asking the golden questions", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _back(assistant: Assistant, run: Reindex, as_json: bool) -> None:
    number, found = run.back()
    made, configured = assistant.serving.generation().embedding, assistant.serving.configured
    if made.identity != configured.identity:
        note(
            f"nothing is ingested until embedding.model is set back to {made.name}: the settings name {configured.name}"
        )
    if as_json:
        print_json({"generation": number, **vars(found)})
        return
    print(f"generation {number} serves again")
    for name, what in (
        ("removed", "are gone meanwhile, or nobody can tell who may read them now: they were taken out of it"),
        ("moved", "are in another access class meanwhile, and were moved"),
        ("changed", "changed meanwhile: the next ingest reads them"),
        ("missing", "came meanwhile: the next ingest reads them"),
    ):
        paths: list[str] = getattr(found, name)
        if paths:
            more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
            print(f"{len(paths)} documents {what}: {', '.join(paths[:_SHOWN])}{more}")


def _list(assistant: Assistant, as_json: bool) -> None:
    generations = assistant.serving.generations
    sizes = generations.sizes()
    rows: list[dict[str, Any]] = []
    for one in generations.all():
        known = generations.with_embedding(one, assistant.serving.configured)
        size = sizes.get(one.number)
        rows.append(
            {
                "generation": one.number,
                "state": one.state,
                "model": known.embedding.name,
                "identity": known.embedding.identity[:10],
                "documents": size.documents if size else 0,
                "failed": size.failed if size else 0,
                "passages": size.chunks if size else 0,
                "created": one.created_at.isoformat(timespec="seconds"),
                "switched": one.switched_at.isoformat(timespec="seconds") if one.switched_at else None,
            }
        )
    if as_json:
        print_json({"generations": rows})
        return
    from rich.table import Table

    table = Table(*rows[0], box=None, header_style="bold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    show(table, width=200)
