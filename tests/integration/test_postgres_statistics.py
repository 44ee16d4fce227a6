"""The tests of figures, surveys and reviews once more, on a real PostgreSQL."""

from __future__ import annotations

import pytest

from assistant.records.database import Database
from tests.unit.talks import emptied
from tests.unit.test_reviewed import *  # noqa: F403 - the same tests, by the database below
from tests.unit.test_statistics import *  # noqa: F403 - the same tests, by the database below

pytestmark = pytest.mark.server


@pytest.fixture
def database(postgres_database: Database) -> Database:  # noqa: F811 - in place of the one of SQLite
    return emptied(postgres_database)
