"""generations: several makings of the index side by side; what is there becomes the first"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":  # whose driver begins no transaction before a change of tables
        op.execute("BEGIN")
    op.create_table(
        "generations",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("embedding", sa.JSON(), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("recipes", sa.JSON(), nullable=False),
        sa.Column("withdrawn", sa.JSON(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("switched_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
    op.execute(
        "INSERT INTO generations (number, state, embedding, identity, recipes, withdrawn, changes, created_at)"
        " SELECT 1, 'serving', '{}', '', '{}', '[]',"
        " COALESCE((SELECT value FROM counters WHERE name = 'chunks'), 0), CURRENT_TIMESTAMP"
    )
    op.execute("DELETE FROM counters WHERE name = 'chunks'")
    _rebuild()


def _rebuild() -> None:
    """The generation becomes part of the keys, which SQLite can't change: the rows are copied into new tables."""
    op.drop_index("documents_by_sha256", table_name="documents")
    op.drop_index("ix_documents_status", table_name="documents")
    op.drop_index("ix_documents_series", table_name="documents")
    op.drop_index("ix_chunks_document_id", table_name="chunks")
    for name in ("documents", "chunks", "vector_writes"):
        op.rename_table(name, f"old_{name}")
    documents = op.create_table(
        "documents",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("pipeline", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=1000), nullable=False),
        sa.Column("path", sa.String(length=2000), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("ocr_pages", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("series", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("superseded_by", sa.String(length=40), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("indexed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["class_id"], ["access_classes.id"]),
        sa.PrimaryKeyConstraint("generation", "id"),
        sa.UniqueConstraint("generation", "pipeline", "source", "path"),
    )
    chunks = op.create_table(
        "chunks",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("document_id", sa.String(length=40), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("page", sa.String(length=100), nullable=True),
        sa.Column("page_kind", sa.String(length=10), nullable=False, server_default="page"),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["class_id"], ["access_classes.id"]),
        sa.ForeignKeyConstraint(
            ["generation", "document_id"], ["documents.generation", "documents.id"], ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("generation", "id"),
    )
    writes = op.create_table(
        "vector_writes",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.String(length=40), nullable=False),
        sa.Column("collection", sa.String(length=80), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("generation", "document_id", "collection", "version"),
    )
    for table in (documents, chunks, writes):
        columns = ", ".join(f'"{column.name}"' for column in table.columns if column.name != "generation")
        op.execute(f"INSERT INTO {table.name} (generation, {columns}) SELECT 1, {columns} FROM old_{table.name}")
    for name in ("old_chunks", "old_documents", "old_vector_writes"):
        op.drop_table(name)
    op.create_index("documents_by_sha256", "documents", ["generation", "pipeline", "source", "sha256"])
    op.create_index("ix_documents_status", "documents", ["status"])
    op.create_index("ix_documents_series", "documents", ["series"])
    op.create_index("chunks_by_document", "chunks", ["generation", "document_id"])


def downgrade() -> None:
    raise NotImplementedError("generations have no place in the older schema: restore a backup")
