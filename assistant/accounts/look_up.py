"""What directories say of a name and what that would give here, for administrators who set up who may enter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.access.rights import GroupRights, Rights
from assistant.errors import AccessDenied, SignInUnavailable
from assistant.parts.sign_in import Described, PasswordSignIn


@dataclass(frozen=True)
class LookedUp:
    """The word of one directory."""

    directory: str
    said: Described
    problem: str = ""  # why it did not say more
    gives: GroupRights = GroupRights()  # to members of the person's groups


class LookUp:
    def __init__(self, ways: Sequence[PasswordSignIn], rights: Rights) -> None:
        self._ways = ways
        self._rights = rights

    def of(self, name: str, password: str = "") -> list[LookedUp]:
        """By every directory, in the order in which they are asked at a sign-in."""
        return [self._by(way, name, password) for way in self._ways]

    def _by(self, way: PasswordSignIn, name: str, password: str) -> LookedUp:
        try:
            said = way.describe(name, password)
        except (SignInUnavailable, AccessDenied) as error:
            detail = way.state().detail if isinstance(error, SignInUnavailable) else ""
            return LookedUp(way.name, Described(), f"{error} [{detail}]" if detail else str(error))
        groups = said.identity.groups if said.identity else ()
        return LookedUp(way.name, said, gives=self._rights.of(groups))
