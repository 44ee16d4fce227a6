"""`assistant access explain|list|classes`: by which rule who may read what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.context import note, of, print_json, told

if TYPE_CHECKING:
    from assistant.explaining.service import Explanation

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(access: typer.Typer) -> None:
    access.command("explain")(explain)
    access.command("list")(list_classes)
    access.command("classes")(all_classes)


def explain(
    context: typer.Context,
    user: Annotated[str, typer.Argument(help="The account's name.")],
    document: Annotated[str, typer.Argument(help="Its path, or its id in `assistant documents list`.")],
    as_json: Json = False,
) -> None:
    """Why somebody may read a document (exit code 0), or why not (1), and what would be needed.

    Example: `assistant access explain ivanova hr/vacation.docx`
    """
    with of(context).assistant() as assistant:
        found = assistant.explaining.explain(user, document)
    if as_json:
        print_json(found.as_json())
    else:
        _print(found)
    if not found.readable:
        raise typer.Exit(1)


def list_classes(context: typer.Context, user: str, as_json: Json = False) -> None:
    """What somebody may read: classes with their documents, and what opens each. Example: `assistant access list ivanova`"""
    with of(context).assistant() as assistant:
        found = assistant.explaining.readable(user)
    total = sum(one.documents for one in found)
    if as_json:
        print_json({"user": user, "documents": total, "classes": [one.as_json() for one in found]})
        return
    for one in found:
        by = "; ".join(origin.place for origin in one.by)
        told(f"{one.access_class.department}, level {one.access_class.level}; documents: {one.documents}; by {by}")
    note(f"documents that {user} reads: {total}")


def all_classes(context: typer.Context, as_json: Json = False) -> None:
    """All access classes that have documents, and who reads them. Example: `assistant access classes --json`"""
    with of(context).assistant() as assistant:
        found = assistant.explaining.classes()
    if as_json:
        print_json({"classes": [one.as_json() for one in found]})
        return
    for one in found:
        people = ", ".join(one.people) or "nobody"
        told(
            f"{one.access_class.department}, level {one.access_class.level}; documents: {one.documents}; read by {people}"
        )


def _print(found: Explanation) -> None:
    told(f"{found.user} {'may read' if found.readable else 'may not read'} {found.row.path}: {found.reason}")
    if found.access_class is not None:
        told(f"  its class: {found.access_class.department}, level {found.access_class.level}")
    for rule in found.origins.rules:
        told(f"    {rule.place}: {_given(rule.department, rule.level)}")
    if found.origins.note:
        told(f"    {found.origins.note}")
    if found.moves_to is not None:
        told(f"    the next ingest moves it to {found.moves_to.department}, level {found.moves_to.level}")
    for right in found.by:
        told(f"  {found.user} has by {right.place}: {_given(right.department, right.level)}")
    if found.needed:
        told(f"  needed: {found.needed}")


def _given(department: str | None, level: int | None) -> str:
    parts = ([department] if department else []) + ([f"level {level}"] if level else [])
    return ", ".join(parts)
