"""From pages to chunks: the pipeline's transformations, then nodes with ids and texts of our own."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import PurePosixPath

from llama_index.core.ingestion import run_transformations
from llama_index.core.schema import Document, NodeRelationship, RelatedNodeInfo, TextNode

from assistant.errors import DocumentError
from assistant.index.catalog import chunk_id
from assistant.ingest.pipeline import Pipeline
from assistant.ingest.reading import Page
from assistant.parts.node_parsers import first_heading
from assistant.records.tables import ChunkRow, DocumentRow

# NLTK, which finds the sentences, gives up after 5 seconds (of the clock) on one text: a few megabytes, on a busy machine.
_PIECE = 200_000


def title_of(pages: list[Page], path: str) -> str:
    """The first heading of the highest level, or the file's name."""
    return (first_heading(pages[0].text) or PurePosixPath(path).stem)[:300]


def split(pipeline: Pipeline, document: DocumentRow, pages: list[Page]) -> list[TextNode]:
    """Chunks of a document's version; what is embedded is title + section + text, and nothing else.

    Raises `DocumentError` when there are none, or a transformation fails on it.
    """
    whole = [
        Document(
            id_=document.id,
            text=piece,
            metadata={"title": document.title, "page_label": page.label},
            excluded_embed_metadata_keys=["page_label"],
            excluded_llm_metadata_keys=["page_label"],
        )
        for page in pages
        for piece in _pieces(page.text)
    ]
    try:
        with redirect_stdout(sys.stderr):  # SentenceSplitter prints its advice where our JSON goes
            parts = run_transformations(whole, pipeline.transformations)
    except (ValueError, TypeError, LookupError, RuntimeError, OSError) as error:
        raise DocumentError(f"it could not be cut into passages: {str(error)[:300] or type(error).__name__}") from error
    # a ruling line alone is no passage
    texts = [(text, part.metadata) for part in parts if re.search(r"\w", text := part.get_content().strip())]
    if not texts:
        raise DocumentError("it has headings only, without text under them")
    return [
        TextNode(
            id_=chunk_id(document.id, document.version, position),
            text=text,
            metadata={key: metadata[key] for key in ("title", "section", "page_label") if metadata.get(key)},
            excluded_embed_metadata_keys=["page_label"],
            metadata_template="{value}",
            metadata_separator="\n",
            text_template="{metadata_str}\n{content}",
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document.id)},
        )
        for position, (text, metadata) in enumerate(texts)
    ]


def _pieces(text: str) -> Iterator[str]:
    """A very long text in parts, cut between paragraphs, lines or words where there are any."""
    start = 0
    while len(text) - start > _PIECE:
        ends = (text.rfind(mark, start + _PIECE // 2, start + _PIECE) for mark in ("\n\n", "\n", " "))
        end = next((end for end in ends if end > 0), start + _PIECE)
        yield text[start:end]
        start = end
    yield text[start:]


def chunk_row(document: DocumentRow, position: int, node: TextNode) -> ChunkRow:
    """The chunk table's row of a node."""
    assert document.class_id is not None
    return ChunkRow(
        id=node.node_id,
        document_id=document.id,
        class_id=document.class_id,
        position=position,
        page=node.metadata.get("page_label"),
        section=node.metadata.get("section", ""),
        text=node.text,
    )
