"""What a LlamaIndex reader loads: pages of a site, rows of a database, messages of a service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from assistant.errors import PipelineError
from assistant.ingest.secrets import without_secrets
from assistant.ingest.sources.item import SourceItem, composed

if TYPE_CHECKING:
    from llama_index.core.schema import Document

    from assistant.ingest.pipeline import Pipeline

_RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Where readers put what stays the same from run to run, the most telling first.
_NAMES = ("file_path", "url", "URL", "source", "link", "page_id", "document_id", "id", "key")


def items(pipeline: Pipeline) -> list[SourceItem]:
    """One item for each thing that the reader names. Raises `PipelineError` when it fails."""
    grouped: dict[str, list[Document]] = {}
    for number, document in enumerate(_load(pipeline)):
        grouped.setdefault(_item_path(document.metadata, document.id_, number), []).append(document)
    return [_item(path, parts) for path, parts in grouped.items() if pipeline.includes(path)]


def properties_of(documents: list[Document]) -> dict[str, Any]:
    """What a reader says of an item beside its text, as far as it has our names."""
    known = ("title", "author", "date", "version", "number", "valid_from", "valid_until")
    return {key: documents[0].metadata[key] for key in known if documents and documents[0].metadata.get(key)}


def _load(pipeline: Pipeline) -> list[Document]:
    from httpx import HTTPError
    from sqlalchemy.exc import SQLAlchemyError

    reader = pipeline.source_reader
    try:
        return list(reader(**pipeline.source.arguments).load_data(**pipeline.source.load))
    except (
        *(OSError, ValueError, TypeError, LookupError, AttributeError, ImportError, RuntimeError),
        *(HTTPError, SQLAlchemyError),
    ) as error:
        name, given = pipeline.source.reader, (pipeline.source.arguments, pipeline.source.load)
        reason = without_secrets(str(error) or repr(error), *given)[:500]
        raise PipelineError(f"{name} of pipeline '{pipeline.name}' failed: {reason}") from error


def _item(path: str, parts: list[Document]) -> SourceItem:
    for part in parts:
        part.set_content(_clean(part.get_content()))
    problem = "its name leads out of its folder" if ".." in path.split("/") else None
    return SourceItem(path, None, sum(len(part.get_content()) for part in parts), 0, documents=parts, problem=problem)


def _item_path(metadata: dict[str, Any], document_id: str, number: int) -> str:
    """A name that stays the same from run to run; LlamaIndex gives many documents a random id each time."""
    for key in _NAMES:
        if metadata.get(key):
            return composed(_clean(str(metadata[key])))[:2000]
    return str(number) if _RANDOM_ID.fullmatch(document_id) else composed(_clean(document_id))[:2000]


def _clean(text: str) -> str:
    """Without NUL and lone surrogates, which databases and JSON refuse."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
