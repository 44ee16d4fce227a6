"""pages by OCR, kinds of pages, versions of a regulation"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("documents", sa.Column("ocr_pages", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("documents", sa.Column("series", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("documents", sa.Column("superseded_by", sa.String(length=40), nullable=True))
    op.create_index("ix_documents_series", "documents", ["series"])
    op.add_column("chunks", sa.Column("page_kind", sa.String(length=10), nullable=False, server_default="page"))


def downgrade() -> None:
    op.drop_column("chunks", "page_kind")
    op.drop_index("ix_documents_series", table_name="documents")
    op.drop_column("documents", "superseded_by")
    op.drop_column("documents", "series")
    op.drop_column("documents", "ocr_pages")
