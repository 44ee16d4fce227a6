"""Departments that are in use, wherever they are named: a typing error would make one without people."""

from __future__ import annotations

from collections.abc import Iterable

from assistant.access.policy import Policy
from assistant.access.principal import ALL_DEPARTMENTS, AccessClass, Principal
from assistant.access.rights import Rights
from assistant.registry import nearest


def new_department(
    named: AccessClass, classes: Iterable[AccessClass], people: Iterable[Principal], policy: Policy, rights: Rights
) -> str | None:
    """What is said of a department that no document, account or group has; None for a known one."""
    used = {found.department for found in classes} | policy.everyone
    used.update(*(who.all_departments for who in people))
    used.update(grant.department for given in rights.groups.values() for grant in given.grants)
    known = sorted(used - {ALL_DEPARTMENTS})
    if named.department in known:
        return None
    said = f"  note: department '{named.department}' is new: no document and no account has it"
    return said + nearest(named.department, known)
