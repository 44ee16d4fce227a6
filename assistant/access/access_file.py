"""`configs/access.yaml`: what members of which group may read, and their roles. Checked; followed while we run."""

from __future__ import annotations

import hashlib
import logging
import os
import time
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, model_validator

from assistant import resources
from assistant.access.principal import MAX_LEVEL, AccessClass
from assistant.access.rights import GroupRights, Rights, group_key
from assistant.errors import ConfigError
from assistant.yaml_lines import YamlFile

LOOK_EVERY = 2.0  # seconds between two looks at the file's time
_YOUNG = 2.0  # seconds in which a file may be written again without its time changing

Noted = Callable[[Path, str], None]

_log = logging.getLogger(__name__)


def _named(text: str) -> str:
    """As departments are compared: in Unicode's composed form."""
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise ValueError("a department needs a name")
    return text


Department = Annotated[str, Field(max_length=200), AfterValidator(_named)]
Level = Annotated[StrictInt, Field(ge=1, le=MAX_LEVEL)]


class GroupSpec(BaseModel):
    """What a group gives: `departments: {hr: 2, it: 1}`, or a list of them with one `level`; and `roles`."""

    model_config = ConfigDict(extra="forbid")

    departments: dict[Department, Level] = {}
    level: Level | None = None
    roles: list[Literal["user", "engineer", "admin"]] = []

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, data: Any) -> Any:  # noqa: ANN401 - whatever was written
        """A list of departments becomes what it stands for."""
        if not isinstance(data, dict):
            raise ValueError("write what the group gives below it, such as `departments: {hr: 2}`")
        named, level = data.get("departments"), data.get("level")
        if not isinstance(named, list):
            return data
        if wrong := [name for name in named if not isinstance(name, str)]:
            raise ValueError(f"departments: '{wrong[0]}' is not the name of a department: write it in quotes")
        return {**data, "departments": dict.fromkeys(named, 1 if level is None else level), "level": None}

    @model_validator(mode="after")
    def _gives(self) -> GroupSpec:
        if self.level is not None:
            raise ValueError("`level` goes with a list, such as `departments: [hr, it]`; or write {hr: 2, it: 1}")
        if not self.departments and not self.roles:
            raise ValueError("it gives nothing: write `departments` or `roles` below it, or leave the group out")
        return self

    def rights(self) -> GroupRights:
        grants = frozenset(AccessClass(name, level) for name, level in self.departments.items())
        return GroupRights(grants, frozenset(self.roles))


class AccessSpec(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    groups: dict[str, GroupSpec] = {}

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, data: Any) -> Any:  # noqa: ANN401 - whatever was written
        """A file, or a list of groups, in which all is commented out gives nothing."""
        if data is None:
            return {}
        if not isinstance(data, dict):
            raise ValueError("write `groups:` and each group below it")
        return {key: value for key, value in data.items() if key != "groups" or value is not None}


def read_access_file(path: Path) -> dict[str, GroupRights]:
    """What the file says, by `group_key`. Raises `ConfigError` with file, line and the nearest right key."""
    file = YamlFile(path, what="access file", refusal=ConfigError)
    spec = file.checked(AccessSpec, {"groups": GroupSpec})
    found: dict[str, GroupRights] = {}
    first: dict[str, str] = {}
    for name, group in spec.groups.items():
        key = group_key(name)
        if not key:
            raise file.error(("groups", name), "a group needs a name")
        if key in found:
            line = file.line(("groups", first[key]))
            raise file.error(("groups", name), f"'{name}' is the same group as '{first[key]}' in line {line}")
        found[key], first[key] = group.rights(), name
    return found


class FileRights(Rights):
    """Rights from the file as it is now; of a change that is wrong nothing holds, and what held before stays."""

    def __init__(self, name: Path, *, required: bool, noted: Noted | None = None) -> None:
        """`required`: the company has named this file, so it has to be there. Raises `ConfigError`.

        `noted` is called before a change holds, with the file and its SHA-256.
        """
        self._name = name
        self._problem: str | None = None
        self._looked = time.monotonic()
        self._noted = noted
        if required:
            resources.require(name, "access.file:")
        path = resources.locate(name)
        self._was_there = path is not None
        self._stamp = _stamp(path) if path else None
        super().__init__(read_access_file(path) if path else {})

    @property
    def groups(self) -> Mapping[str, GroupRights]:
        self._follow()
        return self._groups

    @property
    def problem(self) -> str | None:
        self._follow()
        return self._problem

    def _follow(self) -> None:
        """Every thread may come here at once: then some read the file twice, and find the same."""
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        path = resources.locate(self._name)
        if path is None:
            if self._was_there:
                self._keep(f"{self._name} is gone: what it said last still holds")
            return
        self._was_there = True
        stamp = _stamp(path)
        if stamp is not None and stamp == self._stamp:
            return
        try:
            found = read_access_file(path)
            fingerprint = hashlib.sha256(path.read_bytes()).hexdigest()
        except (ConfigError, OSError) as error:
            self._stamp = stamp
            self._keep(f"{error}; what the file said before still holds")
            return
        if self._problem is not None or found != self._groups:
            if self._noted:
                self._noted(path, fingerprint)
            _log.info("%s was read anew: %d groups", path, len(found))
        self._problem, self._stamp = None, stamp
        self._groups = found

    def _keep(self, problem: str) -> None:
        if problem != self._problem:
            _log.error("%s", problem)
        self._problem = problem


def _stamp(path: Path) -> tuple[str, int, int, int] | None:
    """Of this version of the file; None while it is so young that another one could look the same."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    young = abs(time.time() - found.st_mtime) < _YOUNG
    return None if young else (str(path), found.st_ino, found.st_size, found.st_mtime_ns)
