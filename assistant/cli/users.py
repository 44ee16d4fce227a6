"""`assistant users …`: accounts for the page. Passwords are asked for or made, never given as arguments."""

from __future__ import annotations

from typing import Annotated

import typer

from assistant.cli.context import note, of, print_json

users = typer.Typer(help="Local accounts.", no_args_is_help=True)

Generate = Annotated[bool, typer.Option("--generate", help="Make a password and print it once.")]


def register(app: typer.Typer) -> None:
    app.add_typer(users, name="users")


@users.command("add")
def add_user(
    context: typer.Context,
    name: str,
    department: Annotated[
        list[str] | None, typer.Option(help="A department whose documents the person reads; * is all. Repeat.")
    ] = None,
    level: Annotated[int, typer.Option(min=1, help="Up to which level.")] = 1,
    role: Annotated[list[str] | None, typer.Option(help="engineer, admin (gives no right to read). Repeat.")] = None,
    generate: Generate = False,
) -> None:
    """Make an account. Example: `assistant users add ivanova --department finance --generate`"""
    from assistant.wiring import open_users

    password = _password(generate)
    accounts = open_users(of(context).settings())
    accounts.add(name, password, roles=role or [], departments=department or [], level=level)
    print(f"added {name}")
    _show(generate, password)


@users.command("passwd")
def set_password(context: typer.Context, name: str, generate: Generate = False) -> None:
    """Set a new password and sign the person out everywhere."""
    from assistant.wiring import open_users

    accounts = open_users(of(context).settings())
    accounts.find(name)
    password = _password(generate)
    accounts.set_password(name, password)
    print(f"changed the password of {name}")
    _show(generate, password)


@users.command("list")
def list_users(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """All accounts with their rights."""
    from assistant.wiring import open_users

    found = open_users(of(context).settings()).list()
    if as_json:
        rows = [
            {"name": who.name, "roles": sorted(who.roles), "departments": sorted(who.departments), "level": who.level}
            for who in found
        ]
        print_json({"users": rows})
        return
    for who in found:
        departments = ", ".join(sorted(who.departments)) or "-"
        print(f"{who.name}: departments {departments}; level {who.level}; roles {', '.join(sorted(who.roles))}")
    note(f"users: {len(found)}")


@users.command("remove")
def remove_user(context: typer.Context, name: str) -> None:
    """Delete an account and end its sessions."""
    from assistant.wiring import open_users

    open_users(of(context).settings()).remove(name)
    print(f"removed {name}")


def _password(generate: bool) -> str:
    from assistant.records.passwords import generate_password

    if generate:
        return generate_password()
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


def _show(generated: bool, password: str) -> None:
    if generated:
        print(f"password (shown once): {password}")
