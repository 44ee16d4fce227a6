"""The tests of figures, surveys and reviews once more, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from assistant.records.database import Database
from assistant.records.tables import UserRow
from tests.conftest import need
from tests.servers.postgres import binaries, postgres
from tests.unit.talks import add_people
from tests.unit.test_reviewed import *  # noqa: F403 - the same tests, by the database below
from tests.unit.test_statistics import *  # noqa: F403 - the same tests, by the database below

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
