"""What a run has to do: today's files against the catalog, decided before any file is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from assistant.access.principal import AccessClass
from assistant.errors import DocumentError
from assistant.index.catalog import FAILED, INDEXED
from assistant.ingest import metadata
from assistant.ingest.pipeline import Pipeline
from assistant.ingest.sources import SourceItem
from assistant.records.tables import DocumentRow

NO_RULE = metadata.NO_RULE
EMPTY = "the file is empty"


@dataclass(frozen=True)
class Work:
    """A file to be read: new, changed, or never read completely with this recipe under these limits."""

    item: SourceItem
    row: DocumentRow | None
    access_class: AccessClass | None  # as far as it is known before reading; None only with `trust_metadata`
    sha256: str
    fingerprint: str


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
    still_failing: list[DocumentRow] = field(default_factory=list)  # as the catalog has it: nothing to be noted
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

    `limits` stands for what reading depends on beside the recipe: a document that failed or is incomplete has it at the end
    of its fingerprint, and is read again when it changed.
    """
    planner = _Planner(pipeline, rows, classes, limits)
    for item in items:
        if item.location is not None and pipeline.reader(item.path) is None:
            planner.plan.skipped.append(item.path)
        else:
            planner.add(item)
    planner.finish()
    return planner.plan


class _Planner:
    def __init__(
        self, pipeline: Pipeline, rows: list[DocumentRow], classes: dict[int, AccessClass], limits: str
    ) -> None:
        self.plan = Plan()
        self._pipeline = pipeline
        self._known = {row.path: row for row in rows}
        self._classes = classes
        self._limits = limits
        self._seen: set[str] = set()
        self._fresh: list[tuple[SourceItem, AccessClass | None]] = []
        self._changed: list[tuple[SourceItem, DocumentRow, AccessClass | None]] = []

    def add(self, item: SourceItem) -> None:
        self._seen.add(item.path)
        row = self._known.get(item.path)
        if item.problem:
            self._problem(item, row, item.problem)
            return
        try:
            access_class = metadata.access_class(self._pipeline, item, row.details if row is not None else None)
            refused = NO_RULE if access_class is None and not self._may_name_itself(row) else None
        except DocumentError as error:
            access_class, refused = None, str(error)
        if refused is not None and not self._says_otherwise_now(item, row):
            self._refuse(item, row, refused, withdraw=True)
            return
        if row is not None and access_class is not None:
            self._move(row, access_class)  # first of all: also for a file that can't be opened now
        if item.location is not None and item.size == 0:
            self._refuse(item, row, EMPTY, withdraw=False)
        elif row is None:
            self._fresh.append((item, access_class))
        elif item.remote is not None and not _same_stat(item, row):
            self._changed.append((item, row, access_class))
        else:
            self._add_known(item, row, access_class)

    def finish(self) -> None:
        """What needs its content to be known: remote files that changed, and new ones."""
        unknown = [item for item, *_ in self._changed] + [item for item, _ in self._fresh]
        if remote := [item.remote for item in unknown if item.remote is not None]:
            from assistant.ingest.sources.remote import fetch_all

            fetch_all(remote)
        for item, row, access_class in self._changed:
            self._add_known(item, row, access_class)
        self._add_fresh()

    def _add_fresh(self) -> None:
        """A file that vanished elsewhere with the same content was renamed, and is not read again."""
        gone = [row for path, row in self._known.items() if path not in self._seen]
        by_content: dict[tuple[str, str], list[DocumentRow]] = {}
        for old in gone:
            if old.status == INDEXED:
                by_content.setdefault((old.sha256, old.fingerprint), []).append(old)
        renamed: set[str] = set()
        for item, access_class in self._fresh:
            try:
                sha256 = item.sha256()
            except DocumentError as error:
                self._refuse(item, None, str(error), withdraw=False)
                continue
            fingerprint = self._pipeline.fingerprint(item.path, item.metadata)
            candidates = [old for stands in self._standing(fingerprint) for old in by_content.get((sha256, stands), [])]
            row = next((old for old in candidates if old.id not in renamed and self._follows(old, item)), None)
            if row is None:
                self.plan.work.append(Work(item, None, access_class, sha256, fingerprint))
            else:
                renamed.add(row.id)
                self._rename(row, item)
        self.plan.deleted = [old for old in gone if old.id not in renamed]

    # --- a document that the catalog knows

    def _add_known(self, item: SourceItem, row: DocumentRow, access_class: AccessClass | None) -> None:
        same_stat = _same_stat(item, row)
        try:
            sha256 = row.sha256 if same_stat and row.sha256 else item.sha256()
        except DocumentError as error:
            self._refuse(item, row, str(error), withdraw=False)
            return
        fingerprint = self._pipeline.fingerprint(item.path, item.metadata)
        stands = row.fingerprint in self._standing(fingerprint) and row.status in (INDEXED, FAILED)
        if access_class is not None and row.status == FAILED and metadata.was_refusal(row.error):
            stands = False  # somebody may read it now
        if not stands or sha256 != row.sha256:
            self.plan.work.append(Work(item, row, access_class, sha256, fingerprint))
            return
        location = str(item.location or "")
        if not same_stat or row.location != location:  # the source folder itself may have moved
            self._touch(row, item)
        if row.status == FAILED:
            self.plan.still_failing.append(row)
        else:
            self.plan.unchanged += 1

    def _standing(self, fingerprint: str) -> tuple[str, str]:
        return fingerprint, fingerprint + self._limits

    def _problem(self, item: SourceItem, row: DocumentRow | None, problem: str) -> None:
        """What can't be opened keeps its earlier version, as long as the rules still let its readers read it."""
        try:
            rule = metadata.ruled(self._pipeline, item)
        except DocumentError as error:
            self._refuse(item, row, str(error), withdraw=True)
            return
        trusted = self._pipeline.trust_metadata
        withdraw = not item.unreachable or (rule is None and not trusted)
        held = self._classes.get(row.class_id) if row is not None and row.chunks and row.class_id is not None else None
        stays = withdraw or held is None or metadata.within(held, rule, trusted=trusted)
        if row is not None and rule is not None and not stays:
            self.plan.moved.append((row, rule))
        self._refuse(item, row, problem, withdraw=withdraw)

    def _refuse(self, item: SourceItem, row: DocumentRow | None, error: str, *, withdraw: bool) -> None:
        """Once noted, it is only counted: a hundred thousand empty files are not written again by every run."""
        noted = row is not None and row.status == FAILED and row.error == error and not (withdraw and row.chunks)
        if row is not None and noted:
            self.plan.still_failing.append(row)
        else:
            self.plan.refused.append(Refusal(item, row, error, withdraw))

    def _may_name_itself(self, row: DocumentRow | None) -> bool:
        """Whether the document, once it is read, may say whose it is."""
        return self._pipeline.trust_metadata and (row is None or not row.chunks)

    def _says_otherwise_now(self, item: SourceItem, row: DocumentRow | None) -> bool:
        """Whether a document refused for what it said of itself, or its recipe, has changed, and nothing else is wrong."""
        if row is None or row.chunks or metadata.OWN not in row.details:
            return False
        try:
            if metadata.access_class(self._pipeline, item) is None and not self._pipeline.trust_metadata:
                return False
            stands = row.fingerprint in self._standing(self._pipeline.fingerprint(item.path, item.metadata))
            return not stands or (not _same_stat(item, row) and item.sha256() != row.sha256)
        except DocumentError:
            return False

    def _move(self, row: DocumentRow, access_class: AccessClass) -> None:
        """What is loaded of the document goes to its new class, if that changed."""
        if row.class_id is not None and row.chunks and self._classes[row.class_id] != access_class:
            self.plan.moved.append((row, access_class))

    # --- a document under a new name

    def _follows(self, row: DocumentRow, item: SourceItem) -> bool:
        """Whether it can keep what was made of it: its class must follow from what is known, its title stay the same.

        A title that came from the file's name changes with it, and is part of what was embedded.
        """
        old, new = PurePosixPath(row.path).stem, PurePosixPath(item.path).stem
        try:
            named = metadata.access_class(self._pipeline, item, row.details) is not None
        except DocumentError:
            return False
        return named and (row.title != old or old == new)

    def _rename(self, row: DocumentRow, item: SourceItem) -> None:
        self.plan.renamed += 1
        self.plan.unchanged += 1
        row.path = item.path
        self._touch(row, item)
        access_class = metadata.access_class(self._pipeline, item, row.details)
        assert access_class is not None
        self._move(row, access_class)

    def _touch(self, row: DocumentRow, item: SourceItem) -> None:
        row.size, row.mtime_ns, row.location = item.size, item.mtime_ns, str(item.location or "")
        self.plan.touched.append(row)


def _same_stat(item: SourceItem, row: DocumentRow) -> bool:
    return item.location is not None and (row.size, row.mtime_ns) == (item.size, item.mtime_ns)
