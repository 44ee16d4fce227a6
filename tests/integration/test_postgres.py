"""Catalog and state on a real PostgreSQL: the same run, the same answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr

from assistant.index.catalog import Catalog
from assistant.records.base import Base
from assistant.records.database import Database
from assistant.reindex.build import Reindex
from assistant.settings import Database as DatabaseSettings
from assistant.settings import Embedding
from assistant.wiring import build
from tests.conftest import need
from tests.integration import company
from tests.servers.postgres import binaries, postgres
from tests.unit.older_store import older

pytestmark = pytest.mark.server


def test_the_whole_walk_on_postgresql(tmp_path: Path) -> None:
    need(binaries(), "PostgreSQL (apt-get install postgresql)")
    pipeline = company.recipe(tmp_path / "company.yaml", company.write_documents(tmp_path / "docs"))
    with postgres(tmp_path) as url:
        on_sqlite = company.settings(tmp_path / "sqlite")
        on_postgres = company.settings(tmp_path / "storage").model_copy(
            update={"database": DatabaseSettings(url=SecretStr(url))}
        )
        with build(on_postgres) as assistant, build(on_sqlite) as reference:
            report, expected = assistant.ingest(pipeline), reference.ingest(pipeline)
            assert (report.added, report.failed) == (expected.added, [])
            assert report.chunks_added == expected.chunks_added
            assert assistant.ingest(pipeline).unchanged == report.added

            assistant.users.add("petrov", "a long password", roles=[], departments=["sales"], level=1)
            session = assistant.accounts.sign_in("petrov", "a long password")
            assert session is not None
            person = assistant.accounts.of_session(session)
            assert person is not None
            assert person.departments == {"sales"}

            for question in ("отпуск перенос", "скидка опт", "salary grade"):
                found = company.search(assistant, question, person)
                assert {source.passage.access_class.department for source in found.sources} <= {"sales", "company"}
                ours = [source.passage.chunk for source in company.search(assistant, question).sources]
                assert ours == [source.passage.chunk for source in company.search(reference, question).sources]

            (tmp_path / "docs" / "sales" / "prices.md").unlink()
            assert assistant.ingest(pipeline).deleted == 1
        with build(on_postgres) as again:
            assert len(again.documents()) == report.added - 1


def test_a_new_generation_on_postgresql(tmp_path: Path) -> None:
    need(binaries(), "PostgreSQL (apt-get install postgresql)")
    pipeline = company.recipe(tmp_path / "company.yaml", company.write_documents(tmp_path / "docs"))
    with postgres(tmp_path) as url:
        old = company.settings(tmp_path / "storage").model_copy(
            update={"database": DatabaseSettings(url=SecretStr(url))}
        )
        new = old.model_copy(update={"embedding": Embedding(provider="hash", model="64")})
        with build(old) as reader:
            reader.ingest(pipeline)
            before = company.snapshot(reader)
            with build(new) as assistant:
                run = Reindex(assistant, [str(pipeline)], say=print)
                index = run.begin()
                run.build(index)
                (tmp_path / "docs" / "sales" / "prices.md").unlink()
                reader.ingest(pipeline)
                assert run.switch(index).documents == len(before["documents"]) - 1
            assert reader.serving().generation.number == 2
            after = company.snapshot(reader)
            assert set(before["documents"]) - set(after["documents"]) == {"company||sales/prices.md"}
            (tmp_path / "docs" / "sales" / "returns.txt").unlink()
            assert reader.ingest(pipeline).deleted == 1
            with build(new) as assistant:
                run = Reindex(assistant, [str(pipeline)], say=print)
                assert run.back()[1].removed == ["sales/returns.txt"]
                run.remove(assistant.serving.generations.of(2))
                assert set(assistant.serving.generations.sizes()) == {1}
            company.snapshot(reader)


def test_an_older_store_on_postgresql(tmp_path: Path) -> None:
    need(binaries(), "PostgreSQL (apt-get install postgresql)")
    with postgres(tmp_path) as url:
        database = older(Database(url))
        database.migrate(tmp_path / "lock")
        catalog = Catalog(database)
        assert [row.id for row in catalog.documents()] == ["d", "e"]
        assert [found.text for found in catalog.passages(["d-1-0"]).values()] == ["текст"]
        assert (catalog.chunks_version(), len(catalog.writes())) == (41, 1)
        with database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
        database.close()
