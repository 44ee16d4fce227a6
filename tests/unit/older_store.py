"""A database as the version before generations left it."""

from __future__ import annotations

import json

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from assistant.records.database import MIGRATIONS, Database


def older(database: Database) -> Database:
    """The database of a store of the version before generations, with two documents."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = database.engine
    command.upgrade(config, "0002")
    with database.engine.begin() as connection:
        for statement in (
            "INSERT INTO access_classes (id, department, level) VALUES (1, 'hr', 1)",
            "INSERT INTO counters VALUES ('chunks', 41), ('store', 7)",
            "INSERT INTO vector_writes VALUES ('d', 'gaaaaaaaaaa-c1', '1', 1)",
        ):
            connection.execute(text(statement))
        for document in ("d", "e"):
            connection.execute(
                text(
                    "INSERT INTO documents (id, pipeline, source, path, location, title, class_id, size, mtime_ns, sha256,"
                    " fingerprint, version, chunks, details, status)"
                    " VALUES (:id, 'p', '', :id, '', 'T', 1, 0, 0, '', 'f', '1', 1, :details, 'indexed')"
                ),
                {"id": document, "details": json.dumps({"n": 1})},
            )
            connection.execute(
                text(
                    "INSERT INTO chunks (id, document_id, class_id, position, section, text, page_kind)"
                    " VALUES (:id || '-1-0', :id, 1, 0, 'S', 'текст', 'sheet')"
                ),
                {"id": document},
            )
    return database
