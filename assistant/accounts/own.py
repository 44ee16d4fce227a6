"""What somebody sees of his own account: who he is here, what he may read and why, where he is signed in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from assistant.access.rights import Rights
from assistant.parts.sign_in import LOCAL
from assistant.records.account_tables import SessionRow, UserRow


@dataclass(frozen=True)
class Given:
    """A department up to a level, or a role, and which group gives it; "" is the account itself."""

    what: str
    level: int
    group: str


@dataclass(frozen=True)
class OpenSession:
    """A browser that is signed in."""

    opened_at: datetime
    used_at: datetime
    address: str
    browser: str
    is_this: bool


@dataclass(frozen=True)
class OwnAccount:
    """An account as its person sees it."""

    name: str
    display_name: str
    source: str
    is_local: bool
    must_change: bool
    expires_at: datetime | None
    departments: tuple[Given, ...]
    roles: tuple[Given, ...]
    other_groups: tuple[str, ...]  # which give nothing
    sessions: tuple[OpenSession, ...]


def own_account(row: UserRow, rights: Rights, sessions: Iterable[SessionRow], is_this: Iterable[bool]) -> OwnAccount:
    """Everything that it has of its own first, then group by group."""
    departments = [Given(department, row.level, "") for department in row.departments]
    roles = [Given(role, 0, "") for role in row.roles if role != "user"]
    nothing = []
    for group in row.groups:
        gives = rights.of([group])
        departments += [Given(one.department, one.level, group) for one in sorted(gives.grants)]
        roles += [Given(role, 0, group) for role in sorted(gives.roles - {"user"})]
        if not gives.grants and not gives.roles:
            nothing.append(group)
    return OwnAccount(
        name=row.name,
        display_name=row.display_name,
        source=row.source,
        is_local=row.source == LOCAL,
        must_change=row.must_change,
        expires_at=row.expires_at,
        departments=tuple(departments),
        roles=tuple(roles),
        other_groups=tuple(nothing),
        sessions=tuple(
            OpenSession(one.created_at, one.used_at, one.address, one.browser, this)
            for one, this in zip(sessions, is_this, strict=True)
        ),
    )
