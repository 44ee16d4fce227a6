"""`assistant conversations …`: what the page keeps of a person's questions, for that person's account."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from assistant.cli.context import note, of, print_json, told

conversations = typer.Typer(help="Conversations that the server keeps.", no_args_is_help=True)

AsUser = Annotated[str | None, typer.Option("--as", metavar="USER", help="Whose conversations; must be given.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Language = Annotated[str, typer.Option("--language", help="Of the headings: ru or en.")]


class Format(StrEnum):
    md = "md"
    json = "json"
    docx = "docx"


def register(app: typer.Typer) -> None:
    app.add_typer(conversations, name="conversations")


@conversations.command("list")
def list_conversations(
    context: typer.Context,
    as_user: AsUser = None,
    search: Annotated[str, typer.Option(help="Only those with this text.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """The newest first. Example: `assistant conversations list --as ivanova --search отпуск`"""
    from assistant.contracts import conversation_json

    with of(context).assistant() as assistant:
        page = assistant.conversations.list(assistant.principal(as_user), search=search, limit=limit)
    if as_json:
        found = [conversation_json(one) for one in page.conversations]
        print_json({"conversations": found, "more": page.has_more})
        return
    for one in page.conversations:
        told(f"{one.id}  {one.updated_at.astimezone():%Y-%m-%d %H:%M}  {one.title}")
    note(f"conversations: {len(page.conversations)}{', and there are more' if page.has_more else ''}")


@conversations.command("show")
def show(
    context: typer.Context, conversation: str, as_user: AsUser = None, as_json: Json = False, language: Language = "ru"
) -> None:
    """Questions, answers and sources, as far as the person may read them today."""
    from assistant.contracts import open_conversation_json
    from assistant.ui.export import markdown

    with of(context).assistant() as assistant:
        opened = assistant.conversations.open(assistant.principal(as_user), conversation)
    if as_json:
        print_json(open_conversation_json(opened))
        return
    told(markdown(opened, _language(language)), end="")


@conversations.command("export")
def export_conversation(
    context: typer.Context,
    conversation: str,
    as_user: AsUser = None,
    wanted: Annotated[Format, typer.Option("--format", help="md, json or docx.")] = Format.md,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; by default named by the title.")
    ] = None,
    language: Language = "ru",
) -> None:
    """Write a file. Example: `assistant conversations export 6f1d2c3b4a5968778695 --as ivanova --format docx`"""
    from assistant.errors import StorageError
    from assistant.ui.export import exported, file_name

    with of(context).assistant() as assistant:
        opened = assistant.conversations.export(assistant.principal(as_user), conversation, wanted.value)
    file = output or Path(file_name(opened, _language(language), wanted))
    content = exported(opened, _language(language), wanted.value)
    try:
        file.write_bytes(content)
    except OSError as error:
        raise StorageError(f"{file} can't be written: {error.strerror}") from error
    told(str(file))


@conversations.command("remove")
def remove(context: typer.Context, conversation: str, as_user: AsUser = None) -> None:
    """Delete one; `assistant conversations restore` brings it back for `state.undo_days`."""
    with of(context).assistant() as assistant:
        assistant.conversations.delete(assistant.principal(as_user), conversation)
    told(f"removed {conversation}")


@conversations.command("restore")
def restore(context: typer.Context, conversation: str, as_user: AsUser = None) -> None:
    """Undo `assistant conversations remove`."""
    with of(context).assistant() as assistant:
        found = assistant.conversations.restore(assistant.principal(as_user), conversation)
    told(f"restored {found.id}")


@conversations.command("purge")
def purge(context: typer.Context) -> None:
    """Remove of everybody what is past `state.retention_days` and `state.undo_days`; the server does it every day."""
    with of(context).assistant() as assistant:
        told(f"purged {assistant.conversations.purge()}")


def _language(given: str) -> str:
    from assistant.errors import ConfigError

    if given not in ("ru", "en"):
        raise ConfigError(f"--language is ru or en, not '{given}'")
    return given
