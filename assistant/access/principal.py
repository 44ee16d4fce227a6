"""Who asks, and what kind of document it is."""

from __future__ import annotations

from dataclasses import dataclass, field

ALL_DEPARTMENTS = "*"
MAX_LEVEL = 1_000  # databases have no room for any number, and each level that is used is a collection of its own


@dataclass(frozen=True, order=True)
class AccessClass:
    """A document's class: a department's documents of one level (1 = every member, 2 = managers …)."""

    department: str
    level: int


@dataclass(frozen=True)
class Principal:
    """A person or program that asks. The role `admin` gives no right to read documents.

    `level` holds in each of `departments`; a grant, such as a group gives, is one department up to a level of its own.
    """

    id: str
    name: str
    roles: frozenset[str] = field(default_factory=lambda: frozenset({"user"}))
    departments: frozenset[str] = frozenset()
    level: int = 1
    grants: frozenset[AccessClass] = frozenset()

    def level_in(self, department: str) -> int | None:
        """Up to which level the person reads the department; None for who is no member of it."""
        levels = [grant.level for grant in self.grants if grant.department in (department, ALL_DEPARTMENTS)]
        if not self.departments.isdisjoint((department, ALL_DEPARTMENTS)):
            levels.append(self.level)
        return max(levels, default=None)

    @property
    def all_departments(self) -> frozenset[str]:
        """Also those that come from grants."""
        return self.departments | {grant.department for grant in self.grants}


# Whoever runs the command line on the machine can read the files anyway.
LOCAL_OPERATOR = Principal(
    id="local-operator",
    name="local operator",
    roles=frozenset({"user", "engineer", "admin"}),
    departments=frozenset({ALL_DEPARTMENTS}),
    level=1_000_000,
)
