"""Sites to test on: one loaded once, and copies of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.wiring import build
from tests.integration import company
from tests.integration.company import Site


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with documents and a storage that has loaded them; closed, and left as it is."""
    place = tmp_path_factory.mktemp("loaded")
    pipeline = company.recipe(place / "company.yaml", company.write_documents(place / "docs"))
    with build(company.settings(place / "storage")) as assistant:
        report = assistant.ingest(pipeline)
    assert (report.added, report.failed) == (9, [])
    return place


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
