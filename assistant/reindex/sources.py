"""What a new generation is made of: every pipeline and every folder that the store has documents of, as they are now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assistant import resources
from assistant.access.principal import AccessClass
from assistant.errors import DocumentError, PipelineError
from assistant.index.catalog import Catalog
from assistant.ingest.metadata import access_class, within
from assistant.ingest.pipeline import Pipeline, file_of, for_folder
from assistant.ingest.sources import SourceItem, scan
from assistant.records.tables import DocumentRow
from assistant.serving import Index

Known = dict[tuple[str, str], list[DocumentRow]]


@dataclass(frozen=True)
class Source:
    """A pipeline over its own source, or over a folder that was loaded with `--source`.

    `rows`: what the serving generation has of it.
    """

    pipeline: Pipeline
    place: str
    rows: list[DocumentRow]

    def items(self, withdrawn: Iterable[tuple[str, str, str]], *, cache: Path, file_mb: int) -> list[SourceItem]:
        """What there is to load: nothing that was taken out by hand, and of a folder loaded once only what is loaded."""
        known = {row.path for row in self.rows}
        gone = {path for name, place, path in withdrawn if (name, place) == (self.pipeline.name, self.place)} - known
        found = scan(self.pipeline, cache=cache, file_mb=file_mb)
        return [item for item in found if item.path not in gone and (not self.place or item.path in known)]

    def classes_now(
        self, documents: Iterable[tuple[DocumentRow, DocumentRow]], items: Iterable[SourceItem]
    ) -> dict[DocumentRow, AccessClass | None]:
        """Who may read documents, each as it was read and as `rows` have it, which could not read it.

        None for one that nobody may read, or that changed since: what it says of itself now is not known. None for all of
        a folder loaded with `--source` of which nothing is left that would tell the class given.
        """
        by_path = {item.path: item for item in items}
        is_known = not self.place or any(row.class_id is not None for row in self.rows)
        found: dict[DocumentRow, AccessClass | None] = {}
        for read, row in documents:
            item = by_path.get(row.path)
            found[read] = None
            if is_known and item is not None and not item.problem:
                with suppress(DocumentError):
                    is_same = item.sha256() == read.sha256
                    found[read] = access_class(self.pipeline, item, read.details) if is_same else None
        return found


def sources_of(index: Index, serving: Catalog, configured: Sequence[str], given: Sequence[str]) -> list[Source]:
    """All that the serving generation has documents of, and the pipelines `given`.

    Their files are those and the `configured` ones, or are found by their names. A pipeline that was never loaded is for
    an ingest. Raises `PipelineError` for a file that is wrong, and for documents whose pipeline is not found.
    """
    asked = {pipeline.name: pipeline for pipeline in map(index.pipeline, given)}
    pipelines = {pipeline.name: pipeline for pipeline in map(index.pipeline, configured)} | asked
    known: Known = {}
    for row in serving.documents():
        known.setdefault((row.pipeline, row.source), []).append(row)
    for name in sorted({name for name, _ in known} - set(pipelines)):
        pipelines[name] = _found(index, name)
    classes = serving.classes()
    own = sorted(set(asked) | {name for name, place in known if not place})
    found = [Source(pipelines[name], "", known.get((name, ""), [])) for name in own]
    for (name, place), rows in known.items():
        if place:
            given_class = _class_given(pipelines[name], rows, classes)
            found.append(Source(for_folder(pipelines[name], Path(place), given_class), place, rows))
    return found


def recipes_of(sources: Iterable[Source]) -> dict[str, str]:
    """Pipeline → hash of what decides its passages: model, readers, transformations, metadata."""
    return {
        source.pipeline.name: hashlib.sha256(
            json.dumps(
                [source.pipeline.fingerprint_base, {key: vars(one) for key, one in source.pipeline.readers.items()}],
                sort_keys=True,
            ).encode()
        ).hexdigest()[:16]
        for source in sources
    }


def _found(index: Index, name: str) -> Pipeline:
    pipeline = index.pipeline(name) if resources.locate(file_of(name)) is not None else None
    if pipeline is None or pipeline.name != name:
        raise PipelineError(
            f"the store has documents of the pipeline '{name}', and {file_of(name)} is not its file: name it with "
            f"--pipeline FILE, or take them out with `assistant documents remove --pipeline {name}`"
        )
    return pipeline


def _class_given(pipeline: Pipeline, rows: list[DocumentRow], classes: dict[int, AccessClass]) -> AccessClass | None:
    """The class that a folder was loaded with: all its documents are in it, or in a narrower one by their metadata.

    None when the pipeline's own rules tell the same classes, and when no single one holds all.
    """
    held = {row.path: classes[row.class_id] for row in rows if row.class_id is not None}
    if all(pipeline.access_class(path) == one for path, one in held.items()):
        return None
    wide = (one for one in held.values() if all(within(other, one, trusted=False) for other in held.values()))
    return next(wide, None)
