"""The tests of conversations and feedback once more, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete

from assistant.records.database import Database
from assistant.records.tables import Base, UserRow
from tests.conftest import need
from tests.servers.postgres import binaries, postgres
from tests.unit.talks import add_people
from tests.unit.test_conversation_records import *  # noqa: F403 - the same tests, by the database below

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    need(binaries(), "PostgreSQL (apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("postgres")
    with postgres(folder) as url:
        database = Database(url)
        database.migrate(folder / "lock")
        yield database
        database.close()


@pytest.fixture
def database(server: Database) -> Database:  # noqa: F811 - in place of the one of SQLite
    with server.transaction() as session:
        session.execute(delete(UserRow))
    add_people(server)
    return server


def test_the_migrations_make_exactly_the_tables_of_conversations(server: Database, tmp_path: Path) -> None:
    server.migrate(tmp_path / "lock")
    with server.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
