"""`assistant mcp`: the tools `search` and `ask` for a program that speaks the Model Context Protocol."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from assistant.access.principal import Principal
from assistant.cli.context import of
from assistant.errors import ConfigError


def register(app: typer.Typer) -> None:
    app.command("mcp")(mcp)


def mcp(
    context: typer.Context,
    as_user: Annotated[str | None, typer.Option("--as", metavar="USER", help="Give what this person may read.")] = None,
    operator: Annotated[bool, typer.Option("--operator", help="Give every document: for your own use here.")] = False,
) -> None:
    """Serve `search` and `ask` over stdin and stdout (MCP). Example: `assistant mcp --as ivanova`"""
    if (as_user is None) != operator:
        raise ConfigError("say whose documents the program is given: --as USER, or --operator for all of them")
    from assistant.mcp_server import make_server

    with of(context).assistant(limited=True) as assistant:

        def who() -> Principal:
            return assistant.principal(None) if as_user is None else assistant.accounts.named(as_user)

        who()
        assistant.auditing.started(assistant.settings, "mcp")
        server = make_server(assistant, who)
        asyncio.run(server.run_stdio_async())
