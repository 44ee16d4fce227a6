"""What a review found: links between classes, passing trouble with a disk, headings that are paragraphs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.integration import company
from tests.integration.company import HR, STAFF, Site

pytestmark = pytest.mark.server
SALARY = "salary grade nine"


def make_stale(monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    """Files of that name can't be opened, as on a share that has gone."""
    lstat = os.lstat

    def stale(path: Any, **options: Any) -> os.stat_result:
        if Path(path).match(pattern):
            raise OSError(116, "Stale file handle")
        return lstat(path, **options)

    monkeypatch.setattr(os, "lstat", stale)


def test_a_link_does_not_publish_another_class(site: Site) -> None:
    (site.folder / "it" / "public.md").symlink_to(site.folder / "hr" / "managers" / "grades.md")
    report = site.ingest()
    assert company.reasons(report) == {"it/public.md": "it is a link to a file of another access class"}
    assert not any("grade" in text for text in company.paths(site.assistant, SALARY, STAFF))


def test_a_link_within_a_class_is_read(site: Site) -> None:
    (site.folder / "it" / "again.md").symlink_to(site.folder / "notice.md")
    assert (site.ingest().added, company.reasons(site.ingest())) == (1, {})


def test_trouble_with_a_disk_keeps_what_is_loaded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    before = company.indexed(site.assistant)
    make_stale(monkeypatch, "*.md")
    report = site.ingest()
    assert set(company.reasons(report).values()) == {"it can't be opened: Stale file handle"}
    assert company.paths(site.assistant, "отпуск перенос", HR)
    monkeypatch.undo()
    assert company.reasons(site.ingest()) == {}
    assert company.indexed(site.assistant) == before


def test_a_stricter_rule_counts_also_while_the_file_cannot_be_opened(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "notice.md" in company.paths(site.assistant, "пропуск гости", STAFF)
    make_stale(monkeypatch, "notice.md")
    site.rules({"/notice.md": ("hr", 2), **company.RULES})
    site.ingest()
    assert "notice.md" not in company.paths(site.assistant, "пропуск гости", STAFF)


@pytest.mark.parametrize("heading", ["Очень длинный заголовок, который вовсе не заголовок, " * 30, "Слово " * 120])
def test_a_paragraph_that_looks_like_a_heading_loses_nothing(site: Site, heading: str) -> None:
    company.write(site.folder, {"it/converted.md": f"# Регламент\n\n## {heading} кварцит\n\nТекст под ним."})
    report: Any = site.ingest()
    assert company.reasons(report) == {}
    assert "it/converted.md" in company.paths(site.assistant, "кварцит", STAFF)
