"""`assistant access …`: who may read what, and the proof of it."""

from __future__ import annotations

from typing import Annotated

import typer

from assistant.cli import explaining
from assistant.cli.context import note, of, print_json

access = typer.Typer(help="Who may read what, and the proof of it.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(access, name="access")
    explaining.register(access)


@access.command("verify")
def verify(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Plant a canary in every access class and ask every path for it as every kind of person; 1 when something is wrong.

    Example: `assistant access verify --json`
    """
    from assistant.cli.verifying import verified

    report = verified(of(context).settings(), say=note)
    if as_json:
        print_json(report.as_json())
    else:
        print("\n".join(report.lines()))
    if not report.is_right:
        raise typer.Exit(1)
