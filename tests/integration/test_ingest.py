"""Documents in: what a run does with new, changed, moved and deleted files, with real workers, Chroma and SQLite."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from llama_index.core.readers import StringIterableReader
from llama_index.core.schema import Document

from assistant.access.principal import AccessClass
from assistant.errors import ConfigError, NotFound, PipelineError
from assistant.parts import ocr_cache
from assistant.settings import Ingest
from assistant.wiring import build
from tests.conftest import need
from tests.integration import company
from tests.integration.company import HR, HR_HEAD, SALES, STAFF, Site
from tests.truth.documents import fonts_are_here, scanned

pytestmark = pytest.mark.server


def test_first_run_loads_every_format(site: Site) -> None:
    assert company.indexed(site.assistant) == {
        "notice.md": AccessClass("company", 1),
        "hr/leave.md": AccessClass("hr", 1),
        "hr/hiring.txt": AccessClass("hr", 1),
        "hr/managers/grades.md": AccessClass("hr", 2),
        "sales/prices.md": AccessClass("sales", 1),
        "sales/returns.txt": AccessClass("sales", 1),
        **dict.fromkeys(company.COPIES, AccessClass("company", 1)),
    }
    assert len(company.snapshot(site.assistant)["keyword"]) > 9
    assert company.paths(site.assistant, "перенос отпуска", HR)[0] == "hr/leave.md"


def test_second_run_opens_no_file(site: Site) -> None:
    before = company.snapshot(site.assistant)
    for file in site.folder.rglob("*.*"):
        company.keep_stat(file, b"\xff" * file.stat().st_size)  # whoever opened one would find garbage

    report = site.ingest()

    assert (report.seen, report.unchanged, report.updated, report.failed) == (9, 9, 0, [])
    assert "read" not in report.stages
    assert not {"split", "embed"} & report.stages.keys()
    assert company.snapshot(site.assistant) == before


def test_same_documents_have_same_ids_in_another_storage(site: Site, tmp_path: Path) -> None:
    assert company.snapshot(site.assistant) == company.undisturbed(tmp_path / "other", [site.pipeline])


def test_changed_deleted_renamed_moved_and_touched_files(site: Site, tmp_path: Path) -> None:
    before = company.snapshot(site.assistant)
    folder = site.folder
    company.write(folder, {"hr/leave.md": "# Отпуск\n\nТеперь тридцать один день.", "hr/new.txt": "Zebra in the yard."})
    (folder / "sales/returns.txt").unlink()
    shutil.move(folder / "it/passwords.docx", folder / "passwords.docx")  # the title is in it
    shutil.move(folder / "hr/hiring.txt", folder / "sales/hiring.txt")
    (folder / "notice.md").touch()

    report = site.ingest()

    assert report.failed == []
    counts = (report.added, report.updated, report.deleted, report.renamed, report.moved, report.unchanged)
    assert counts == (1, 1, 1, 2, 1, 7)  # the renamed ones are unchanged too
    after = company.snapshot(site.assistant)
    fresh = company.undisturbed(tmp_path / "fresh", [site.pipeline])
    assert company.comparable(after) == company.comparable(fresh)
    gone = before["keyword"].keys() - after["keyword"].keys()
    assert {_path_of(before, chunk) for chunk in gone} == {"hr/leave.md", "sales/returns.txt"}
    assert "двадцать" not in " ".join(s.passage.text for s in company.search(site.assistant, "отпуск", HR).sources)
    assert "sales/hiring.txt" not in company.paths(site.assistant, "hiring contract", HR)
    assert company.paths(site.assistant, "hiring contract", SALES)[0] == "sales/hiring.txt"
    assert site.ingest().unchanged == 9


def test_renamed_file_with_its_name_as_title_is_read_again(site: Site) -> None:
    shutil.move(site.folder / "sales/returns.txt", site.folder / "sales/refunds.txt")

    report = site.ingest()

    assert (report.renamed, report.added, report.deleted) == (0, 1, 1)
    assert company.paths(site.assistant, "refunds", SALES)[0] == "sales/refunds.txt"
    company.snapshot(site.assistant)


def test_access_rule_change_moves_without_reading(site: Site, tmp_path: Path) -> None:
    content = (site.folder / "hr/leave.md").read_bytes()
    company.keep_stat(site.folder / "hr/leave.md", b"\xff" * len(content))
    site.rules({**company.RULES, "/hr/managers/**": ("hr", 3), "/hr/**": ("sales", 1)})

    report = site.ingest()

    assert (report.moved, report.updated, report.chunks_added) == (3, 0, 0)
    company.keep_stat(site.folder / "hr/leave.md", content)
    assert company.snapshot(site.assistant) == company.undisturbed(tmp_path / "fresh", [site.pipeline])
    for method in ("bm25", "vector", "hybrid"):
        assert "hr/leave.md" not in company.paths(site.assistant, "отпуск", HR, method=method)
        assert "hr/managers/grades.md" not in company.paths(site.assistant, "salary grade", HR_HEAD, method=method)
        assert company.paths(site.assistant, "перенос отпуска", SALES, method=method)[0] == "hr/leave.md"


def test_document_without_a_rule_is_withdrawn(site: Site) -> None:
    before = company.snapshot(site.assistant)
    site.rules({match: rule for match, rule in company.RULES.items() if match not in ("/sales/**", "/**")})

    report = site.ingest()

    refused = {path for path, _ in company.reasons(report).items()}
    assert refused == {"notice.md", "sales/prices.md", "sales/returns.txt", *company.COPIES}
    assert all("no access rule" in reason for reason in company.reasons(report).values())
    assert {found.department for found in company.snapshot(site.assistant)["keyword"].values()} == {"hr"}
    assert company.paths(site.assistant, "скидка опт", method="bm25") == []
    changes = site.assistant.catalog.chunks_version()
    assert company.reasons(site.ingest()).keys() == refused
    assert site.assistant.catalog.chunks_version() == changes, "BM25 is built anew though nothing changed"

    site.rules(company.RULES)
    assert site.ingest().added == 6
    assert company.snapshot(site.assistant) == before


def test_emptied_folder_is_not_believed(site: Site) -> None:
    before = company.snapshot(site.assistant)
    shutil.move(site.folder, site.folder.with_name("unmounted"))
    with pytest.raises(PipelineError, match="is not there"):
        site.ingest()
    site.folder.mkdir()
    with pytest.raises(PipelineError, match="9 of 9 documents are gone .* --accept-deletions"):
        site.ingest()
    assert company.snapshot(site.assistant) == before

    assert site.ingest(accept_deletions=True).deleted == 9
    assert company.snapshot(site.assistant) == {"documents": {}, "vectors": {}, "keyword": {}}


def test_dry_run_says_and_changes_nothing(site: Site) -> None:
    before = company.snapshot(site.assistant)
    company.write(site.folder, {"hr/leave.md": "# Отпуск\n\nДругой.", "new.md": "# New"})
    (site.folder / "sales/returns.txt").unlink()
    site.rules({**company.RULES, "/hr/managers/**": ("hr", 3)})

    report = site.ingest(dry_run=True)

    assert (report.added, report.updated, report.deleted, report.moved, report.unchanged) == (1, 1, 1, 1, 7)
    assert company.snapshot(site.assistant) == before


def test_other_source_leaves_the_pipelines_own_documents_alone(site: Site, tmp_path: Path) -> None:
    own = company.snapshot(site.assistant)["documents"]
    company.write(tmp_path / "share", {"notice.md": "# Гараж\n\nМашину моют в пятницу.", "b.md": "# B\n\nSecond."})
    garage = AccessClass("garage", 1)
    with pytest.raises(ConfigError, match="--source"):
        site.ingest(access_class=garage)

    report = site.ingest(directory=tmp_path / "share", access_class=garage)

    assert (report.seen, report.added, report.deleted) == (2, 2, 0)
    both = company.snapshot(site.assistant)["documents"]
    assert own.items() <= both.items()
    assert company.search(site.assistant, "машину моют").sources[0].passage.access_class == garage
    assert company.paths(site.assistant, "машину моют", STAFF, method="bm25") == []
    (tmp_path / "share/b.md").unlink()
    assert site.ingest(directory=tmp_path / "share", access_class=garage).deleted == 1
    report = site.ingest()
    assert (report.unchanged, report.deleted) == (9, 0)
    assert len(company.snapshot(site.assistant)["documents"]) == 10


def test_extension_without_a_reader_is_named(site: Site) -> None:
    company.write(site.folder, {"plan.dwg": "drawing", "README": "no extension", ".hidden.md": "excluded"})
    report = site.ingest()
    assert report.skipped == ["README", "plan.dwg"]
    assert (report.seen, report.failed, len(company.indexed(site.assistant))) == (11, [], 9)


def test_source_folder_that_moved_is_not_read_again_and_can_be_opened(site: Site) -> None:
    moved = Path(shutil.move(site.folder, site.folder.with_name("new place")))
    company.recipe(site.pipeline, moved)
    report = site.ingest()
    assert (report.unchanged, report.chunks_added) == (9, 0)
    assert all(Path(view.row.location).is_relative_to(moved) for view in site.assistant.documents())


def test_removed_document_comes_back_with_the_next_run(site: Site) -> None:
    before = company.snapshot(site.assistant)
    document = next(view.row.id for view in site.assistant.documents() if view.row.path == "sales/prices.md")
    assert site.assistant.ingest_service.remove([document]) > 0
    with pytest.raises(NotFound):
        site.assistant.ingest_service.remove([document])
    assert "sales/prices.md" not in company.indexed(site.assistant)
    company.snapshot(site.assistant)
    assert site.ingest().added == 1
    assert company.snapshot(site.assistant) == before


READER = """
name: strings
source:
  reader: llama_index.core.readers.{reader}
  {arguments}
transformations: [SentenceSplitter]
access: [{{match: "/**", department: company}}]
"""


def test_llama_index_reader_is_incremental(tmp_path: Path) -> None:
    def pipeline(texts: list[str]) -> Path:
        file = tmp_path / "strings.yaml"
        file.write_text(READER.format(reader="StringIterableReader", arguments=f"load: {{texts: {texts}}}"))
        return file

    with build(company.settings(tmp_path / "storage")) as assistant:
        assert assistant.ingest(pipeline(["one apple", "two pears", "three plums"])).added == 3
        report = assistant.ingest(pipeline(["one apple", "two figs", "three plums"]))
        assert (report.unchanged, report.updated) == (2, 1)
        report = assistant.ingest(pipeline(["one apple", "two figs"]))
        assert (report.unchanged, report.deleted) == (2, 1)
        held = company.snapshot(assistant)["documents"]
        assert [texts[0][3] for _, _, _, texts in held.values()] == ["one apple", "two figs"]


def test_llama_index_reader_with_arguments(tmp_path: Path) -> None:
    company.write(tmp_path / "notes", {"a.txt": "first note", "b.txt": "second note"})
    file = tmp_path / "notes.yaml"
    file.write_text(
        READER.format(reader="SimpleDirectoryReader", arguments=f"arguments: {{input_dir: {tmp_path}/notes}}")
    )
    with build(company.settings(tmp_path / "storage")) as assistant:
        assert assistant.ingest(file).added == 2
        (tmp_path / "notes/a.txt").write_text("first note, changed")
        os.utime(tmp_path / "notes/b.txt")
        report = assistant.ingest(file)
        assert (report.updated, report.unchanged) == (1, 1)
        assert company.paths(assistant, "changed", STAFF)[0] == f"{tmp_path}/notes/a.txt"


def test_ids_of_a_reader_name_its_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not their places: a new first one must not make all others new."""
    keys = ["kb-1", "kb-2"]
    monkeypatch.setattr(
        StringIterableReader, "load_data", lambda self: [Document(text=f"article {key}", id_=key) for key in keys]
    )
    file = tmp_path / "kb.yaml"
    file.write_text(READER.format(reader="StringIterableReader", arguments=""))
    with build(company.settings(tmp_path / "storage")) as assistant:
        assistant.ingest(file)
        keys.insert(0, "kb-0")
        report = assistant.ingest(file)
        assert (report.added, report.unchanged) == (1, 2)
        assert list(company.indexed(assistant)) == ["kb-0", "kb-1", "kb-2"]


def _path_of(snapshot: dict[str, dict[str, tuple]], chunk: str) -> str:
    return next(key.split("|")[2] for key, found in snapshot["documents"].items() if chunk in [c[0] for c in found[3]])


def test_a_folder_that_another_source_has_loaded_is_named(site: Site) -> None:
    site.ingest()  # notes where the copied storage finds its files now
    report = site.ingest(directory=site.folder, access_class=AccessClass("hr", 1))
    (note,) = report.notes
    assert "found twice" in note
    assert "`assistant documents remove --pipeline company`" in note
    assert note in report.problems()
    assert site.ingest().notes == []  # nothing of it is new here


def test_a_run_with_scans_keeps_the_cache_of_recognised_pages_within_its_limit(place: Path) -> None:
    need(fonts_are_here(), "the DejaVu fonts (apt-get install fonts-dejavu-core)")
    scan = scanned(place, "scan", "ru", 1, dpi=150)
    shutil.copy(scan.file, place / "docs" / "scan.pdf")
    cache = place / "storage" / "cache" / "ocr"
    old = ocr_cache.file_of(cache, "0" * 64)
    ocr_cache.put(old, {"text": "x" * (1 << 20)})
    os.utime(old, (1, 1))
    with build(company.settings(place / "storage", ingest=Ingest(workers=1, ocr_cache_mb=1))) as assistant:
        assert assistant.ingest(place / "company.yaml").ocr_pages == 1
    assert not old.exists()
    assert len(list(cache.rglob("*.json"))) == 1, "this run's own page stays"
