"""`assistant search` and `ask`."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.context import note, of, print_json, told

if TYPE_CHECKING:
    from assistant.access.principal import Principal
    from assistant.ask.events import Finished, Source
    from assistant.assistant import Assistant

AsUser = Annotated[str | None, typer.Option("--as", metavar="USER", help="Ask as this person; without: as operator.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    app.command("search")(search)
    app.command("ask")(ask)


def search(
    context: typer.Context,
    query: str,
    as_user: AsUser = None,
    k: Annotated[int | None, typer.Option("-k", min=1, max=200, help="How many passages.")] = None,
    as_json: Json = False,
) -> None:
    """Find passages. Example: `assistant search "отпуск за свой счёт" -k 3`"""
    from assistant.contracts import search_json
    from assistant.ui.texts import out_of_force

    with of(context).assistant() as assistant:
        principal = assistant.principal(as_user)
        found = asyncio.run(assistant.search(query, principal, k=k))
    if as_json:
        print_json(search_json(query, principal, found))
        return
    if not found.answerable:
        note("Nothing that answers this was found; the nearest passages:")
    for source in found.sources:
        passage = source.passage
        told(f"{source.n}. {passage.title} ({_where(source, 'en')})  score {source.score:.3f}")
        if gone := out_of_force(source.standing, "en"):
            told(f"   ! {gone}")
        told(f"   {passage.section}" if passage.section else "", end="\n" if passage.section else "")
        told("   " + " ".join(passage.text.split())[:300] + "\n")


def ask(
    context: typer.Context,
    question: str,
    as_user: AsUser = None,
    as_json: Json = False,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID|new", help="Keep it there, and go on from what was said; needs --as.")
    ] = None,
) -> None:
    """Ask, and get an answer with its sources. Example: `assistant ask "Как настроить VPN?"`"""
    from assistant.contracts import ask_json
    from assistant.ui.texts import notice_text, out_of_force, texts

    with of(context).assistant() as assistant:
        principal = assistant.principal(as_user)
        finished = asyncio.run(_ask(assistant, question, principal, conversation, quiet=as_json))
    if as_json:
        print_json(ask_json(finished))
        return
    from assistant.ask.language import language_of

    language = language_of(question)
    for notice in finished.notices:
        note(f"({notice_text(notice, language)})")
    if finished.conversation:
        note(f"(conversation {finished.conversation})")
    for source in finished.cited:
        gone = out_of_force(source.standing, language)
        told(f"[{source.n}] {source.passage.title}: {_where(source, language)}{f' ({gone})' if gone else ''}")
    for span in finished.unsupported:
        note(f"({texts(language)['unsupported']}: {finished.answer[span.start : span.end]})")
    if finished.nearest:
        told(f"{texts(language)['nearest']}:")
    for source in finished.nearest:
        told(f"- {source.passage.title}: {_where(source, language)}")


def _where(source: Source, language: str) -> str:
    """File, page and date."""
    from assistant.ui.texts import dated_text, place_text

    parts = (source.passage.path, place_text(source.passage, language), dated_text(source.standing, language))
    return ", ".join(part for part in parts if part)


async def _ask(
    assistant: Assistant, question: str, principal: Principal, conversation: str | None, *, quiet: bool
) -> Finished:
    from assistant.ask.events import Finished, Token

    async with aclosing(assistant.ask(question, principal, conversation)) as events:
        async for event in events:
            if isinstance(event, Token) and not quiet:
                told(event.text, end="", flush=True)
            elif isinstance(event, Finished):
                if not quiet:
                    told("\n")
                return event
    raise AssertionError("an answer ends with Finished")
