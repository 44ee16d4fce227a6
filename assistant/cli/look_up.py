"""`assistant users look-up`: what the directories say of somebody, before he tries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.context import note, of, print_json, told
from assistant.cli.users import users

if TYPE_CHECKING:
    from assistant.accounts.look_up import LookedUp


def register(app: typer.Typer) -> None:  # noqa: ARG001 - as the others; it stands below `users`
    users.command("look-up")(look_up)


def look_up(
    context: typer.Context,
    name: str,
    password: Annotated[
        bool, typer.Option("--password", help="Ask for the password, and say whether it is right.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What the directories say of NAME, and what his groups give. Example: `assistant users look-up ivanova`

    Exit code 1 when nobody of this name could sign in.
    """
    from assistant.account_wiring import open_look_up

    typed = typer.prompt("Password", hide_input=True) if password else ""
    found = open_look_up(of(context).settings()).of(name, typed)
    if as_json:
        print_json({"name": name, "directories": [_as_json(one) for one in found]})
    else:
        for one in found:
            _print(one)
    if not found:
        note("no directory is configured: see auth.ldap in docs/sign-in-ldap.md")
    if not any(one.said.identity and one.said.accepted is not False for one in found):
        raise typer.Exit(1)


def _print(one: LookedUp) -> None:
    said, who = one.said, one.said.identity
    told(f"directory {one.directory}: {one.problem or _standing(one)}")
    for entry in said.entries:
        told(f"  entry        {entry}")
    if said.accepted is not None:
        told(f"  password     {'right' if said.accepted else 'refused'}")
    if who is None:
        return
    told(f"  name         {who.name}\n  full name    {who.display_name}\n  address      {who.email or '-'}")
    told(f"  id           {who.subject}")
    for group in who.groups:
        told(f"  group        {group}")
    grants = ", ".join(f"{grant.department} up to level {grant.level}" for grant in sorted(one.gives.grants))
    told(f"  reads        {grants or 'nothing by his groups'}")
    told(f"  roles        {', '.join(sorted(one.gives.roles)) or '-'}")


def _standing(one: LookedUp) -> str:
    said = one.said
    if said.identity:
        return "may sign in"
    if len(said.entries) > 1:
        return "two entries have this name: nobody is let in with it; make user_filter narrower"
    if said.enabled is False:
        return "the account is switched off there"
    return "the password is refused" if said.accepted is False and not said.entries else "nobody of this name"


def _as_json(one: LookedUp) -> dict[str, Any]:
    said, who = one.said, one.said.identity
    return {
        "directory": one.directory,
        "problem": one.problem,
        "entries": list(said.entries),
        "enabled": said.enabled,
        "password": said.accepted,
        "id": who.subject if who else None,
        "name": who.name if who else None,
        "display_name": who.display_name if who else None,
        "email": who.email if who else None,
        "groups": list(who.groups) if who else [],
        "grants": [{"department": grant.department, "level": grant.level} for grant in sorted(one.gives.grants)],
        "roles": sorted(one.gives.roles),
    }
