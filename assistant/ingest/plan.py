"""What a run has to do: today's files against the catalog, decided before any file is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from assistant.access.principal import AccessClass
from assistant.errors import DocumentError
from assistant.index.catalog import FAILED, INDEXED
from assistant.ingest.pipeline import Pipeline
from assistant.ingest.sources import SourceItem
from assistant.records.tables import DocumentRow

NO_RULE = "no access rule of the pipeline names it, so nobody may read it: add a rule under `access`"


@dataclass(frozen=True)
class Work:
    """A file to be read: new, changed, or never read successfully with this recipe."""

    item: SourceItem
    row: DocumentRow | None
    access_class: AccessClass
    sha256: str


@dataclass(frozen=True)
class Refusal:
    """A file that is not loaded, and why; `withdraw` also takes an earlier version out of the index."""

    item: SourceItem
    row: DocumentRow | None
    error: str
    withdraw: bool


@dataclass
class Plan:
    """Every item of the source ends in exactly one of these, but that `moved` ones may also be in `work`."""

    work: list[Work] = field(default_factory=list)
    moved: list[tuple[DocumentRow, AccessClass]] = field(default_factory=list)
    touched: list[DocumentRow] = field(default_factory=list)  # same content: only path, size or time to be noted
    unchanged: int = 0
    still_failing: list[DocumentRow] = field(default_factory=list)
    renamed: int = 0
    refused: list[Refusal] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    deleted: list[DocumentRow] = field(default_factory=list)


def make_plan(
    pipeline: Pipeline,
    items: Iterable[SourceItem],
    rows: list[DocumentRow],
    classes: dict[int, AccessClass],
    *,
    limits: str = "",
) -> Plan:
    """Compare size and time, then sha256, then the recipe's fingerprint; files that stand are not opened.

    `limits` stands for the limits of reading: a file that failed is tried again when they were changed.
    """
    plan = Plan()
    known = {row.path: row for row in rows}
    fresh: list[SourceItem] = []
    seen: set[str] = set()
    for item in items:
        if item.location is not None and pipeline.reader(item.path) is None:
            plan.skipped.append(item.path)
            continue
        seen.add(item.path)
        row = known.get(item.path)
        access_class = pipeline.access_class(item.path)
        if access_class is None or (item.problem and not item.unreachable):
            plan.refused.append(Refusal(item, row, item.problem or NO_RULE, withdraw=True))
        elif item.problem:
            if row is not None:
                _plan_move(plan, row, access_class, classes)
            plan.refused.append(Refusal(item, row, item.problem, withdraw=False))
        elif row is None:
            fresh.append(item)
        else:
            fingerprint = pipeline.fingerprint(item.path) + (limits if row.status == FAILED else "")
            _plan_known(plan, item, row, access_class, classes, fingerprint)
    gone = [row for path, row in known.items() if path not in seen]
    _plan_fresh(plan, pipeline, fresh, gone, classes)
    return plan


def _plan_known(
    plan: Plan,
    item: SourceItem,
    row: DocumentRow,
    access_class: AccessClass,
    classes: dict[int, AccessClass],
    fingerprint: str,
) -> None:
    _plan_move(plan, row, access_class, classes)  # first of all: also for a file that can't be opened now
    same_stat = (row.size, row.mtime_ns) == (item.size, item.mtime_ns) and item.location is not None
    try:
        sha256 = row.sha256 if same_stat and row.sha256 else item.sha256()
    except DocumentError as error:
        plan.refused.append(Refusal(item, row, str(error), withdraw=False))
        return
    if row.fingerprint != fingerprint or sha256 != row.sha256 or row.status not in (INDEXED, FAILED):
        plan.work.append(Work(item, row, access_class, sha256))
        return
    location = str(item.location or "")
    if not same_stat or row.location != location:  # the source folder itself may have moved
        row.size, row.mtime_ns, row.location = item.size, item.mtime_ns, location
        plan.touched.append(row)
    if row.status == FAILED:
        plan.still_failing.append(row)
    else:
        plan.unchanged += 1


def _plan_move(plan: Plan, row: DocumentRow, access_class: AccessClass, classes: dict[int, AccessClass]) -> None:
    """What is loaded of the document goes to its new class, if that changed."""
    if row.class_id is not None and row.chunks and classes[row.class_id] != access_class:
        plan.moved.append((row, access_class))


def _plan_fresh(
    plan: Plan, pipeline: Pipeline, fresh: list[SourceItem], gone: list[DocumentRow], classes: dict[int, AccessClass]
) -> None:
    """New paths: a file that vanished elsewhere with the same content was renamed, and is not read again."""
    by_content: dict[tuple[str, str], list[DocumentRow]] = {}
    for old in gone:
        if old.status == INDEXED:
            by_content.setdefault((old.sha256, old.fingerprint), []).append(old)
    renamed: set[str] = set()
    for item in fresh:
        access_class = pipeline.access_class(item.path)
        assert access_class is not None
        try:
            sha256 = item.sha256()
        except DocumentError as error:
            plan.refused.append(Refusal(item, None, str(error), withdraw=False))
            continue
        candidates = by_content.get((sha256, pipeline.fingerprint(item.path)), [])
        row = next((old for old in candidates if old.id not in renamed and _keeps_title(old, item)), None)
        if row is None:
            plan.work.append(Work(item, None, access_class, sha256))
            continue
        renamed.add(row.id)
        plan.renamed += 1
        row.path, row.location = item.path, str(item.location or "")
        row.size, row.mtime_ns = item.size, item.mtime_ns
        plan.touched.append(row)
        _plan_move(plan, row, access_class, classes)
        plan.unchanged += 1
    plan.deleted = [old for old in gone if old.id not in renamed]


def _keeps_title(row: DocumentRow, item: SourceItem) -> bool:
    """A title that came from the file's name changes with it, and is part of what was embedded."""
    old, new = PurePosixPath(row.path).stem, PurePosixPath(item.path).stem
    return row.title != old or old == new
