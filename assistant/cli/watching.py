"""`assistant watch`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Annotated

import typer

from assistant.cli.context import note, of


def register(app: typer.Typer) -> None:
    app.command("watch")(watch)


def watch(
    context: typer.Context,
    pipelines: Annotated[
        list[str] | None, typer.Argument(help="Pipeline files or names; without: those of ingest.pipelines.")
    ] = None,
) -> None:
    """Keep in step with the folders: load what is new or changed within seconds, until Ctrl+C or SIGTERM.

    Servers and network shares are compared every ingest.watch.sweep_minutes. Example: `assistant watch hr`
    """
    from assistant.ingest.watch import keep_in_step

    stop = Event()
    with _stopped_by_signals(stop), of(context).assistant() as assistant:
        assistant.serving.check_model()
        assistant.auditing.started(assistant.settings, "watch")
        wanted = pipelines or assistant.settings.ingest.pipelines
        note(f"watching {', '.join(wanted)}; Ctrl+C ends it")
        keep_in_step(
            wanted,
            run=assistant.ingest,
            settings=assistant.settings.ingest.watch,
            stop=stop,
            say=lambda line: print(line, flush=True),
        )


@contextmanager
def _stopped_by_signals(stop: Event) -> Iterator[None]:
    """The first signal ends it after what is being stored; a second Ctrl+C ends it at once."""

    def end(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
