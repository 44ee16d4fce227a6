"""What somebody's question would find, for an administrator, who sees nothing that he may not read himself.

Nothing here depends on the question and on texts that he may not read at once: neither what is found nor how much of it is
left out. Else a question with a guessed word in it would tell whether the word is in one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from assistant.access.policy import Policy
from assistant.access.principal import ALL_DEPARTMENTS, AccessClass, Principal
from assistant.ask.events import Source
from assistant.errors import NotFound
from assistant.records.audit import Audit
from assistant.records.users import Users

if TYPE_CHECKING:
    from assistant.index.catalog import Catalog
    from assistant.serving import Index, Serving


@dataclass(frozen=True)
class Withheld:
    """A document that the administrator may read and the person may not."""

    document: str
    title: str
    path: str
    needs: AccessClass


@dataclass(frozen=True)
class ViewAs:
    """`found` of what both may read; `withheld` from the person; how many documents the person has beyond that, whatever
    the question.
    """

    person: Principal
    question: str
    found: tuple[Source, ...]
    withheld: tuple[Withheld, ...]
    hidden: int


class ViewingAs:
    """For administrators only."""

    def __init__(self, users: Users, policy: Policy, serving: Serving, audit: Audit, *, store_questions: bool) -> None:
        self._users = users
        self._policy = policy
        self._serving = serving
        self._audit = audit
        self._store_questions = store_questions

    def people(self, viewer: Principal) -> list[str]:
        """Names of all accounts. Raises `NotFound` for anybody but an administrator."""
        _check(viewer)
        return [who.name for who in self._users.list()]

    async def look(self, viewer: Principal, person: str, question: str) -> ViewAs:
        """Raises `NotFound` (also for anybody but an administrator), `InvalidQuestion`, `IndexNotReady`, `StorageError`."""
        _check(viewer)
        who = await asyncio.to_thread(self._users.find, person)
        index = await asyncio.to_thread(self._serving)
        question = index.retriever.checked(question)
        with self._serving.asking(index):
            seen = await self._look(index, viewer, who, question)
        words = {"text": question} if self._store_questions else {}
        documents = sorted({source.passage.document for source in seen.found})
        record = partial(self._audit.record, "access.view_as", viewer, person=who.name, person_id=who.id)
        await asyncio.to_thread(record, **words, documents=documents, withheld=[one.document for one in seen.withheld])
        return seen

    async def _look(self, index: Index, viewer: Principal, who: Principal, question: str) -> ViewAs:
        classes = await asyncio.to_thread(index.catalog.classes)
        both = shared(self._policy, viewer, who, classes)
        found = await index.retriever.retrieve(question, both)
        own = await index.retriever.retrieve(question, viewer)
        withheld = {
            one.passage.document: Withheld(
                one.passage.document, one.passage.title, one.passage.path, one.passage.access_class
            )
            for one in own.sources
            if not self._policy.may_read(who, one.passage.access_class)
        }
        hidden = await asyncio.to_thread(self._hidden, viewer, who, index.catalog)
        return ViewAs(who, question, found.sources, tuple(withheld.values()), hidden)

    def _hidden(self, viewer: Principal, who: Principal, catalog: Catalog) -> int:
        classes = catalog.classes()
        beyond = self._policy.permitted(who, classes) - self._policy.permitted(viewer, classes)
        return sum(row.class_id in beyond for row in catalog.documents() if row.chunks)


def shared(policy: Policy, one: Principal, other: Principal, classes: Mapping[int, AccessClass]) -> Principal:
    """Somebody who may read what both may, and has no account."""
    both = policy.permitted(one, classes) & policy.permitted(other, classes)
    # Whoever reads a level reads those below it. A class of a department "*" would stand for all of them.
    grants = frozenset(classes[number] for number in both if classes[number].department != ALL_DEPARTMENTS)
    return Principal(one.id, one.name, frozenset(), level=0, grants=grants)


def _check(viewer: Principal) -> None:
    if "admin" not in viewer.roles:
        raise NotFound("there is nothing here")
