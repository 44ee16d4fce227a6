"""`assistant tokens …`: what programs sign in with, in the name and with the rights of a person."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from assistant.cli.context import note, of, print_json, told

tokens = typer.Typer(
    help="Tokens with which programs ask (HTTP API, OpenAI-compatible API, MCP).", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    app.add_typer(tokens, name="tokens")


@tokens.command("create")
def create_token(
    context: typer.Context,
    user: str,
    name: Annotated[str, typer.Option("--name", help="What will use it.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it opens: ask (also search and /v1), conversations, documents, admin. Repeat."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="It ends after so many days.")] = 365,
) -> None:
    """Make a token, for asking alone unless --scope says more; it is printed once.

    Example: `assistant tokens create ivanova --name "Open WebUI" --scope ask --scope documents`
    """
    from assistant.wiring import open_tokens

    token, secret = open_tokens(of(context).settings()).create(user, name, days=days, scopes=scope or ["ask"])
    print(secret)
    opens = ", ".join(token.scopes)
    note(f"token {token.id} of {user} for {opens}, until {token.expires_at:%Y-%m-%d}; it is shown this once")


@tokens.command("list")
def list_tokens(context: typer.Context, user: str, as_json: Json = False) -> None:
    """A person's tokens, without their secrets. Example: `assistant tokens list ivanova`"""
    from assistant.wiring import open_tokens

    found = open_tokens(of(context).settings()).list(user)
    if as_json:
        rows = [
            {
                "id": one.id,
                "name": one.name,
                "scopes": list(one.scopes),
                "created_at": one.created_at.isoformat(),
                "expires_at": one.expires_at.isoformat(),
                "used_at": one.used_at.isoformat() if one.used_at else None,
            }
            for one in found
        ]
        print_json({"tokens": rows})
        return
    for one in found:
        end = "over since" if one.is_over else "until"
        told(
            f"{one.id}  {one.name} ({', '.join(one.scopes)}): {end} {one.expires_at:%Y-%m-%d}; last used {_day(one.used_at)}"
        )
    note(f"tokens: {len(found)}")


@tokens.command("revoke")
def revoke_token(context: typer.Context, user: str, token: str) -> None:
    """End a token, named by its id or name. Example: `assistant tokens revoke ivanova "Open WebUI"`"""
    from assistant.wiring import open_tokens

    revoked = open_tokens(of(context).settings()).revoke(user, token)
    told(f"revoked {revoked.id} ({revoked.name})")


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "never"
