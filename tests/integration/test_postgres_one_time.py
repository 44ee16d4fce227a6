"""What may be used once, on a real PostgreSQL: several servers share it."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from assistant.records.account_tables import OneTimeRow
from assistant.records.database import Database
from assistant.records.one_time import OneTime
from tests.unit.test_one_time import *  # noqa: F403 - the same tests, by the database below

pytestmark = pytest.mark.server


@pytest.fixture
def one_time(postgres_database: Database) -> OneTime:
    with postgres_database.transaction() as session:
        session.execute(delete(OneTimeRow))
    return OneTime(postgres_database)
