"""Hostile and broken input: each file is listed with a reason for a person, the rest goes on, nothing is lost."""

from __future__ import annotations

import os
import shutil
import unicodedata
import zipfile
from pathlib import Path

import pytest

from assistant.access.principal import LOCAL_OPERATOR
from assistant.errors import IndexNotReady, PipelineError
from assistant.ingest.report import IngestReport
from assistant.settings import Ingest, IngestLimits
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import DOCS, HR, Site

pytestmark = pytest.mark.server

GOOD = {
    "plain.md": "# Plain\n\nThe gate opens at eight.",
    "line\nbreak.md": "# Newline\n\nThe name has two lines.",
    "😀 отчёт.md": "# Emoji\n\nThe name smiles.",
    unicodedata.normalize("NFD", "Положение й.md"): "# Composed\n\nThe name came from a Mac.",
    "UPPER.MD": "# Upper\n\nThe extension shouts.",
    "cp1251.txt": "",  # written in another encoding below
}
BAD = {
    "empty.md": "the file is empty",
    "blank.txt": "no text was found in it",
    "empty.docx": "the file is empty",
    "empty.pdf": "the file is empty",
    "cut.pdf": "it is damaged or not a PDF",
    "not.pdf": "it is damaged or not a PDF",
    "cut.docx": "it is damaged or not what its name says",
    "bomb.docx": r"it unpacks to more than 1 MB \(ingest.limits.unpacked_mb\)",
    "binary.txt": "it is not text",
    "no text.html": "no text was found in it",
    "headings.md": "it has headings only",
    "endless heading.md": "it could not be cut into passages: title and section take .* tokens",
    "large.txt": r"it is larger than 1 MB \(ingest.limits.file_mb\)",
    "out.md": "it is a link out of the source folder",
    "dangling.md": "it can't be opened: No such file",
    "pipe.md": "it is not a regular file",
    "linked folder": "it is a link to a folder",
    r"b\udce9.md": "its name is not valid UTF-8",
}
LIMITS = IngestLimits(unpacked_mb=1, file_mb=1)


def write_bad_files(folder: Path) -> None:
    company.write(folder, GOOD)
    (folder / "cp1251.txt").write_bytes(
        "Приказ о премировании сотрудников склада подписан директором.".encode("cp1251")
    )
    company.write(folder, {"headings.md": "# Title\n\n# Another\n", "endless heading.md": f"# {'a ' * 150}\n\nText."})
    for name in ("empty.md", "empty.docx", "empty.pdf"):
        (folder / name).touch()
    (folder / "blank.txt").write_bytes(b"\xef\xbb\xbf \n\n ")
    whole = (DOCS / "it/Инструкция по VPN.pdf").read_bytes()
    (folder / "cut.pdf").write_bytes(whole[: len(whole) // 3])
    (folder / "not.pdf").write_bytes(b"<html>Not found</html>")
    (folder / "cut.docx").write_bytes((DOCS / "it/Пароли и учётные записи.docx").read_bytes()[:3000])
    with zipfile.ZipFile(folder / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("word/document.xml", b"0" * (3 << 20))
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 20)
    (folder / "no text.html").write_text("<html><body><script>let a = 1</script></body></html>")
    (folder / "large.txt").write_text(("long" * 250 + "\n\n") * 1100)
    company.write(folder.parent, {"secret.md": "# Secret\n\nOutside of the source."})
    (folder / "out.md").symlink_to(folder.parent / "secret.md")
    (folder / "dangling.md").symlink_to(folder / "nothing.md")
    os.mkfifo(folder / "pipe.md")
    (folder.parent / "elsewhere").mkdir()
    (folder / "linked folder").symlink_to(folder.parent / "elsewhere", target_is_directory=True)
    Path(os.fsdecode(os.fsencode(folder) + b"/b\xe9.md")).write_text("# Latin\n\nName in another encoding.")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, IngestReport, IngestReport]:
    """A first and a second run; before the second one, failed files have good content that only opening would show."""
    place = tmp_path_factory.mktemp("bad")
    pipeline = company.recipe(place / "bad.yaml", place / "docs")
    write_bad_files(place / "docs")
    with build(company.settings(place / "storage", ingest=Ingest(workers=2, limits=LIMITS))) as assistant:
        first = assistant.ingest(pipeline)
        for name in ("cut.pdf", "binary.txt"):
            file = place / "docs" / name
            company.keep_stat(file, b"good text ".ljust(file.stat().st_size))
        return place, first, assistant.ingest(pipeline)


@pytest.mark.parametrize(("path", "reason"), BAD.items())
def test_bad_file_is_listed_with_its_reason(
    outcome: tuple[Path, IngestReport, IngestReport], path: str, reason: str
) -> None:
    for report in outcome[1:]:
        with pytest.raises(ValueError, match=reason):
            raise ValueError(company.reasons(report)[path])


def test_the_rest_is_loaded_and_nothing_is_lost(outcome: tuple[Path, IngestReport, IngestReport]) -> None:
    place, first, second = outcome
    assert company.reasons(first).keys() == company.reasons(second).keys() == BAD.keys()
    assert (first.added, first.seen) == (len(GOOD), len(GOOD) + len(BAD))
    assert (second.unchanged, "read" not in second.stages) == (len(GOOD), True), "a failed file was read again"
    with build(company.settings(place / "storage")) as assistant:
        assert company.indexed(assistant).keys() == {unicodedata.normalize("NFC", name) for name in GOOD}
        company.snapshot(assistant)
        assert company.paths(assistant, "Приказ о премировании")[0] == "cp1251.txt"
        assert company.paths(assistant, "two lines")[0] == "line\nbreak.md"
        assert "Outside" not in str(company.search(assistant, "Secret outside of the source").sources)


def test_failed_file_is_retried_when_it_or_its_recipe_or_the_limits_change(
    outcome: tuple[Path, IngestReport, IngestReport], tmp_path: Path
) -> None:
    place = shutil.copytree(outcome[0], tmp_path / "bad", symlinks=True, ignore=shutil.ignore_patterns("pipe.md"))
    pipeline = company.recipe(place / "bad.yaml", place / "docs", chunk_size=20_000)
    (place / "docs/empty.md").write_text("# No longer empty\n\nWords.")
    (place / "docs/cut.pdf").unlink()
    with build(company.settings(place / "storage")) as assistant:  # the usual limits
        report = assistant.ingest(pipeline)
        assert report.deleted == 2  # cut.pdf and the pipe
        assert "large.txt" not in company.reasons(report)
        assert "empty.md" not in company.reasons(report)
        assert "damaged" in company.reasons(report)["bomb.docx"]
        assert "binary.txt" not in company.reasons(report)  # it got good content above
        still = company.reasons(report)
        (place / "docs/blank.txt").write_text("Words.")
        report = assistant.ingest(company.recipe(pipeline, place / "docs", chunk_size=30_000))
        assert company.reasons(report).keys() == still.keys() - {"blank.txt"}
        company.snapshot(assistant)


def test_update_that_fails_leaves_the_old_version(site: Site) -> None:
    before = company.snapshot(site.assistant)
    original = (site.folder / "hr/leave.md").read_bytes()
    (site.folder / "hr/leave.md").write_bytes(bytes(range(256)))

    report = site.ingest()

    assert company.reasons(report).keys() == {"hr/leave.md"}
    assert company.paths(site.assistant, "перенос отпуска", HR)[0] == "hr/leave.md"
    assert company.snapshot(site.assistant)["keyword"] == before["keyword"]
    site.rules({**company.RULES, "/hr/**": ("sales", 1)})  # and it still obeys the access rules
    site.ingest()
    assert "hr/leave.md" not in company.paths(site.assistant, "перенос отпуска", HR)
    site.rules(company.RULES)
    (site.folder / "hr/leave.md").write_bytes(original)
    assert site.ingest().failed == []
    assert company.snapshot(site.assistant) == before


def test_file_that_cannot_be_opened(site: Site) -> None:
    before = company.snapshot(site.assistant)
    company.write(site.folder, {"hr/locked.md": "# Locked"})
    (site.folder / "hr/leave.md").touch()
    site.rules({**company.RULES, "/hr/**": ("sales", 1)})
    with company.unreadable(site.folder / "hr/leave.md"), company.unreadable(site.folder / "hr/locked.md"):
        report = site.ingest()
        assert company.reasons(report) == dict.fromkeys(
            ("hr/leave.md", "hr/locked.md"), "it can't be read: Permission denied"
        )
        assert "hr/leave.md" not in company.paths(site.assistant, "перенос отпуска", HR), (
            "its rule changed all the same"
        )
    site.rules(company.RULES)
    (site.folder / "hr/locked.md").unlink()
    assert site.ingest().failed == []
    assert company.snapshot(site.assistant) == before


def test_unreadable_folder_stops_the_run_unless_it_is_excluded(site: Site) -> None:
    before = company.snapshot(site.assistant)
    (site.folder / "lost+found").mkdir()
    with (
        company.unreadable(site.folder / "hr"),
        pytest.raises(PipelineError, match="hr can't be read: Permission denied"),
    ):
        site.ingest()
    site.pipeline.write_text(site.pipeline.read_text().replace('exclude: [".*"', 'exclude: ["lost+found"'))
    with company.unreadable(site.folder / "lost+found"):
        assert site.ingest().unchanged == 9
    assert company.snapshot(site.assistant) == before


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    pipeline = company.recipe(tmp_path / "company.yaml", tmp_path / "docs")
    with build(company.settings(tmp_path / "storage")) as assistant:
        report = assistant.ingest(pipeline)
        assert (report.seen, report.failed) == (0, [])
        with pytest.raises(IndexNotReady, match="assistant ingest"):
            company.search(assistant, "отпуск", LOCAL_OPERATOR)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "SentenceSplitter",
            "SentenseSplitter",
            "line 8: unknown transformation 'SentenseSplitter': did you mean Sent",
        ),
        ("exclude:", "exclud:", "line 4: unknown key 'exclud': did you mean exclude"),
        ("markdown,", "markdwn,", "line 5: unknown reader 'markdwn': did you mean markdown"),
        ("chunk_size: 60", "chunk_sise: 60", "line 8: .*chunk_sise.* did you mean chunk_size"),
        ("level: 2", "level: many", "line 10: access.0.level"),
        ("transformations:", "transformations: [", "not valid YAML"),
    ],
)
def test_wrong_pipeline_changes_nothing(place: Path, old: str, new: str, complaint: str) -> None:
    text = (place / "company.yaml").read_text()
    (place / "company.yaml").write_text(text.replace(old, new))
    with build(company.settings(place / "storage")) as assistant, pytest.raises(PipelineError, match=complaint):
        assistant.ingest(place / "company.yaml")
