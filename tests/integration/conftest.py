"""Sites to test on: one loaded once, and copies of it; and a Chroma server with its users."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.index.chroma_server import ChromaServer
from assistant.records.database import Database
from assistant.wiring import build
from tests.conftest import need
from tests.integration import company
from tests.integration.chroma_sites import Make, User, servers_of
from tests.integration.company import Site
from tests.integration.tiny_models import write_encoder
from tests.servers.postgres import binaries, postgres


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with documents and a storage that has loaded them; closed, and left as it is."""
    place = tmp_path_factory.mktemp("loaded")
    pipeline = company.recipe(place / "company.yaml", company.write_documents(place / "docs"))
    with build(company.settings(place / "storage")) as assistant:
        report = assistant.ingest(pipeline)
    assert (report.added, report.failed) == (9, [])
    return place


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real, tiny embedding model; left as it is."""
    return write_encoder(tmp_path_factory.mktemp("hub") / "encoder")


@pytest.fixture(scope="module")
def postgres_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """With the tables of today."""
    need(binaries(), "PostgreSQL (apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("postgres")
    with postgres(folder) as url:
        database = Database(url)
        database.migrate(folder / "lock")
        yield database
        database.close()


@pytest.fixture
def place(loaded: Path, tmp_path: Path) -> Path:
    """A copy of it (sizes, times and so the state of every document are kept), which is quicker than reading again."""
    copy = shutil.copytree(loaded, tmp_path / "site")
    company.recipe(copy / "company.yaml", copy / "docs")
    return copy


@pytest.fixture
def site(place: Path) -> Iterator[Site]:
    with build(company.settings(place / "storage")) as assistant:
        yield Site(place / "docs", place / "company.yaml", assistant)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Path]:
    """A name as people give them; and nothing may be left running over it."""
    folder = tmp_path / "Хранилище 1"
    yield folder
    left = servers_of(folder)
    for process in left:
        process.kill()
    assert not left


@pytest.fixture
def make(storage: Path) -> Iterator[Make]:
    made: list[ChromaServer] = []

    def _make(**changes: Any) -> ChromaServer:
        options: dict[str, Any] = {"mode": "managed", "host": "127.0.0.1", "port": 0, "path": storage}
        made.append(ChromaServer(**options | changes))
        return made[-1]

    yield _make
    for server in made:
        server.close()


@pytest.fixture
def user(storage: Path) -> Iterator[Callable[..., User]]:
    made: list[User] = []

    def _user(port: int = 0, **popen: Any) -> User:
        made.append(User(storage, port, **popen))
        return made[-1]

    yield _user
    for each in made:
        if each.process.poll() is None:
            each.end()
