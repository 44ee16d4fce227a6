"""`assistant users …`: accounts for the page. Passwords are asked for or made, never given as arguments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.context import note, of, print_json, told

if TYPE_CHECKING:
    from assistant.records.account_tables import UserRow

users = typer.Typer(
    help="Accounts: local ones, and those of people whom a directory or a single sign-on sent.", no_args_is_help=True
)

Generate = Annotated[bool, typer.Option("--generate", help="Make a password and print it once.")]
Departments = Annotated[
    list[str] | None,
    typer.Option("--department", help="A department whose documents the person reads; * is all. Repeat."),
]
Roles = Annotated[list[str] | None, typer.Option("--role", help="engineer, admin (gives no right to read). Repeat.")]

Groups = Annotated[
    list[str] | None, typer.Option("--group", help="A group of the access file, as of a directory's person. Repeat.")
]


def register(app: typer.Typer) -> None:
    app.add_typer(users, name="users")


@users.command("add")
def add_user(
    context: typer.Context,
    name: str,
    department: Departments = None,
    level: Annotated[int, typer.Option(min=1, help="Up to which level.")] = 1,
    role: Roles = None,
    group: Groups = None,
    generate: Generate = False,
) -> None:
    """Make a local account; its person changes the password at the first sign-in.

    Example: `assistant users add ivanova --department finance --generate`
    """
    from assistant.wiring import open_users

    password = _password(generate)
    accounts = open_users(of(context).settings())
    roles, departments, groups = role or [], department or [], group or []
    accounts.add(name, password, roles=roles, departments=departments, groups=groups, level=level, must_change=True)
    print(f"added {name}")
    _show(generate, password)


@users.command("passwd")
def set_password(context: typer.Context, name: str, generate: Generate = False) -> None:
    """Set a new password and sign the person out everywhere; he changes it at his next sign-in.

    Example: `assistant users passwd ivanova --generate`
    """
    from assistant.wiring import open_users

    accounts = open_users(of(context).settings())
    accounts.find(name)
    password = _password(generate)
    accounts.set_password(name, password, must_change=True)
    print(f"changed the password of {name}")
    _show(generate, password)


@users.command("grant")
def grant(
    context: typer.Context,
    name: str,
    department: Departments = None,
    level: Annotated[int | None, typer.Option(min=1, help="From now on up to this level.")] = None,
    role: Roles = None,
    group: Groups = None,
) -> None:
    """Give an account more, whatever its groups give. Example: `assistant users grant ivanova --department hr --level 2`"""
    from assistant.wiring import open_users

    roles, departments, groups = role or [], department or [], group or []
    if not (roles or departments or groups) and level is None:
        raise typer.BadParameter("say what: --department, --level, --role or --group")
    accounts = open_users(of(context).settings())
    accounts.grant(name, roles=roles, departments=departments, groups=groups, level=level)
    _print_account(context, name)


@users.command("revoke")
def revoke(
    context: typer.Context, name: str, department: Departments = None, role: Roles = None, group: Groups = None
) -> None:
    """Take away what the account itself was given. Example: `assistant users revoke ivanova --department hr`"""
    from assistant.wiring import open_users

    roles, departments, groups = role or [], department or [], group or []
    if not (roles or departments or groups):
        raise typer.BadParameter("say what: --department, --role or --group")
    open_users(of(context).settings()).revoke(name, roles=roles, departments=departments, groups=groups)
    _print_account(context, name)


@users.command("disable")
def disable(context: typer.Context, name: str) -> None:
    """Nobody gets in with the account, and its sessions end; what belongs to it stays. `users enable` takes it back."""
    from assistant.wiring import open_users

    open_users(of(context).settings()).disable(name)
    print(f"disabled {name}")


@users.command("enable")
def enable(context: typer.Context, name: str) -> None:
    """Let the person of a disabled account in again. Example: `assistant users enable ivanova`"""
    from assistant.wiring import open_users

    accounts = open_users(of(context).settings())
    accounts.enable(name)
    print(f"enabled {name}")
    if _state(accounts.row(name)) == "expired":
        note(f"the account has come to its end all the same: `assistant users expire {name} never`, or a later day")


@users.command("expire")
def expire(
    context: typer.Context, name: str, date: Annotated[str, typer.Argument(help="The last day, 2026-12-31; or never.")]
) -> None:
    """End an account with a day, or take that back. Example: `assistant users expire ivanova 2026-12-31`"""
    from assistant.wiring import open_users

    open_users(of(context).settings()).expire(name, None if date == "never" else _end_of(date))
    print(f"{name} does not expire" if date == "never" else f"{name} may sign in until the end of {date}")


@users.command("sign-out")
def sign_out(context: typer.Context, name: str) -> None:
    """End all sessions of a person; he may sign in again. Example: `assistant users sign-out ivanova`"""
    from assistant.wiring import open_users

    open_users(of(context).settings()).end_sessions(name)
    print(f"signed {name} out everywhere")


@users.command("list")
def list_users(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """All accounts: where they come from, whether they are on, what they have of their own, their groups, their last use."""
    from assistant.wiring import open_users

    found = open_users(of(context).settings()).rows()
    if as_json:
        print_json({"users": [_as_json(row) for row in found]})
        return
    for row in found:
        told(_line(row))
    note(f"users: {len(found)}")


@users.command("remove")
def remove_user(context: typer.Context, name: str) -> None:
    """Delete an account with its conversations, sessions and tokens. A directory's person would be let in again:
    `users disable` keeps him out.
    """
    from assistant.wiring import open_users

    open_users(of(context).settings()).remove(name)
    print(f"removed {name}")


def _print_account(context: typer.Context, name: str) -> None:
    from assistant.wiring import open_users

    told(_line(open_users(of(context).settings()).row(name)))


def _line(row: UserRow) -> str:
    parts = [
        f"{row.source}, {_state(row)}",
        *([f"until the end of {row.expires_at - timedelta(seconds=1):%Y-%m-%d}"] if row.expires_at else []),
        *(["must change the password"] if row.must_change else []),
        f"departments {', '.join(row.departments) or '-'}",
        f"level {row.level}",
        f"roles {', '.join(row.roles)}",
        *([f"groups {', '.join(row.groups)}"] if row.groups else []),
        f"last use {row.used_at:%Y-%m-%d %H:%M} UTC" if row.used_at else "never used",
    ]
    return f"{row.name}: {'; '.join(parts)}"


def _as_json(row: UserRow) -> dict[str, Any]:
    def moment(value: datetime | None) -> str | None:
        return value.isoformat() if value else None

    return {
        "name": row.name,
        "roles": row.roles,
        "departments": row.departments,
        "level": row.level,
        "source": row.source,
        "state": _state(row),
        "display_name": row.display_name,
        "groups": row.groups,
        "must_change": row.must_change,
        "expires_at": moment(row.expires_at),
        "checked_at": moment(row.checked_at),
        "used_at": moment(row.used_at),
    }


def _state(row: UserRow) -> str:
    """In one word, the one that keeps the person out first."""
    if row.disabled_at:
        return "disabled"
    if row.expires_at and row.expires_at <= datetime.now(UTC):
        return "expired"
    if row.left_at:
        return "left"
    return "on"


def _end_of(date: str) -> datetime:
    """The end of that day on this machine's clock."""
    try:
        day = datetime.strptime(date, "%Y-%m-%d")  # noqa: DTZ007 - made aware below, by the zone of this machine
        return (day + timedelta(days=1)).astimezone()
    except (ValueError, OverflowError) as error:  # the last is of the year 9999
        raise typer.BadParameter(f"'{date}' is no date like 2026-12-31, and not `never`") from error


def _password(generate: bool) -> str:
    from assistant.records.passwords import generate_password

    if generate:
        return generate_password()
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


def _show(generated: bool, password: str) -> None:
    if generated:
        print(f"password (shown once): {password}")
