"""What a review found: links between classes, passing trouble with a disk, headings that are paragraphs."""

from __future__ import annotations

import os
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant.errors import ChromaUnavailable
from assistant.index.catalog import page_label
from assistant.parts.vector_stores import ClassVectorStore
from tests.integration import company
from tests.integration.company import HR, HR_HEAD, STAFF, Site

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


def test_stricter_rules_count_for_all_at_once_whatever_becomes_of_the_vectors(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moving vectors takes long, and Chroma may fail at the first of them."""
    questions = ("пропуск гости", "VPN", "почта", "Returns are accepted")
    assert all(company.paths(site.assistant, question, STAFF) for question in questions[:3])

    def fail(*_: object, **__: object) -> None:
        raise httpx.ReadError("gone")

    site.rules({"/**": ("hr", 2)})
    with monkeypatch.context() as context:
        context.setattr(ClassVectorStore, "add", fail)
        with pytest.raises(ChromaUnavailable):
            site.ingest()
    assert not any(company.paths(site.assistant, question, STAFF) for question in questions)
    assert site.ingest().failed == []
    company.snapshot(site.assistant)
    assert company.paths(site.assistant, "пропуск гости", HR_HEAD)


def test_labels_of_pages_are_short_texts(site: Site) -> None:
    """Some readers number pages; an attachment's label is made of file names, and PostgreSQL counts their letters."""
    name = "Приложение к договору поставки оборудования и материалов для нужд предприятия " * 2
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", "Договор"
    message.set_content("Во вложении.")
    message.add_attachment("Бериллий и кварцит", filename=f"{name}.txt")
    (site.folder / "letter.eml").write_bytes(message.as_bytes())
    site.rules(company.RULES, readers=company.READERS.replace("}", ", .eml: mail}"))
    assert company.reasons(site.ingest()) == {}
    found = company.search(site.assistant, "Бериллий и кварцит").sources[0].passage
    assert (found.path, found.page) == ("letter.eml", f"{name[:99]}…")
    assert (page_label(3), page_label(None)) == ("3", None)
