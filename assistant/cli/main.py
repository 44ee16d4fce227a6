"""The command line: parse → one service call → print. Heavy imports are inside the commands, so --help is quick."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from assistant.cli import (
    access,
    answers,
    audit,
    conversations,
    doctor,
    documents,
    evaluation,
    feedback,
    look_up,
    mcp,
    models,
    reindex,
    serving,
    stats,
    tokens,
    users,
    watching,
)
from assistant.cli.context import Context, note
from assistant.errors import AssistantError

app = typer.Typer(
    name="assistant",
    help="Answers from the company's own documents, on its own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
documents.register(app)
watching.register(app)
answers.register(app)
evaluation.register(app)
serving.register(app)
doctor.register(app)
models.register(app)
reindex.register(app)
users.register(app)
look_up.register(app)
conversations.register(app)
feedback.register(app)
tokens.register(app)
access.register(app)
stats.register(app)
audit.register(app)
mcp.register(app)


@app.callback()
def options(
    context: typer.Context,
    profile: Annotated[
        str | None, typer.Option("--profile", help="Settings profile: configs/NAME.yaml (or ASSISTANT_PROFILE).")
    ] = None,
) -> None:
    """Answers from the company's own documents, on its own machine. Example: `assistant ask "Как настроить VPN?"`"""
    context.obj = Context(profile)


def run() -> None:
    """Entry point. Exit codes: 0 all well, 1 failed, 2 wrong use, 3 done but some files failed."""
    try:
        app()
    except AssistantError as error:
        note(f"assistant: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("assistant: stopped; what was done until now stays, the same command goes on from there", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away: nothing to tell it
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last door: a line for the person, the traceback for the log
        from assistant.operations.logs import log_failure

        place = log_failure(error)
        note(f"assistant: unexpected error: {type(error).__name__}: {error} (details in {place})")
        sys.exit(1)
