"""Running a pipeline for whoever calls: against the index that serves, and with what a person should be told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.access.departments import new_department
from assistant.access.policy import Policy
from assistant.access.principal import LOCAL_OPERATOR, AccessClass, Principal
from assistant.access.rights import Rights
from assistant.errors import ConfigError, IndexSwitched

if TYPE_CHECKING:
    from assistant.ingest.progress import Progress
    from assistant.ingest.report import IngestReport
    from assistant.records.audit import Audit
    from assistant.records.users import Users
    from assistant.serving import Serving

_COUNTS = ("seen", "added", "updated", "deleted", "moved", "renamed", "unchanged", "chunks_added", "chunks_deleted")


class Ingesting:
    """Called as `assistant.ingest(…)`."""

    def __init__(self, serving: Serving, users: Users, policy: Policy, rights: Rights, audit: Audit) -> None:
        self._serving = serving
        self._users = users
        self._policy = policy
        self._rights = rights
        self._audit = audit

    def __call__(
        self,
        pipeline: str | Path,
        *,
        directory: Path | None = None,
        access_class: AccessClass | None = None,
        dry_run: bool = False,
        accept_deletions: bool = False,
        who: Principal = LOCAL_OPERATOR,
        progress: Progress | None = None,
        waiting: Callable[[], None] | None = None,
    ) -> IngestReport:
        """Run one pipeline (a file, or `hr` for pipelines/hr.yaml), or its recipe on another folder.

        Raises `PipelineError` before anything is changed, and `OtherModel` when the store was made with another model.
        """
        if directory is None and access_class is not None:
            raise ConfigError("--department and --level need --source: a pipeline's own rules are in its file")
        from assistant.ingest.pipeline import for_folder

        source = ""
        if directory is not None:
            source = str(directory.expanduser().resolve())
            if not Path(source).is_dir():
                what = "a file: name its folder" if Path(source).exists() else "not there: mount or make it"
                raise ConfigError(f"--source {directory} is {what}")
        new = None  # known once it is loaded
        if access_class is not None:
            classes, people = self._serving().catalog.classes().values(), self._users.list()
            new = new_department(access_class, classes, people, self._policy, self._rights)
        while True:
            index = self._serving()
            compiled = index.pipeline(pipeline)
            if source:
                compiled = for_folder(compiled, Path(source), access_class)
            run = partial(
                index.ingest_service.run,
                compiled,
                source=source,
                dry_run=dry_run,
                accept_deletions=accept_deletions,
                progress=progress,
                waiting=waiting,
            )
            try:
                report = run() if dry_run else self._recorded(who, compiled.name, source, run)
            except IndexSwitched:  # while it waited for its turn
                continue
            report.notes += [new] if new else []
            return report

    def remove(self, documents: list[str], what: str) -> int:
        """Take documents out of the index, for who sits at the machine; the number of their passages."""
        self._audit.record("document.removed", LOCAL_OPERATOR, documents=documents, what=what)
        return self._serving().ingest_service.remove(documents)

    def _recorded(self, who: Principal, pipeline: str, source: str, run: Callable[[], IngestReport]) -> IngestReport:
        """Two records: that a run begins, without which it doesn't, and how it ended."""
        begun = self._audit.record("ingest", who, pipeline=pipeline, **({"source": source} if source else {}))
        try:
            report = run()
        except Exception as error:
            self._audit.record("ingest.failed", who, ingest=begun, error=type(error).__name__)
            raise
        counts = {name: getattr(report, name) for name in _COUNTS}
        self._audit.record("ingest.done", who, ingest=begun, **counts, failed=len(report.failed))
        return report
