"""The tests of conversations and feedback once more, on a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from assistant.records.base import Base
from assistant.records.database import Database
from tests.unit.talks import emptied
from tests.unit.test_conversation_records import *  # noqa: F403 - the same tests, by the database below

pytestmark = pytest.mark.server


@pytest.fixture
def database(postgres_database: Database) -> Database:  # noqa: F811 - in place of the one of SQLite
    return emptied(postgres_database)


def test_the_migrations_make_exactly_the_tables_of_conversations(postgres_database: Database, tmp_path: Path) -> None:
    postgres_database.migrate(tmp_path / "lock")
    with postgres_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
