"""`assistant feedback …`: what people think of the answers, for the operator and for the golden set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.context import note, of, print_json, told

if TYPE_CHECKING:
    from assistant.assistant import Assistant

feedback = typer.Typer(help="What people think of the answers.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(feedback, name="feedback")


@feedback.command("export")
def export(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all of it.")] = False
) -> None:
    """Every 👍 and 👎 with question, answer, sources, model and versions. Example: `assistant feedback export --json`"""
    from assistant.contracts import rated_json

    with of(context).assistant() as assistant:
        found = [rated_json(one) for one in assistant.conversations.rated()]
    if as_json:
        print_json({"feedback": found})
        return
    for row in found:
        sign = "+" if row["rating"] > 0 else "-"
        said = ": ".join(part for part in (row["reason"], row["comment"]) if part)
        told(f"{sign} {row['message']}  {row['user']}  {row['question']}{f'  ({said})' if said else ''}")
    note(f"rated answers: {len(found)}")


@feedback.command("golden")
def golden(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A questions.jsonl; made if it is not there.")],
    message: Annotated[str | None, typer.Option(help="This message only; without it every answer with 👎.")] = None,
    gold: Annotated[
        list[str] | None, typer.Option(help="Path of a document that answers it, as in the catalog. Repeat.")
    ] = None,
    no_answer: Annotated[bool, typer.Option("--no-answer", help="No document answers it.")] = False,
) -> None:
    """Questions with 👎 become lines for `assistant eval`. Example: `assistant feedback golden data/eval/questions.jsonl`

    Without --gold or --no-answer a line has `"labelled": false`, and the evaluation leaves it out until you write its
    documents into `gold` and take the mark away.
    """
    from assistant.errors import ConfigError, NotFound

    if (gold or no_answer) and message is None:
        raise ConfigError("--gold and --no-answer need --message: they are about one question")
    if gold and no_answer:
        raise ConfigError("--gold and --no-answer contradict each other")
    with of(context).assistant() as assistant:
        _check_paths(assistant, gold or [])
        rated = assistant.conversations.rated(rating=-1 if message is None else None, message=message)
        if message is not None and not rated:
            raise NotFound("nobody has rated this message: see `assistant feedback export`")
        labels = gold if gold else [] if no_answer else None
        added = sum(assistant.conversations.to_golden(one, file, labels) for one in rated)
    told(f"added {added}, known already {len(rated) - added}")


def _check_paths(assistant: Assistant, paths: list[str]) -> None:
    """Raises `ConfigError` for one that no document has."""
    from assistant.errors import ConfigError

    known = {view.row.path for view in assistant.documents()} if paths else set()
    for path in paths:
        if path not in known:
            raise ConfigError(f"no document has the path '{path}': see `assistant documents list`")
