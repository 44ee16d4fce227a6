"""Why somebody may read a document or not, and what he may read at all: for whoever runs the command line."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.access.policy import Policy
from assistant.access.principal import ALL_DEPARTMENTS, AccessClass, Principal
from assistant.access.rights import Rights
from assistant.errors import NotFound
from assistant.explaining.origins import Origin, Origins, origins_of
from assistant.index.catalog import INDEXED, Catalog
from assistant.records.account_tables import UserRow
from assistant.records.tables import DocumentRow
from assistant.records.users import Users, is_off_here, is_on, principal_of
from assistant.settings import Settings


@dataclass(frozen=True)
class Readable:
    """A class, how many documents it has, and what opens it to somebody."""

    access_class: AccessClass
    documents: int
    by: tuple[Origin, ...]

    def as_json(self) -> dict[str, Any]:
        return {**_class_json(self.access_class), "documents": self.documents, "by": [one.as_json() for one in self.by]}


@dataclass(frozen=True)
class ClassView:
    """A class with the names of the accounts that may read it."""

    access_class: AccessClass
    documents: int
    people: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {**_class_json(self.access_class), "documents": self.documents, "people": list(self.people)}


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The decision, its reasons, and what would change it."""

    user: str
    row: DocumentRow
    readable: bool
    reason: str
    access_class: AccessClass | None
    by: tuple[Origin, ...]  # what gives him the department, up to which level
    origins: Origins
    needed: str = ""

    @property
    def moves_to(self) -> AccessClass | None:
        """Where the next ingest puts it, if not where it is."""
        is_other = self.origins.is_known and self.origins.result != self.access_class
        return self.origins.result if is_other else None

    def as_json(self) -> dict[str, Any]:
        return {
            "user": self.user,
            "document": self.row.id,
            "path": self.row.path,
            "title": self.row.title,
            "status": self.row.status,
            "readable": self.readable,
            "reason": self.reason,
            "class": None if self.access_class is None else _class_json(self.access_class),
            "rules": [one.as_json() for one in self.origins.rules],
            "note": self.origins.note,
            "moves_to": None if self.moves_to is None else _class_json(self.moves_to),
            "rights": [one.as_json() for one in self.by],
            "needed": self.needed,
        }


class Explaining:
    """Over the index that serves, and the rules as they are now."""

    def __init__(
        self, settings: Settings, users: Users, rights: Rights, policy: Policy, catalog: Callable[[], Catalog]
    ) -> None:
        self._settings = settings
        self._users = users
        self._rights = rights
        self._policy = policy
        self._catalog = catalog

    def explain(self, user: str, document: str) -> Explanation:
        """By the account's name and the document's id or path. Raises `NotFound`."""
        account, catalog = self._users.row(user), self._catalog()
        row = _found(catalog, document)
        held = catalog.classes().get(row.class_id) if row.class_id is not None and row.chunks else None
        readable, reason = self._decision(catalog, account, row, held)
        return Explanation(
            user=user,
            row=row,
            readable=readable,
            reason=reason,
            access_class=held,
            by=() if held is None else tuple(self._rights_to(account, held.department)),
            origins=origins_of(row, self._settings.ingest.pipelines),
            needed="" if readable else self._needed(account, held),
        )

    def readable(self, user: str) -> list[Readable]:
        """The classes that have documents and that the person may read. Raises `NotFound`."""
        account = self._users.row(user)
        if not is_on(account):
            return []
        who = principal_of(account, self._rights)
        return [
            Readable(found, count, tuple(self._rights_to(account, found.department)))
            for found, count in self._counts().items()
            if self._policy.may_read(who, found)
        ]

    def classes(self) -> list[ClassView]:
        """All that have documents."""
        people = [(row, principal_of(row, self._rights)) for row in self._users.rows() if is_on(row)]
        return [
            ClassView(found, count, tuple(row.name for row, who in people if self._policy.may_read(who, found)))
            for found, count in self._counts().items()
        ]

    def _counts(self) -> dict[AccessClass, int]:
        catalog = self._catalog()
        classes = catalog.classes()
        held = Counter(classes[row.class_id] for row in catalog.documents() if row.chunks and row.class_id is not None)
        return dict(sorted(held.items()))

    def _decision(
        self, catalog: Catalog, account: UserRow, row: DocumentRow, held: AccessClass | None
    ) -> tuple[bool, str]:
        if held is None:
            return False, f"nobody reads it, for it is not loaded: {row.error or 'it holds no text'}"
        if not is_on(account):
            return False, f"{account.name} can't sign in: the account is disabled or over"
        who: Principal = principal_of(account, self._rights)
        for passage in catalog.passages_of(row.id):  # while it moves, what it holds decides
            if not self._policy.may_read(who, passage.access_class):
                return self._policy.explain(who, passage.access_class)
        readable, reason = self._policy.explain(who, held)
        return readable, reason if row.status == INDEXED else f"{reason}; an earlier version of it: {row.error}"

    def _rights_to(self, account: UserRow, department: str) -> list[Origin]:
        """What gives the person the department, each with its level."""
        wanted = {department, ALL_DEPARTMENTS}
        found = [Origin("the account", one, account.level) for one in account.departments if one in wanted]
        for group in account.groups:
            grants = self._rights.of([group]).grants
            found += [
                Origin(f"the group {group}", one.department, one.level) for one in grants if one.department in wanted
            ]
        if department in self._policy.everyone:
            level = max(account.level, self._policy.everyone_level)
            found.append(Origin("everyone (access.everyone)", department, level))
        return found

    def _needed(self, account: UserRow, held: AccessClass | None) -> str:
        if held is None:
            return "a rule that names the document, or a file that can be read; then an ingest"
        if account.disabled_at:
            return f"`assistant users enable {account.name}`"
        if is_off_here(account):
            return f"`assistant users expire {account.name} never`, or a later day"
        if not is_on(account):
            return f"{account.name} to be in the directory '{account.source}' again"
        return (
            f"department '{held.department}' up to level {held.level}: for a group of his in "
            f"{self._settings.access.file}, or for the account (`assistant users grant {account.name}`)"
        )


def _found(catalog: Catalog, document: str) -> DocumentRow:
    """By id, path in its source, or path on this machine."""
    path = unicodedata.normalize("NFC", document)
    location = str(Path(document).expanduser().absolute())
    found = [row for row in catalog.documents() if document == row.id or path == row.path or row.location == location]
    if not found:
        raise NotFound(f"there is no document '{document}' in the catalog: see `assistant documents list`")
    if len(found) > 1:
        several = ", ".join(f"{row.id} of {row.source or row.pipeline}" for row in found)
        raise NotFound(f"several documents have the path '{document}': name one by its id ({several})")
    return found[0]


def _class_json(found: AccessClass) -> dict[str, Any]:
    return {"department": found.department, "level": found.level}
