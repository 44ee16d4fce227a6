"""From pages to chunks: the pipeline's transformations, then nodes with ids and texts of our own."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import PurePosixPath
from typing import Any

from llama_index.core.ingestion import run_transformations
from llama_index.core.schema import Document, MetadataMode, NodeRelationship, RelatedNodeInfo, TextNode

from assistant.errors import DocumentError
from assistant.index.catalog import chunk_id
from assistant.ingest.pipeline import Pipeline
from assistant.ingest.reading import Page
from assistant.parts.markdown import first_heading

# NLTK, which finds the sentences, gives up after 5 seconds (of the clock) on one text: a few megabytes, on a busy machine.
_PIECE = 200_000
_NOT_EMBEDDED = ["page_label", "page_kind"]


def title_of(pages: list[Page], path: str, details: dict[str, Any]) -> str:
    """What its metadata says, or the first heading of the highest level, or what the file says, or its name.

    A sheet's heading is the sheet's own name, and a file's own title is often that of the one it was copied from.
    """
    heading = first_heading(pages[0].text) if pages[0].kind != "sheet" else None
    return str(details.get("title") or heading or details.get("file_title") or PurePosixPath(path).stem)[:300]


def split(pipeline: Pipeline, document: str, title: str, pages: list[Page]) -> tuple[str, list[TextNode]]:
    """The version and the chunks of a document; what is embedded is title + section + text, and nothing else.

    The version comes from what the chunks hold, so that the same chunks have the same ids however they came about.
    Raises `DocumentError` when there are none, or a transformation fails on it.
    """
    whole = [
        Document(
            id_=document,
            text=piece,
            metadata={"title": title, "page_label": page.label, "page_kind": page.kind},
            excluded_embed_metadata_keys=_NOT_EMBEDDED,
            excluded_llm_metadata_keys=_NOT_EMBEDDED,
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
    version = _version(title, texts)
    return version, [_node(document, version, number, *found) for number, found in enumerate(texts)]


def embedded(nodes: Iterable[TextNode]) -> list[str]:
    """What the embedding model is given of each: title, section, text."""
    return [node.get_content(MetadataMode.EMBED) for node in nodes]


def _version(title: str, texts: list[tuple[str, dict[str, Any]]]) -> str:
    digest = hashlib.sha256(title.encode("utf-8", "replace"))
    for text, metadata in texts:
        fields = (text, *(metadata.get(key) or "" for key in ("section", "page_label", "page_kind")))
        digest.update("\0".join(fields).encode("utf-8", "replace") + b"\1")
    return digest.hexdigest()[:20]


def _node(document: str, version: str, position: int, text: str, metadata: dict[str, Any]) -> TextNode:
    kept = ("title", "section", *_NOT_EMBEDDED)
    return TextNode(
        id_=chunk_id(document, version, position),
        text=text,
        metadata={key: metadata[key] for key in kept if metadata.get(key)},
        excluded_embed_metadata_keys=_NOT_EMBEDDED,
        metadata_template="{value}",
        metadata_separator="\n",
        text_template="{metadata_str}\n{content}",
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)},
    )


def _pieces(text: str) -> Iterator[str]:
    """A very long text in parts, cut between paragraphs, lines or words where there are any."""
    start = 0
    while len(text) - start > _PIECE:
        ends = (text.rfind(mark, start + _PIECE // 2, start + _PIECE) for mark in ("\n\n", "\n", " "))
        end = next((end for end in ends if end > 0), start + _PIECE)
        yield text[start:end]
        start = end
    yield text[start:]
