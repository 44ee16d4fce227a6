"""From pages to chunks: the pipeline's transformations, then nodes with ids and texts of our own."""

from __future__ import annotations

from pathlib import PurePosixPath

from llama_index.core.ingestion import run_transformations
from llama_index.core.schema import Document, NodeRelationship, RelatedNodeInfo, TextNode

from assistant.index.catalog import chunk_id
from assistant.ingest.pipeline import Pipeline
from assistant.ingest.reading import Page
from assistant.parts.node_parsers import first_heading
from assistant.records.tables import ChunkRow, DocumentRow


def title_of(pages: list[Page], path: str) -> str:
    """The first heading of the highest level, or the file's name."""
    return (first_heading(pages[0].text) or PurePosixPath(path).stem)[:300]


def split(pipeline: Pipeline, document: DocumentRow, pages: list[Page]) -> list[TextNode]:
    """Chunks of a document's version; what is embedded is title + section + text, and nothing else."""
    whole = [
        Document(
            id_=document.id,
            text=page.text,
            metadata={"title": document.title, "page_label": page.label},
            excluded_embed_metadata_keys=["page_label"],
            excluded_llm_metadata_keys=["page_label"],
        )
        for page in pages
    ]
    parts = run_transformations(whole, pipeline.transformations)
    texts = [(part.get_content().strip(), part.metadata) for part in parts]
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
        for position, (text, metadata) in enumerate(pair for pair in texts if pair[0])
    ]


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
