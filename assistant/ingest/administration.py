"""What an administrator sees of documents and sources, and puts into them: never more than the person may read.

The role `admin` gives no right to read documents. So names of others' documents are not shown, only how many there are,
and nothing can be put where the person could not see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import IO, Any

from assistant.access.policy import Policy
from assistant.access.principal import AccessClass, Principal
from assistant.errors import AssistantError, PipelineError
from assistant.index.catalog import FAILED, INDEXED, Catalog
from assistant.ingest.pipeline import Pipeline, file_of, load_pipeline
from assistant.ingest.places import Place
from assistant.ingest.sources import folder_of
from assistant.ingest.upload import file_name, refusal, store
from assistant.records.audit import Audit
from assistant.records.tables import DocumentRow

_SHOWN_FOLDERS = 1000


@dataclass(frozen=True)
class UploadSource:
    """A configured pipeline with a folder on this machine. `id` is what `ingest.pipelines` calls it."""

    id: str
    name: str
    folders: tuple[tuple[str, AccessClass], ...] = ()
    extensions: tuple[str, ...] = ()
    problem: AssistantError | None = None


class Administration:
    """For one request of one person, who has the role `admin`."""

    def __init__(
        self, principal: Principal, policy: Policy, catalog: Catalog, pipelines: list[str], audit: Audit
    ) -> None:
        self._principal = principal
        self._policy = policy
        self._catalog = catalog
        self._pipelines = pipelines
        self._audit = audit

    def documents(self) -> tuple[list[tuple[DocumentRow, AccessClass]], list[DocumentRow]]:
        """The catalog's documents that the person may read, with their classes; and the others."""
        classes = self._catalog.classes()
        known, others = [], []
        for row in self._catalog.documents():
            held = classes.get(row.class_id) if row.class_id is not None else None
            access_class = self._shown_class(row, held)
            if access_class is None:
                others.append(row)
            else:
                known.append((row, access_class))
        return known, others

    def retry(self) -> None:
        """The next load reads the failed documents that the person may see once more."""
        known, _ = self.documents()
        self._catalog.read_again([row.id for row, _ in known if row.status == FAILED])

    def sees(self, source: str, path: str) -> bool:
        """Whether a path that a run of the source names may be shown."""
        place = self._places.get(source)
        return isinstance(place, Place) and self._may_read(self._class_now(place, path))

    def sources(self, *, with_folders: bool = True) -> list[UploadSource]:
        """The configured pipelines with a local folder, and the folders that the person may put documents into."""
        found = []
        for source, place in self._places.items():
            if isinstance(place, PipelineError):
                found.append(UploadSource(source, source, problem=place))
            elif place is not None:
                found.append(self._upload_source(source, place, with_folders))
        return found

    def put(self, source: str, folder: str, name: str, content: IO[bytes], *, replace: bool) -> str:
        """Write a file into a folder of the source; returns its path there. Raises `UploadRefused`."""
        place = self._places.get(source)
        if not isinstance(place, Place) or any(part in ("", ".", "..") for part in folder.split("/") if folder):
            raise refusal("no_place")
        if place.pipeline.trust_metadata:
            raise refusal("own_class")
        name = file_name(name)
        path = f"{folder}/{name}" if folder else name
        if place.pipeline.reader(path) is None:
            raise refusal("extension", name=name, extensions=", ".join(sorted(place.pipeline.readers)))
        if not self._may_read(place.access_class(path)):
            raise refusal("no_place")
        if not place.pipeline.includes(path):
            raise refusal("excluded", name=name)
        self._check_known(place, path, name)
        self._audit.record("document.uploaded", self._principal, source=source, path=path, replace=replace)
        store(place.root, folder, name, content, replace=replace)
        return path

    # --- who may see what

    def _may_read(self, access_class: AccessClass | None) -> bool:
        return access_class is not None and self._policy.may_read(self._principal, access_class)

    def _shown_class(self, row: DocumentRow, held: AccessClass | None) -> AccessClass | None:
        """The class to show a document with, None if it is not to be shown.

        What failed has no class of its own, or an earlier version's: today's rules must let the person read it too.
        """
        wanted: list[AccessClass | None] = [held] if held is not None else []
        if row.status != INDEXED and (held is None or self._rules_know(row)):
            wanted.append(self._class_of(row))
        return wanted[-1] if wanted and all(self._may_read(one) for one in wanted) else None

    def _class_of(self, row: DocumentRow) -> AccessClass | None:
        place = self._by_name.get(row.pipeline) if not row.source else None
        return self._class_now(place, row.path, row.details) if place is not None else None

    def _class_now(self, place: Place, path: str, details: Mapping[str, Any] | None = None) -> AccessClass | None:
        """By today's rules; None where the document itself decides, which nobody knows who has not read it."""
        return None if place.pipeline.trust_metadata else place.access_class(path, details)

    def _rules_know(self, row: DocumentRow) -> bool:
        return not row.source and row.pipeline in self._by_name

    def _check_known(self, place: Place, path: str, name: str) -> None:
        """A document that narrows its own class is not to be overwritten by somebody who could not read it."""
        row = self._rows.get((place.pipeline.name, path))
        if row is None:
            return
        held = self._catalog.classes().get(row.class_id) if row.class_id is not None else None
        own = self._class_now(place, path, row.details)
        if not self._may_read(own) or (row.chunks and not self._may_read(held)):
            raise refusal("not_replaced", name=name)

    # --- sources

    def _upload_source(self, source: str, place: Place, with_folders: bool) -> UploadSource:
        pipeline = place.pipeline
        if pipeline.trust_metadata:
            return UploadSource(source, pipeline.name, problem=refusal("own_class"))
        folders = islice(place.folders(self._may_read), _SHOWN_FOLDERS) if with_folders else ()
        return UploadSource(source, pipeline.name, tuple(folders), tuple(sorted(pipeline.readers)))

    @cached_property
    def _places(self) -> dict[str, Place | PipelineError | None]:
        """By what the settings call them: the folder, what is wrong with it, or None for another kind of source."""
        return {source: _place(source) for source in self._pipelines}

    @cached_property
    def _rows(self) -> dict[tuple[str, str], DocumentRow]:
        return {(row.pipeline, row.path): row for row in self._catalog.documents(source="")}

    @cached_property
    def _by_name(self) -> dict[str, Place]:
        return {place.pipeline.name: place for place in self._places.values() if isinstance(place, Place)}


def _place(source: str) -> Place | PipelineError | None:
    try:
        pipeline: Pipeline = load_pipeline(file_of(source), embedding_identity="")
        root = folder_of(pipeline)
    except PipelineError as error:
        return error
    return Place(pipeline, root) if root is not None else None
