"""Which document is replaced by which: found over the whole catalog after an ingest, kept in the documents' rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import bindparam, select, update

from assistant.access.principal import AccessClass
from assistant.index.dates import iso_day
from assistant.index.scope import GenerationScope
from assistant.index.versions import (
    Edition,
    edition_of,
    kind_of,
    names_subject,
    series_key,
    stem_of,
    take_apart,
)
from assistant.records.tables import AccessClassRow, ChunkRow, DocumentRow

_BATCH = 500  # ids in one IN (…): SQLite's oldest limit is 999
_RULES = 2  # raise it when `series_key` makes another key of the same title


@dataclass(frozen=True)
class DocumentFacts:
    """What a document says of itself, and what replaces it."""

    id: str
    title: str
    path: str
    version: str
    details: Mapping[str, Any]
    series: str
    superseded_by: str | None
    access_class: AccessClass


class DocumentRecords(GenerationScope):
    """Repository of what tells editions: one generation's documents that have passages, without their texts."""

    def facts(self, ids: Iterable[str] | None = None) -> dict[str, DocumentFacts]:
        """Of those documents, or of all."""
        with self._database.transaction() as session:
            connection = session.connection()
            if ids is None:
                rows = list(connection.execute(_FACTS.where(self._is_mine(DocumentRow))))
            else:
                parts = [{"generation": self.generation, "ids": part} for part in batches(ids)]
                rows = [row for part in parts for row in connection.execute(_FACTS_BY_ID, part)]
        return {
            key: DocumentFacts(key, title, path, version, details, series, by, AccessClass(department, level))
            for key, title, path, version, details, series, by, department, level in rows
        }

    def superseded(self, ids: Iterable[str]) -> list[str]:
        """Those of the documents that something replaces: few or none, and quickly told."""
        found: list[str] = []
        with self._database.transaction() as session:
            for part in batches(ids):
                mine = {"generation": self.generation, "ids": part}
                found += session.connection().scalars(_SUPERSEDED, mine)
        return found

    def first_texts(self, documents: Iterable[str]) -> dict[str, str]:
        """The text of each document's first passage."""
        found: dict[str, str] = {}
        with self._database.transaction() as session:
            for part in batches(documents):
                query = select(ChunkRow.document_id, ChunkRow.text).where(self._is_mine(ChunkRow))
                rows = session.execute(query.where(ChunkRow.document_id.in_(part), ChunkRow.position == 0))
                found.update((document, text) for document, text in rows)
        return found

    def set_series(self, changes: Mapping[str, tuple[str, str | None]]) -> None:
        """Document id → its series and the document that replaces it."""
        table = DocumentRow.__table__
        values = [{"key": key, "new": series, "by": by} for key, (series, by) in changes.items()]
        mine = table.c.generation == self.generation
        statement = update(table).where(mine, table.c.id == bindparam("key"))  # type: ignore[arg-type]
        with self._database.transaction() as session:
            session.connection().execute(
                statement.values(series=bindparam("new"), superseded_by=bindparam("by")), values
            )


_FACTS = (
    select(
        DocumentRow.id,
        DocumentRow.title,
        DocumentRow.path,
        DocumentRow.version,
        DocumentRow.details,
        DocumentRow.series,
        DocumentRow.superseded_by,
        AccessClassRow.department,
        AccessClassRow.level,
    )
    .join(AccessClassRow, DocumentRow.class_id == AccessClassRow.id)
    .where(DocumentRow.chunks > 0)
)
_HAS_ID = (DocumentRow.generation == bindparam("generation"), DocumentRow.id.in_(bindparam("ids", expanding=True)))
_FACTS_BY_ID = _FACTS.where(*_HAS_ID)
_SUPERSEDED = select(DocumentRow.id).where(*_HAS_ID, DocumentRow.superseded_by.is_not(None))


def mark(catalog: DocumentRecords, *, today: date | None = None) -> int:
    """Note in every document's row its series and what replaces it; returns how many rows changed.

    For the end of every ingest, also of one that changed nothing: an edition may have come into force meanwhile.
    """
    today = today or datetime.now(UTC).date()
    facts = catalog.facts()
    marks: dict[str, tuple[str, str | None]] = {one.id: (_series(one), None) for one in facts.values()}
    groups: dict[tuple[str, str], list[DocumentFacts]] = {}
    for one in facts.values():
        groups.setdefault((marks[one.id][0].partition(".")[2], one.access_class.department), []).append(one)
    for members in groups.values():
        if len(members) > 1:
            for older, newer in successions(_key(members[0]), members, catalog, today):
                marks[older.id] = (marks[older.id][0], newer.id)
    changed = {key: new for key, new in marks.items() if new != (facts[key].series, facts[key].superseded_by)}
    if changed:
        catalog.set_series(changed)
    return len(changed)


def successions(
    key: str, members: list[DocumentFacts], catalog: DocumentRecords, today: date
) -> list[tuple[DocumentFacts, DocumentFacts]]:
    """(replaced, the next one) among the documents of one title."""
    in_force = [one for one in members if not _is_to_come(one, today)]
    editions = {one.id: edition_of(one.title, one.path, one.details) for one in in_force}
    undated = {one.id: one for one in in_force if not editions[one.id].day}
    if undated and _dates_count(key):
        for document, text in catalog.first_texts(undated).items():
            one = undated[document]
            editions[document] = edition_of(one.title, one.path, one.details, text)
    found = []
    for part in _parts(key, in_force, editions):
        steps = _ordered([(one, editions[one.id]) for one in part], by_day=_dates_count(key))
        for older, newer in pairwise(steps):
            widest = min(newer, key=lambda one: one.access_class.level)  # of equals, the one that most people may read
            found += [(one, widest) for one in older]
    return found


def _series(one: DocumentFacts) -> str:
    """A hash of title and number, and one of the series they make: titles that stand are not taken apart anew."""
    said = _hash(f"{_RULES}\0{one.title}\0{one.details.get('number')}")
    return one.series if one.series.startswith(f"{said}.") else f"{said}.{_hash(_key(one))}"


def _key(one: DocumentFacts) -> str:
    return series_key(one.title, str(one.details.get("number") or ""))


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _parts(key: str, members: list[DocumentFacts], editions: Mapping[str, Edition]) -> list[list[DocumentFacts]]:
    """The group, or, where the title alone is too little, its parts of the same file name."""
    by_name = any(editions[one.id].by_file_name for one in members)
    if names_subject(key) and len(key.split()) > 1 and not by_name:
        return [members]
    parts: dict[str, list[DocumentFacts]] = {}
    for one in members:
        parts.setdefault(take_apart(stem_of(one.path)).key, []).append(one)
    return [part for part in parts.values() if len(part) > 1]


def _dates_count(key: str) -> bool:
    """Whether a later date alone makes a later edition of documents with this title."""
    kind = kind_of(key)
    return (kind == "regulation" and names_subject(key)) or (kind == "other" and "№" in key)


def _ordered(members: list[tuple[DocumentFacts, Edition]], *, by_day: bool) -> list[list[DocumentFacts]]:
    """Steps from the oldest edition to the newest; documents of one edition share a step. One step at most: no order.

    By date or by version number, whichever tells more documents apart; where the two disagree nothing is concluded.
    """
    dated = [(one, edition) for one, edition in members if edition.day and (by_day or edition.told)]
    if len({edition.day for _, edition in dated}) < 2:
        dated = []
    numbered = [(one, edition) for one, edition in members if edition.number]
    steps: list[Any]
    if len(numbered) > len(dated) or not dated:
        rows = sorted(numbered, key=lambda row: (row[1].number, row[0].path))
        steps = [row[1].number for row in rows]
        days = [row[1].day for row in rows if row[1].day and (by_day or row[1].told)]
        agree = days == sorted(days)
    else:
        rows = sorted(dated, key=lambda row: (row[1].day, row[1].number, row[0].path))
        steps = [_comparable(row[1].day, [edition.day for _, edition in rows]) for row in rows]
        numbers = [row[1].number for row in rows if row[1].number]
        agree = numbers == sorted(numbers)
    grouped: dict[Any, list[DocumentFacts]] = {}
    for (one, _), step in zip(rows, steps, strict=True):
        grouped.setdefault(step, []).append(one)
    same_text = len({one.version for one, _ in rows}) == 1
    return list(grouped.values()) if agree and not same_text else []


def _comparable(day: str, others: list[str]) -> str:
    """A date beside a mere year of the same number is not known to be later: both are that year's."""
    return day[:4] if day[:4] in others else day


def _is_to_come(one: DocumentFacts, today: date) -> bool:
    return iso_day(one.details.get("valid_from")) > today.isoformat()


def is_expired(details: Mapping[str, Any], today: date | None = None) -> bool:
    """Whether the last day that it says it is valid has passed."""
    until = iso_day(details.get("valid_until"))
    return bool(until) and until < (today or datetime.now(UTC).date()).isoformat()


def later_editions(catalog: DocumentRecords, documents: Iterable[str]) -> dict[str, list[DocumentFacts]]:
    """What replaces each of those documents, the nearest first and the one in force last; none for most."""
    known = catalog.facts(catalog.superseded(documents))
    chains = {key: list(_chain(catalog, one, known)) for key, one in list(known.items())}
    return {key: chain for key, chain in chains.items() if chain}


def _chain(catalog: DocumentRecords, one: DocumentFacts, known: dict[str, DocumentFacts]) -> Iterator[DocumentFacts]:
    seen = {one.id}
    following = one.superseded_by
    while following and following not in seen:
        seen.add(following)
        if following not in known:
            known |= catalog.facts([following])
        if following not in known:
            return
        yield known[following]
        following = known[following].superseded_by


def batches(ids: Iterable[str]) -> Iterator[list[str]]:
    """Each id once, as many at a time as one IN (…) holds."""
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), _BATCH):
        yield wanted[start : start + _BATCH]
