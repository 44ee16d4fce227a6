"""Which rules gave a document its class: those of its pipeline and the files beside it, as they are at this moment."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from assistant.access.principal import AccessClass
from assistant.errors import DocumentError, PipelineError
from assistant.ingest import metadata
from assistant.ingest.pipeline import Pipeline, file_of, load_pipeline
from assistant.ingest.places import Place
from assistant.ingest.sources import folder_of
from assistant.records.tables import DocumentRow


@dataclass(frozen=True)
class Origin:
    """One rule that speaks of the document; `department` and `level` as far as it gives them."""

    place: str
    department: str | None = None
    level: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {"place": self.place, "department": self.department, "level": self.level}


@dataclass(frozen=True)
class Origins:
    """The rules, the outermost first, and what comes of them; with what can't be told here."""

    rules: tuple[Origin, ...] = ()
    result: AccessClass | None = None
    is_known: bool = False  # whether `result` is what the next ingest would do
    note: str = ""


def origins_of(row: DocumentRow, configured: Iterable[str]) -> Origins:
    """Of a document of the catalog. `configured` are the pipelines of the settings."""
    if row.source:
        return Origins(
            note=f"it was loaded with --source {row.source}: by --department, or by the rules of '{row.pipeline}'"
        )
    pipeline = _pipeline(row.pipeline, configured)
    if pipeline is None:
        return Origins(note=f"the file of its pipeline '{row.pipeline}' was not found (ingest.pipelines)")
    try:
        folder = folder_of(pipeline)
    except PipelineError as error:
        return Origins(note=str(error))
    if folder is None:
        return Origins(_rules(pipeline, row), note="files on its server are not looked at here")
    return _in_folder(Place(pipeline, folder), row)


def _pipeline(name: str, configured: Iterable[str]) -> Pipeline | None:
    for file in dict.fromkeys((*map(file_of, configured), file_of(name))):
        with suppress(PipelineError):
            pipeline = load_pipeline(file, embedding_identity="")
            if pipeline.name == name:
                return pipeline
    return None


def _rules(pipeline: Pipeline, row: DocumentRow, beside: Iterable[Origin] = ()) -> tuple[Origin, ...]:
    """The pipeline's, those beside the document, and what it said of itself when it was read."""
    rule, line = pipeline.access_class(row.path), pipeline.access_line(row.path)
    own = row.details.get(metadata.OWN)
    found = [] if rule is None else [Origin(f"{pipeline.file}, line {line}", rule.department, rule.level)]
    found += beside
    if own:
        found.append(Origin("the document itself", own.get("department"), own.get("level")))
    return tuple(found)


def _in_folder(place: Place, row: DocumentRow) -> Origins:
    try:
        item = place.item(row.path)
        files = place.metadata_files(row.path)
    except (OSError, DocumentError) as error:
        return Origins(_rules(place.pipeline, row), is_known=True, note=str(error))
    beside = [Origin(said.place, said.department, said.level) for said in item.access]
    if files:
        said = item.metadata
        beside.append(Origin(", ".join(files), said.get("department"), said.get("level")))
    rules = _rules(place.pipeline, row, beside)
    if item.problem:
        return Origins(rules, is_known=True, note=item.problem)
    try:
        result = metadata.access_class(place.pipeline, item, row.details)
    except DocumentError as error:
        return Origins(rules, is_known=True, note=str(error))
    return Origins(rules, result, is_known=True)
