"""Shipped files: the company's own comes first, and a missing one says where it was looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant import resources
from assistant.errors import ConfigError


def test_the_working_directory_is_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = resources.require("configs/default.yaml", "the settings")
    assert not shipped.is_relative_to(tmp_path)
    (tmp_path / "configs").mkdir()
    own = tmp_path / "configs/default.yaml"
    own.write_text("{}")
    assert resources.locate("configs/default.yaml") == own


def test_an_absolute_path_stands_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resources.locate(tmp_path) == tmp_path
    assert resources.locate("/configs/default.yaml") is None


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model").mkdir()
    assert resources.locate("~/model") == tmp_path / "model"


def test_missing_says_what_and_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"the prompt prompts/нет\.md was not found") as refused:
        resources.require("prompts/нет.md", "the prompt")
    assert all(str(root) in str(refused.value) for root in resources.roots())


def test_roots_are_searched_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(resources.PACKAGE.parent)
    assert resources.roots() == [resources.PACKAGE.parent, resources.PACKAGE / "shipped"]


def test_a_file_of_the_checkout_is_the_companys_own() -> None:
    assert resources.is_shipped(resources.PACKAGE / "shipped/configs/default.yaml")
    assert not resources.is_shipped(resources.PACKAGE.parent / "configs/default.yaml")
