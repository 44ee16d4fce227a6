"""What the commands share: settings of the chosen profile, the built service, JSON on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from assistant.signs import unseen_escaped, without_unseen

if TYPE_CHECKING:
    from rich.table import Table

    from assistant.assistant import Assistant
    from assistant.settings import Settings


@dataclass(frozen=True)
class Context:
    profile: str | None

    def settings(self) -> Settings:
        from assistant.settings_loader import load_settings

        return load_settings(self.profile)

    @contextmanager
    def assistant(self, *, limited: bool = False) -> Iterator[Assistant]:
        """`limited` where others than the operator of this machine ask through it."""
        from assistant.operations.logs import configure_logs
        from assistant.wiring import build

        settings = self.settings()
        configure_logs(settings, console=False)
        with build(settings, limited=limited) as assistant:
            yield assistant


def of(context: typer.Context) -> Context:
    found = context.obj
    assert isinstance(found, Context)
    return found


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON
    text = json.dumps(value, ensure_ascii=False, indent=2)
    print(unseen_escaped(text))


def note(text: str) -> None:
    """A line for the person, beside the results on stdout."""
    print(without_unseen(text), file=sys.stderr)


def told(text: str, *, end: str = "\n", flush: bool = False) -> None:
    """What others have written, on stdout: a document must not move the cursor, colour a line or retitle the window."""
    print(without_unseen(text), end=end, flush=flush)


def show(table: Table, *, width: int) -> None:
    """A table on stdout, its words as they are: `[draft]` in a file's name is no markup. `width` is that of a file."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else width, markup=False, emoji=False).print(table)
