"""Who asks, and what kind of document it is."""

from __future__ import annotations

from dataclasses import dataclass, field

ALL_DEPARTMENTS = "*"


@dataclass(frozen=True, order=True)
class AccessClass:
    """A document's class: a department's documents of one level (1 = every member, 2 = managers …)."""

    department: str
    level: int


@dataclass(frozen=True)
class Principal:
    """A person or program that asks. The role `admin` gives no right to read documents."""

    id: str
    name: str
    roles: frozenset[str] = field(default_factory=lambda: frozenset({"user"}))
    departments: frozenset[str] = frozenset()
    level: int = 1


# Whoever runs the command line on the machine can read the files anyway.
LOCAL_OPERATOR = Principal(
    id="local-operator",
    name="local operator",
    roles=frozenset({"user", "engineer", "admin"}),
    departments=frozenset({ALL_DEPARTMENTS}),
    level=1_000_000,
)
