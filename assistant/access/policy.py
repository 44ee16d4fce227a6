"""Which access classes a principal may read. Deny by default: no rule, no document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assistant.access.principal import AccessClass, Principal


@dataclass(frozen=True)
class Policy:
    """A department is open to its members, and the departments in `everyone` to all; a level to those who have it."""

    everyone: frozenset[str]
    everyone_level: int = 1

    def may_read(self, principal: Principal, access_class: AccessClass) -> bool:
        return self.explain(principal, access_class)[0]

    def explain(self, principal: Principal, access_class: AccessClass) -> tuple[bool, str]:
        """The decision and its reason, in one sentence."""
        department, level = access_class.department, access_class.level
        granted = principal.level_in(department)
        if department in self.everyone:
            granted = max(granted or 0, principal.level, self.everyone_level)
        if granted is None:
            return False, f"{principal.name} is not in department '{department}', and it is not open to everyone"
        if level > granted:
            return False, f"the document has level {level}, {principal.name} reads up to level {granted}"
        return True, f"{principal.name} reads '{department}' up to level {granted}"

    def permitted(self, principal: Principal, classes: Mapping[int, AccessClass]) -> frozenset[int]:
        """Ids of the classes that the principal may read."""
        return frozenset(number for number, found in classes.items() if self.may_read(principal, found))
