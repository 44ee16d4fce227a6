"""What membership in groups gives, beside what an account has of its own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from assistant.access.principal import AccessClass

_IS_DN = re.compile(r"\s*[A-Za-z][\w.-]*\s*=")
_PART = re.compile(r"(?:\\.|\\$|[^,;\\])+", re.DOTALL)
_ESCAPED = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)


@dataclass(frozen=True)
class GroupRights:
    """What members of one group may read, and their roles."""

    grants: frozenset[AccessClass] = frozenset()  # departments, each up to a level
    roles: frozenset[str] = frozenset()


class Rights:
    """By the group's name as its directory gives it. A group that is not named gives nothing."""

    def __init__(self, groups: Mapping[str, GroupRights] | None = None) -> None:
        self._groups = {group_key(name): given for name, given in (groups or {}).items()}

    @property
    def groups(self) -> Mapping[str, GroupRights]:
        """By `group_key` of their names."""
        return self._groups

    @property
    def problem(self) -> str | None:
        """Why what holds is not what the company wrote last; None when it is."""
        return None

    def of(self, groups: Iterable[str]) -> GroupRights:
        """All that these groups give together."""
        known = self.groups
        found = [known[key] for key in map(group_key, groups) if key in known]
        grants = frozenset(grant for one in found for grant in one.grants)
        return GroupRights(grants, frozenset(role for one in found for role in one.roles))


@lru_cache(maxsize=10_000)
def group_key(name: str) -> str:
    r"""A group's name as it is compared: without case; of a distinguished name also without what its spelling leaves open.

    Directories write `CN=Отдел\2C кадры, DC=corp` and `cn=Отдел\, кадры,dc=corp` for the same group.
    """
    plain = unicodedata.normalize("NFC", name).strip().casefold()
    if not _IS_DN.match(plain):
        return plain
    return ",".join(_part(part) for part in _PART.findall(plain))


def _part(part: str) -> str:
    """`attribute=value` with its spaces and escapes settled."""
    attribute, _, value = part.partition("=")
    value = _ESCAPED.sub(_unescaped, value.strip())
    value = unicodedata.normalize("NFC", re.sub(r"\s+", " ", value).strip()).casefold()
    escaped = re.sub(r"([,;\\])", r"\\\1", value)
    return f"{attribute.strip()}={escaped}"


def _unescaped(found: re.Match[str]) -> str:
    if found[1]:
        return bytes.fromhex(found[1].replace("\\", "")).decode("utf-8", "replace")
    return found[2]
