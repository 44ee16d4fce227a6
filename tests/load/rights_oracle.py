"""The oracle of `tests.load.rights`: who may read what, told apart from the product's code."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.access.principal import ALL_DEPARTMENTS, Principal


def may_read(person: Principal, department: str, level: int, everyone: str) -> bool:
    """The rule once more, apart from the product's."""
    if department == everyone and level <= 1:
        return True
    is_member = department == everyone or bool(person.departments & {department, ALL_DEPARTMENTS})
    if is_member and level <= person.level:
        return True
    return any(grant.department in {department, ALL_DEPARTMENTS} and level <= grant.level for grant in person.grants)


class Truth:
    """In which class each document was when."""

    def __init__(self, database: Path, everyone: str) -> None:
        self._everyone = everyone
        query = "SELECT d.path, c.department, c.level FROM documents d JOIN access_classes c ON c.id = d.class_id"
        with sqlite3.connect(database) as connection:
            rows = connection.execute(query).fetchall()
        self._spans = {path: [(0.0, float("inf"), (department, level))] for path, department, level in rows}

    @contextmanager
    def changing(self, path: str, new: tuple[str, int] | None) -> Iterator[None]:
        """Around the commit that puts a document into a class (None: takes it out)."""
        spans = self._spans.setdefault(path, [])
        before = list(spans)
        if new:
            spans.append((time.monotonic(), float("inf"), new))
        yield
        now = time.monotonic()
        for place, (since, until, held) in enumerate(before):
            spans[place] = (since, min(until, now), held)

    def is_forbidden(self, path: str, person: Principal, start: float, end: float) -> bool:
        held = [span for span in self._spans.get(path, []) if span[0] <= end and span[1] >= start]
        return not any(may_read(person, *found, self._everyone) for _, _, found in held)

    def now(self) -> dict[str, tuple[str, int]]:
        return {path: spans[-1][2] for path, spans in self._spans.items() if spans and spans[-1][1] == float("inf")}
