"""What membership in groups gives, beside what an account has of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from assistant.access.principal import AccessClass


@dataclass(frozen=True)
class GroupRights:
    """What members of one group may read, and their roles."""

    grants: frozenset[AccessClass] = frozenset()  # departments, each up to a level
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rights:
    """By the group's name as its directory gives it, compared without case. A group that is not named gives nothing."""

    groups: Mapping[str, GroupRights] = field(default_factory=dict)

    def of(self, groups: Iterable[str]) -> GroupRights:
        """All that these groups give together."""
        found = [self.groups[name.casefold()] for name in groups if name.casefold() in self.groups]
        grants = frozenset(grant for one in found for grant in one.grants)
        return GroupRights(grants, frozenset(role for one in found for role in one.roles))
