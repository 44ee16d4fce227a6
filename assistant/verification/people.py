"""Every kind of person that the access classes allow, each with an account of his own for as long as the check lasts."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from assistant.access.principal import ALL_DEPARTMENTS, AccessClass, Principal
from assistant.assistant import Assistant
from assistant.verification.canaries import Canary, account_name

_HIGHEST = 1_000


@dataclass(frozen=True)
class Kind:
    """Who somebody is: `name` is how the report calls him."""

    name: str
    departments: tuple[str, ...] = ()
    level: int = 1
    roles: tuple[str, ...] = ()
    is_signed_in: bool = True

    def may_read(self, access_class: AccessClass, everyone: Iterable[str], everyone_level: int) -> bool:
        """The rule a second time, on purpose: the product's own is what is being checked."""
        department, level = access_class.department, access_class.level
        if not self.is_signed_in:
            return False
        if department in everyone:
            return level <= max(self.level, everyone_level)
        return bool({department, ALL_DEPARTMENTS}.intersection(self.departments)) and level <= self.level


@dataclass(frozen=True)
class Person:
    """An account of that kind, and its session."""

    kind: Kind
    principal: Principal | None
    session: str = field(default="", repr=False)


def kinds(canaries: Iterable[Canary]) -> list[Kind]:
    """A stranger, one with no department, one for each department and level, two departments, each role, and all at once."""
    classes = sorted(canary.access_class for canary in canaries)
    departments = sorted({one.department for one in classes})
    found = [Kind("no session", is_signed_in=False), Kind("everyone")]
    found += [Kind(f"{one.department} / {one.level}", (one.department,), one.level) for one in classes]
    found += [Kind(f"{first} + {second} / 1", (first, second)) for first, second in zip(departments, departments[1:])]  # noqa: B905
    found += [Kind(f"{role} alone", roles=(role,)) for role in ("engineer", "admin")]
    found.append(Kind("level without department", level=_HIGHEST))
    every = (ALL_DEPARTMENTS,)
    found.append(Kind("all departments / 1", every, 1))
    found.append(Kind("all", every, _HIGHEST, ("engineer", "admin")))
    return found


def enter(assistant: Assistant, kind: Kind, number: int) -> Person:
    """A new account and its session, through the same doors as anybody's."""
    if not kind.is_signed_in:
        return Person(kind, None)
    name, password = account_name(number), secrets.token_urlsafe(24)
    roles, departments = list(kind.roles), list(kind.departments)
    principal = assistant.users.add(name, password, roles=roles, departments=departments, level=kind.level)
    return Person(kind, principal, assistant.accounts.sign_in(name, password))
