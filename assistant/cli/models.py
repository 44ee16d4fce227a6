"""`assistant models list|pull`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from assistant.cli.context import note, of, print_json

models = typer.Typer(help="Embedding models, rerankers, language models: what is here, and fetching more.")

_STEP = 10  # percent, of a file of which no terminal shows a bar


def register(app: typer.Typer) -> None:
    app.add_typer(models, name="models")


@models.command("list")
def list_models(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Every model that the configuration or a profile names, whether it is here, and what to do.

    Example: `assistant models list`
    """
    from assistant.models.listing import list_models as listed

    settings = of(context).settings()
    found = listed(settings)
    if as_json:
        print_json({"models": [model.as_json() for model in found]})
        return
    for model in found:
        place = f"{model.place}: {model.path}" if model.path else ""
        print(f"{model.state:10} {model.kind:9} {model.name:32} {_size(model.size):>9}  {', '.join(model.used_by)}")
        for line in filter(None, (place, model.detail, model.advice and f"→ {model.advice}")):
            print(f"{'':20} {line}")


@models.command("pull")
def pull(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="BAAI/bge-reranker-v2-m3 (a hub's name), or qwen2.5:7b (Ollama's).")],
    origin: Annotated[
        str | None,
        typer.Option(
            "--from", help="A mirror (https://…), a folder, or an address as in a pipeline (webdavs://…, s3://…)."
        ),
    ] = None,
    revision: Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of the hub.")] = None,
    convert: Annotated[
        bool, typer.Option("--convert", help="Rewrite weights that exist as a pickle only as safetensors.")
    ] = False,
) -> None:
    """Fetch a model into storage/models, or have Ollama fetch it. Run again, it goes on where it was.

    Example: `assistant models pull BAAI/bge-reranker-v2-m3 --from https://hub.example.com`
    """
    from assistant.models.ollama import pull_llm, server_of
    from assistant.models.pull import pull as fetch
    from assistant.wiring import prepare_storage

    settings = of(context).settings()
    if (server := server_of(name, settings)) is not None:
        with _progress() as progress:
            pull_llm(name, origin or server, progress)
        print(f"{name} is at its server")
        return
    storage = prepare_storage(settings.storage.path)
    with _progress() as progress:
        pulled = fetch(name, storage, origin=origin, revision=revision, convert=convert, progress=progress)
    for line in pulled.notes:
        note(line)
    at = f", revision {pulled.revision[:12]}" if pulled.revision else ""
    print(f"{name}: {_size(pulled.files.size)} in {pulled.files.folder}{at}")
    if name == settings.embedding.model:
        note("→ run `assistant reindex` if documents are loaded, else `assistant ingest`: they are embedded by it")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Bars on a terminal, else a line now and then; both on stderr."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(20), DownloadColumn(), TransferSpeedColumn())
    tasks = {}
    with Progress(*columns, TimeRemainingColumn(compact=True), console=Console(stderr=True)) as bars:

        def update(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done)

        yield update


def _lines() -> Callable[[str, int, int], None]:
    told: dict[str, int] = {}

    def update(name: str, done: int, total: int) -> None:
        percent = 100 * done // max(total, 1)
        if percent >= told.get(name, -_STEP) + _STEP:
            told[name] = percent
            note(f"{name}: {percent} % of {_size(total)}")

    return update


def _size(size: int) -> str:
    if not size:
        return ""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
