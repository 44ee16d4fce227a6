"""Versions of one regulation: the one in force comes first, the other says so, and nothing is told to who may not know."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from assistant.access.principal import LOCAL_OPERATOR
from assistant.ask.events import Source
from assistant.ask.extractive import choose_quotes
from assistant.contracts import citation_json, document_json, source_json
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import HR, HR_HEAD, Site, paths, search

pytestmark = pytest.mark.server

OLD, NEW, COMING = "hr/leave 2023.md", "hr/leave 2025.md", "hr/managers/leave.md"
TRAVEL_OLD, TRAVEL_NEW = "travel v1.md", "hr/managers/travel v2.md"
TEXTS = {
    # the older one has more of the question's words
    OLD: "# Положение об отпусках (редакция от 01.02.2023)\n\nОсновной отпуск длится двадцать восемь дней в году.",
    NEW: "# Положение об отпусках (редакция от 12.03.2025)\n\nПродолжительность: тридцать один день.",
    "hr/report 2023.md": "# Отчёт об отпусках за 2023\n\nВ отпуске были сто человек.",
    "hr/report 2025.md": "# Отчёт об отпусках за 2025\n\nВ отпуске были двести человек.",
    "hr/grades v1.md": "# Положение о грейдах, версия 1\n\nГрейдов девять.",
    "hr/managers/grades.md": "# Положение о грейдах, версия 2\n\nГрейдов двенадцать.",
    "notice.md": "# Пропуска\n\nПропуск выдаёт охрана на проходной.",
}
QUESTION = "сколько дней длится основной отпуск в году"


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("versions")
    company.write(place / "docs", TEXTS)
    pipeline = company.recipe(place / "company.yaml", place / "docs")
    with build(company.settings(place / "storage")) as assistant:
        report = assistant.ingest(pipeline)
        assert (report.added, report.failed) == (len(TEXTS), [])
        yield Site(place / "docs", pipeline, assistant)


def by_path(sources: tuple[Source, ...]) -> dict[str, Source]:
    return {source.passage.path: source for source in sources}


def test_the_edition_in_force_comes_first(versions: Site) -> None:
    assert paths(versions.assistant, QUESTION, method="bm25")[0] == NEW
    found = search(versions.assistant, QUESTION)
    assert [source.passage.path for source in found.sources][:2] == [NEW, OLD]
    assert [source.n for source in found.sources] == list(range(1, len(found.sources) + 1))
    scores = [source.score for source in found.sources]
    assert scores == sorted(scores, reverse=True)


def test_the_citation_of_the_older_one_says_what_replaced_it(versions: Site) -> None:
    found = by_path(search(versions.assistant, QUESTION, HR).sources)
    older, newer = source_json(found[OLD]), citation_json(found[NEW])
    assert (older["date"], newer["date"]) == ("2023-02-01", "2025-03-12")
    assert older["superseded_by"] == {
        "document": found[NEW].passage.document,
        "title": "Положение об отпусках (редакция от 12.03.2025)",
        "date": "2025-03-12",
    }
    assert newer["superseded_by"] is None
    assert not older["expired"]


def test_reports_of_two_years_are_not_versions(versions: Site) -> None:
    found = by_path(search(versions.assistant, "отчёт об отпусках").sources)
    assert {"hr/report 2023.md", "hr/report 2025.md"} <= set(found)
    assert all(source.standing.superseded_by is None for path, source in found.items() if "report" in path)


def test_the_order_is_not_that_of_the_scores_alone(versions: Site) -> None:
    """Without the editions the older one, which has more of the question's words, would come first."""
    found = by_path(search(versions.assistant, QUESTION, HR, method="bm25").sources)
    assert (found[NEW].scores.bm25 or 0) < (found[OLD].scores.bm25 or 0)


def test_one_whose_newer_edition_is_not_among_the_passages_says_so_too(versions: Site) -> None:
    document = by_path(search(versions.assistant, QUESTION, HR).sources)[OLD].passage.document
    successor = versions.assistant.retriever.standing(document, HR).superseded_by
    assert successor is not None
    assert successor.date == "2025-03-12"


def test_a_newer_edition_that_may_not_be_read_changes_nothing(versions: Site) -> None:
    question = "положение о грейдах"
    for_head = by_path(search(versions.assistant, question, HR_HEAD).sources)
    assert for_head["hr/grades v1.md"].standing.superseded_by is not None
    assert paths(versions.assistant, question, HR_HEAD)[:2] == ["hr/managers/grades.md", "hr/grades v1.md"]
    for_staff = search(versions.assistant, question, HR)
    shown = json.dumps([source_json(source) for source in for_staff.sources], ensure_ascii=False)
    assert by_path(for_staff.sources)["hr/grades v1.md"].standing.superseded_by is None
    assert "версия 2" not in shown
    assert for_head["hr/managers/grades.md"].passage.document not in shown
    document = by_path(for_staff.sources)["hr/grades v1.md"].passage.document
    assert versions.assistant.retriever.standing(document, HR).superseded_by is None
    assert versions.assistant.retriever.standing(document, HR_HEAD).superseded_by is not None


def test_the_catalog_tells_the_operator(versions: Site) -> None:
    views = {view.row.id: view for view in versions.assistant.documents()}
    listed = {view.row.path: document_json(view, views) for view in views.values()}
    assert listed[OLD]["superseded_by"]["title"] == "Положение об отпусках (редакция от 12.03.2025)"
    assert (listed[OLD]["date"], listed[NEW]["date"], listed["notice.md"]["date"]) == ("2023-02-01", "2025-03-12", None)
    assert {path for path, row in listed.items() if row["superseded_by"]} == {OLD, "hr/grades v1.md"}
    assert listed[OLD]["ocr_pages"] == 0


def test_when_the_newer_one_is_deleted_the_older_one_is_in_force_again(site: Site) -> None:
    company.write(site.folder, {path: TEXTS[path] for path in (OLD, NEW)})
    site.ingest()
    assert by_path(search(site.assistant, QUESTION).sources)[OLD].standing.superseded_by
    (site.folder / NEW).unlink()
    site.ingest()
    assert by_path(search(site.assistant, QUESTION).sources)[OLD].standing.superseded_by is None


def test_moved_out_of_sight(site: Site) -> None:
    """Access rules change: from that ingest on the reader of the older one hears nothing of the newer."""
    company.write(site.folder, {path: TEXTS[path] for path in (OLD, NEW)})
    site.ingest()
    assert paths(site.assistant, QUESTION, HR)[:2] == [NEW, OLD]
    site.rules({f"/{NEW}": ("hr", 2), **company.RULES})
    site.ingest()
    found = by_path(search(site.assistant, QUESTION, HR).sources)
    assert NEW not in found
    assert found[OLD].standing.superseded_by is None
    assert by_path(search(site.assistant, QUESTION, LOCAL_OPERATOR).sources)[OLD].standing.superseded_by


def test_extractive_answer_quotes_the_edition_in_force(versions: Site) -> None:
    sources = search(versions.assistant, "положение об отпусках: продолжительность", HR).sources
    quotes = choose_quotes("продолжительность отпуска", sources, lambda tokens: dict.fromkeys(tokens, 1.0), limit=1)
    assert quotes[0].source.passage.path == NEW
