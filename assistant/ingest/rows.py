"""Rows for documents that the catalog does not know yet, and their ids."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import count

from assistant.index.catalog import FAILED, Catalog
from assistant.ingest.sources import SourceItem
from assistant.records.tables import DocumentRow


class NewRows:
    """For one run over one source. `ids` are those that its paths have in another generation, and have here too."""

    def __init__(self, catalog: Catalog, pipeline: str, source: str, ids: Mapping[str, str]) -> None:
        self._catalog = catalog
        self._pipeline = pipeline
        self._source = source
        self._ids = ids
        self._others = set(ids.values())

    def __call__(self, item: SourceItem) -> DocumentRow:
        document = next(candidate for candidate in self._candidates(item.path) if candidate not in self._taken)
        self._taken.add(document)
        return DocumentRow(
            id=document,
            pipeline=self._pipeline,
            source=self._source,
            path=item.path,
            location=str(item.location or ""),
            title="",
            size=item.size,
            mtime_ns=item.mtime_ns,
            sha256="",
            fingerprint="",
            version="",
            chunks=0,
            ocr_pages=0,
            series="",
            details={},
            status=FAILED,
        )

    def _candidates(self, path: str) -> Iterator[str]:
        """An id comes from where a document was first seen; a renamed one keeps it, so a second may be needed."""
        if path in self._ids:
            yield self._ids[path]
        for number in count():
            key = "\0".join((self._pipeline, self._source, path, str(number)))
            document = hashlib.sha256(key.encode()).hexdigest()[:20]
            if document not in self._others:
                yield document

    @cached_property
    def _taken(self) -> set[str]:
        return self._catalog.taken_ids()
