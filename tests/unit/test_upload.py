"""What a sent file may be called, and that it is written whole, where it belongs, or not at all."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest

from assistant.ingest import upload
from assistant.ingest.upload import UploadRefused, file_name, refusal, store
from assistant.ui.admin_texts import admin_texts, refusal_text


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("x.md", "x.md"),
        ("../../x.md", "x.md"),
        ("/etc/x.md", "x.md"),
        ("C:\\docs\\x.md", "x.md"),
        ("..\\..\\x.md", "x.md"),
        (" Приказ № 7 «О премии».docx ", "Приказ № 7 «О премии».docx"),
        ("й.md", "й.md"),
        ("я" * 126 + ".md", "я" * 126 + ".md"),
    ],
)
def test_names_are_kept_without_folders(sent: str, name: str) -> None:
    assert file_name(sent) == name


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ("", "no_name"),
        ("..", "no_name"),
        ("a/", "no_name"),
        ("a\0.md", "unprintable"),
        ("a\0/b.md", "unprintable"),
        ("a\n.md", "unprintable"),
        ("a\u202efdp.md", "unprintable"),
        (".hidden.md", "reserved"),
        ("~$x.docx", "reserved"),
        ("x.docx.meta.yaml", "reserved"),
        ("_meta.yaml", "reserved"),
        ("../.meta.yaml", "reserved"),
        ("CON", "reserved"),
        ("nul.md", "reserved"),
        ("я" * 127 + ".md", "long_name"),
    ],
)
def test_names_that_are_refused(sent: str, kind: str) -> None:
    with pytest.raises(UploadRefused) as refused:
        file_name(sent)
    assert refused.value.kind == kind


def test_a_file_appears_whole(tmp_path: Path) -> None:
    (tmp_path / "hr").mkdir()
    left = tmp_path / "hr" / ".upload-0.tmp"
    left.write_text("of a killed server")
    os.utime(left, (0, time.time() - 7200))
    store(tmp_path, "hr", "x.md", io.BytesIO(b"new"), replace=False)
    assert [(file.name, file.read_bytes()) for file in (tmp_path / "hr").iterdir()] == [("x.md", b"new")]


def test_replacing_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "й.md"  # in the decomposed form, as macOS writes it
    file.write_bytes(b"old")
    with pytest.raises(UploadRefused, match="already") as refused:
        store(tmp_path, "", "й.md", io.BytesIO(b"new"), replace=False)
    assert (refused.value.http_status, file.read_bytes()) == (409, b"old")
    store(tmp_path, "", "й.md", io.BytesIO(b"new"), replace=True)
    assert [found.name for found in tmp_path.iterdir()] == [file.name]
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize("folder", ["link", "link/below", "..", "hr/../..", "none", "file.md", ".git", "/etc", "hr/"])
def test_only_real_folders_of_the_source_are_written(tmp_path: Path, folder: str) -> None:
    source, outside = tmp_path / "source", tmp_path / "outside"
    for made in (source / "hr", source / ".git", outside / "below"):
        made.mkdir(parents=True)
    (source / "link").symlink_to(outside)
    (source / "file.md").write_text("x")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UploadRefused) as refused:
        store(source, folder, "x.md", io.BytesIO(b"x"), replace=True)
    assert refused.value.kind == "no_place"
    assert sorted(tmp_path.rglob("*")) == before


def test_links_and_folders_are_not_replaced(tmp_path: Path) -> None:
    other = tmp_path / "other.md"
    other.write_text("other")
    (tmp_path / "link.md").symlink_to(other)
    (tmp_path / "folder.md").mkdir()
    for name in ("link.md", "folder.md"):
        with pytest.raises(UploadRefused) as refused:
            store(tmp_path, "", name, io.BytesIO(b"x"), replace=True)
        assert refused.value.kind == "not_replaced"
    assert other.read_text() == "other"
    assert (tmp_path / "link.md").is_symlink()


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "x.md").write_text("old")
    monkeypatch.setattr(upload.os, "fsync", full)
    with pytest.raises(UploadRefused, match="No space left on device") as refused:
        store(tmp_path, "", "x.md", io.BytesIO(b"new"), replace=True)
    assert refused.value.http_status == 503
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("x.md", "old")]


def test_every_refusal_is_said_in_both_languages() -> None:
    values = {"name": "x.md", "mb": 1, "bytes": 300, "extensions": ".md", "reason": "full"}
    for kind in upload._SENTENCES:
        refused = refusal(kind, **values)
        assert refused.http_status in (403, 404, 409, 413, 422, 503)
        assert refusal_text(refused, "ru") != refusal_text(refused, "en"), kind
    assert set(admin_texts("ru")) == set(admin_texts("en"))
