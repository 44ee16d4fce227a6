"""The database: its migrations make the tables that the code uses, and what can't be opened is a sentence."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DataError, IntegrityError

from assistant.access.principal import AccessClass
from assistant.errors import StorageError
from assistant.index.catalog import Catalog
from assistant.records.base import Base
from assistant.records.database import Database, _reason
from assistant.records.tables import ChunkRow, CounterRow


def opened(folder: Path, name: str = "assistant.db") -> Database:
    return Database(f"sqlite:///{folder / name}")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = opened(tmp_path)
    database.migrate(tmp_path / "lock")
    return database


def test_the_migrations_make_exactly_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(database: Database, tmp_path: Path) -> None:
    with database.transaction() as session:
        session.add(CounterRow(name="chunks", value=7))
    database.migrate(tmp_path / "lock")
    with database.transaction() as session:
        assert session.scalar(select(CounterRow.value)) == 7


def test_many_processes_may_migrate_at_once(tmp_path: Path) -> None:
    failures: list[Exception] = []

    def migrate() -> None:
        database = opened(tmp_path)
        try:
            database.migrate(tmp_path / "lock")
        except (StorageError, OSError) as error:
            failures.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(inspect(opened(tmp_path).engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


def test_a_database_of_a_newer_version_is_left_alone(database: Database, tmp_path: Path) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageError, match=r"newer version \(schema 9999\): upgrade the assistant or restore a backup"):
        database.migrate(tmp_path / "lock")


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "assistant.db").write_bytes(b"not a database at all" * 200)
    with pytest.raises(StorageError, match="the database can't be opened: .*not a database"):
        opened(tmp_path).migrate(tmp_path / "lock")


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all/a.db", "nonsense", "oracle9://x/y"])
def test_what_can_not_be_opened_is_a_sentence(tmp_path: Path, url: str) -> None:
    with pytest.raises(StorageError, match=r"database(\.url)? "):
        Database(url).migrate(tmp_path / "lock")


def test_nothing_is_opened_before_its_first_use(tmp_path: Path) -> None:
    opened(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    def interrupted() -> None:
        with database.transaction() as session:
            session.add(CounterRow(name="half", value=1))
            session.flush()
            raise KeyError("interrupted")

    with pytest.raises(KeyError):
        interrupted()
    with database.transaction() as session:
        assert session.scalars(select(CounterRow)).all() == []


def test_foreign_keys_hold(database: Database) -> None:
    def add_orphan() -> None:
        with database.transaction() as session:
            session.add(
                ChunkRow(generation=1, id="c", document_id="none", class_id=1, position=0, section="", text="x")
            )

    with pytest.raises(StorageError, match="FOREIGN KEY constraint failed") as caught:
        add_orphan()
    assert isinstance(caught.value.__cause__, IntegrityError)


def test_what_was_to_be_stored_is_in_no_message(database: Database) -> None:
    def add_twice() -> None:
        with database.transaction() as session:
            session.execute(text("INSERT INTO counters VALUES (:name, 1), (:name, 2)"), {"name": "secret"})

    with pytest.raises(StorageError, match="UNIQUE constraint failed") as caught:
        add_twice()
    assert "secret" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize(
    ("kind", "said", "told"),
    [
        (IntegrityError, "duplicate key\nDETAIL:  Key (name)=(secret) already exists.", "duplicate key"),
        (DataError, "invalid input syntax: secret", "Exception"),
    ],
)
def test_values_that_postgresql_quotes_are_in_no_message(kind: type, said: str, told: str) -> None:
    assert _reason(kind(None, None, Exception(said))) == told


@pytest.mark.parametrize(("query", "seconds"), [("", 5), ("?connect_timeout=9", 9)])
def test_a_postgresql_that_is_silent_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, query: str, seconds: int
) -> None:
    psycopg = pytest.importorskip("psycopg")
    given: dict[str, object] = {}

    def connect(*_: object, **options: object) -> None:
        given.update(options)
        raise psycopg.OperationalError("silent")

    monkeypatch.setattr(psycopg, "connect", connect)
    with (
        pytest.raises(StorageError, match="silent"),
        Database(f"postgresql+psycopg://x@h/d{query}").transaction() as one,
    ):
        one.connection()
    assert int(str(given["connect_timeout"])) == seconds


def test_readers_do_not_wait_for_a_writer(database: Database, tmp_path: Path) -> None:
    reader = opened(tmp_path)
    with database.transaction() as session:
        session.add(CounterRow(name="chunks", value=1))
        session.flush()
        with reader.transaction() as other:
            assert other.scalar(select(CounterRow.value)) is None
    with reader.transaction() as other:
        assert other.scalar(select(CounterRow.value)) == 1


def test_a_class_has_one_number_for_ever(database: Database) -> None:
    catalog = Catalog(database)
    numbers = [catalog.class_id(AccessClass("бухгалтерия", level)) for level in (1, 2, 1)]
    assert numbers[0] == numbers[2] != numbers[1]
    assert catalog.classes()[numbers[1]] == AccessClass("бухгалтерия", 2)
