"""The one SQL database: catalog and state. SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import StorageError

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.orm import Session

MIGRATIONS = Path(__file__).with_name("migrations")
AFTER_COMMIT = "after_commit"
_CONNECT_SECONDS = 5  # a host that drops packets would hold its callers for minutes


class Database:
    """Connections and transactions. Opens nothing until it is first used."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            self._engine = _open(self.url)
        return self._engine

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session that commits at the end and rolls back on an error. Raises `StorageError` when it can't write.

        What its `info` has under `AFTER_COMMIT` is called then.
        """
        from sqlalchemy.exc import DBAPIError, TimeoutError
        from sqlalchemy.orm import Session

        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
            for work in session.info.get(AFTER_COMMIT, ()):
                work()
        except TimeoutError as error:
            raise StorageError("the database can't be used: all connections to it wait for something") from error
        except DBAPIError as error:
            raise StorageError(f"the database can't be used: {_reason(error)} (database.url, storage.path)") from error

    def migrate(self, lock: Path) -> None:
        """Bring the schema to this version, one process at a time (`lock` is a file); cheap when it is there."""
        from alembic.migration import MigrationContext
        from alembic.script import ScriptDirectory
        from sqlalchemy.exc import DBAPIError

        head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
        try:
            with self.engine.connect() as connection:
                present = MigrationContext.configure(connection).get_current_revision()
        except DBAPIError as error:
            raise StorageError(
                f"the database can't be opened: {_reason(error)} (database.url, storage.path)"
            ) from error
        if present != head:
            self._upgrade(lock, present)

    def _upgrade(self, lock: Path, present: str | None) -> None:
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory
        from alembic.util import CommandError
        from filelock import FileLock
        from sqlalchemy.exc import DBAPIError

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["engine"] = self.engine
        known = {revision.revision for revision in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
        if present is not None and present not in known:
            raise StorageError(
                f"the database is of a newer version (schema {present}): upgrade the assistant or restore a backup"
            )
        try:
            with FileLock(lock):
                command.upgrade(config, "head")
        except (OSError, CommandError) as error:
            raise StorageError(f"the database could not be brought up to date: {error}") from error
        except DBAPIError as error:
            raise StorageError(f"the database could not be brought up to date: {_reason(error)}") from error

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


def _reason(error: DBAPIError) -> str:
    """What the driver says, without the values: PostgreSQL puts them into DETAIL, and a DataError quotes them."""
    from sqlalchemy.exc import DataError

    lines = [] if isinstance(error, DataError) else str(error.orig).strip().splitlines()
    told = [line for line in lines if not line.startswith("DETAIL:")]
    return " ".join(told) or type(error.orig).__name__


def _open(url: str) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    options: dict[str, Any] = {} if url.startswith("sqlite") else {"pool_pre_ping": True}
    if url.startswith("postgresql") and "connect_timeout" not in url:
        options["connect_args"] = {"connect_timeout": _CONNECT_SECONDS}
    try:
        engine = create_engine(url, hide_parameters=True, **options)  # parameters are people's texts and names
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StorageError(f"database.url is not usable: {error}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    return engine


def _tune_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    """Readers beside one writer (WAL), waiting instead of failing, and foreign keys that hold."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
