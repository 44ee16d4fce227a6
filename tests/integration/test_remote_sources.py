"""Documents of a server: what is fetched, what is not fetched again, and what happens when the server does not answer."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from assistant.access.principal import AccessClass
from assistant.errors import ConfigError, DocumentError, PipelineError
from assistant.index.catalog import FAILED, INDEXED
from assistant.ingest.pipeline import load_pipeline
from assistant.ingest.plan import Plan, make_plan
from assistant.ingest.sources import SourceItem, scan
from assistant.records.tables import DocumentRow
from tests.servers.webdav import PASSWORD, USER, WebDav, webdav
from tests.unit.samples import write_recipe

HR = AccessClass("hr", 1)


@dataclass
class Share:
    """A server's folder, the pipeline over it, and the catalog's rows as the service would keep them."""

    server: WebDav
    recipe: Path
    cache: Path
    rows: list[DocumentRow] = field(default_factory=list)

    def write(self, path: str, text: str) -> Path:
        file = self.server.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    def scan(self, file_mb: int = 1) -> list[SourceItem]:
        return scan(load_pipeline(self.recipe, embedding_identity="m1"), cache=self.cache, file_mb=file_mb)

    def plan(self) -> Plan:
        pipeline = load_pipeline(self.recipe, embedding_identity="m1")
        return make_plan(pipeline, self.scan(), self.rows, {1: HR})

    def load(self) -> list[str]:
        """Do what a plan says, so far as the catalog sees it; the paths that were read."""
        plan = self.plan()
        self.rows = [row for row in self.rows if row not in plan.deleted]
        for work in plan.work:
            file = work.item.local_file()
            assert file is not None
            assert hashlib.sha256(file.read_bytes()).hexdigest() == work.sha256
            row = work.row or DocumentRow(id=work.item.path, title="Title", class_id=1, details={})
            row.path, row.location = work.item.path, str(work.item.location)
            row.size, row.mtime_ns, row.sha256 = work.item.size, work.item.mtime_ns, work.sha256
            row.fingerprint, row.status, row.chunks = work.fingerprint, INDEXED, 1
            self.rows += [row] if work.row is None else []
        return sorted(work.item.path for work in plan.work)


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Share]:
    (tmp_path / "share").mkdir()
    with webdav(tmp_path / "share") as server:
        yield Share(server, recipe(tmp_path, server), tmp_path / "cache")


def recipe(folder: Path, server: WebDav, password: str = PASSWORD) -> Path:
    options = f"options: {{username: {USER}, password: {password}, timeout: 1.0}}"
    return write_recipe(folder, old="{directory: docs}", new=f"{{url: '{server.url}', {options}}}")


def test_new_files_are_fetched_and_unchanged_ones_are_not(share: Share) -> None:
    names = ["hr/Приказ № 5 🎉.md", "hr/a b#c?d%41.md", "hr/№%20#1/" + "ж" * 100 + ".md", "other/skipped.pdf"]
    for name in names:
        share.write(name, f"текст {name}")
    assert share.load() == sorted(names[:3])
    assert share.server.fetched() == sorted(f"/{name}" for name in names[:3])
    assert share.plan() == Plan(unchanged=3, skipped=["other/skipped.pdf"])
    assert share.server.fetched() == []
    item = share.scan()[0]
    assert not item.changed_meanwhile()
    assert item.location == item.local_file()
    assert item.location is not None
    assert item.location.suffix == ".md"


def test_a_changed_file_is_fetched_again_and_its_old_copy_goes(share: Share) -> None:
    file = share.write("hr/a.md", "старый")
    share.load()
    file.write_text("новый!", "utf-8")  # as long as before: only the server's tag and time tell
    os.utime(file, (1_700_000_000, 1_700_000_000))
    assert share.load() == ["hr/a.md"]
    assert share.server.fetched() == ["/hr/a.md", "/hr/a.md"]
    assert [copy.read_text("utf-8") for copy in share.cache.rglob("*.md")] == ["новый!"]


def test_another_tag_on_the_same_content_is_not_read_again(share: Share) -> None:
    file = share.write("hr/a.md", "текст")
    share.load()
    os.utime(file, (1_700_000_000, 1_700_000_000))
    plan = share.plan()
    assert plan == Plan(unchanged=1, touched=share.rows)
    assert share.plan() == Plan(unchanged=1)


def test_renamed_and_deleted_files(share: Share) -> None:
    share.write("hr/a.md", "один")
    share.write("hr/b.md", "два")
    share.load()
    (share.server.folder / "hr/a.md").rename(share.server.folder / "hr/c.md")
    (share.server.folder / "hr/b.md").unlink()
    plan = share.plan()
    assert (plan.renamed, [row.path for row in plan.deleted], plan.work) == (1, ["hr/b.md"], [])


def test_a_server_that_is_away_does_not_look_empty(share: Share, tmp_path: Path) -> None:
    share.write("hr/a.md", "текст")
    share.load()
    with webdav(tmp_path / "share") as other:
        gone = other.port
    text = share.recipe.read_text("utf-8").replace(f":{share.server.port}", f":{gone}")
    share.recipe.write_text(text, "utf-8")
    with pytest.raises(PipelineError, match=r"can't be listed: .*refused.* Nothing was changed"):
        share.plan()


def test_a_folder_that_fails_does_not_look_empty(share: Share) -> None:
    share.write("hr/deep/a.md", "текст")
    share.write("hr/b.md", "текст два")
    share.load()
    share.server.broken.add("/hr/deep")
    with pytest.raises(PipelineError, match="can't be listed: received 500"):
        share.plan()


def test_a_wrong_password_is_a_sentence_without_the_password(share: Share, tmp_path: Path) -> None:
    share.write("hr/a.md", "текст")
    share.recipe = recipe(tmp_path, share.server, "guessed-wrong")
    with pytest.raises(PipelineError, match="the server does not let this account in") as refused:
        share.scan()
    assert "guessed-wrong" not in str(refused.value)


def test_a_password_comes_from_the_environment(share: Share, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share.write("hr/a.md", "текст")
    share.recipe = recipe(tmp_path, share.server, "'${SHARE_PASSWORD}'")
    monkeypatch.setenv("SHARE_PASSWORD", PASSWORD)
    assert [item.path for item in share.scan()] == ["hr/a.md"]
    assert PASSWORD not in repr(load_pipeline(share.recipe, embedding_identity="m1"))
    monkeypatch.delenv("SHARE_PASSWORD")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PipelineError, match=r"line 2: the variable SHARE_PASSWORD is not set"):
        share.scan()
    (tmp_path / ".env").write_text(f"SHARE_PASSWORD={PASSWORD}\n", "utf-8")
    assert [item.path for item in share.scan()] == ["hr/a.md"]


def test_a_slow_server_is_waited_for_and_a_stuck_one_is_not(share: Share) -> None:
    share.write("hr/a.md", "текст")
    share.server.slow = 0.2
    assert share.load() == ["hr/a.md"]
    share.server.slow = 3.0
    with pytest.raises(PipelineError, match="can't be listed: timed out"):
        share.scan()


def test_one_file_that_fails_keeps_its_earlier_version(share: Share) -> None:
    share.write("hr/a.md", "старый")
    share.write("hr/b.md", "хороший")
    share.load()
    share.write("hr/a.md", "новый текст")
    share.write("hr/c.md", "ещё один")
    share.server.broken |= {"/hr/a.md", "/hr/c.md"}
    plan = share.plan()
    assert {refusal.item.path: (refusal.row is not None, refusal.withdraw) for refusal in plan.refused} == {
        "hr/a.md": (True, False),
        "hr/c.md": (False, False),
    }
    assert all(refusal.error.startswith("it can't be fetched: received 500") for refusal in plan.refused)
    assert (plan.unchanged, plan.deleted) == (1, [])
    share.server.broken.clear()
    assert share.load() == ["hr/a.md", "hr/c.md"]


def test_a_large_file_is_not_fetched(share: Share) -> None:
    share.write("hr/big.md", "x" * ((1 << 20) + 1))
    (item,) = share.scan(file_mb=1)
    assert (item.problem, item.unreachable) == ("it is larger than 1 MB (ingest.limits.file_mb)", True)
    assert share.plan().work == []
    assert share.server.fetched() == []


def test_a_file_that_changes_while_it_is_fetched_is_left_for_the_next_run(share: Share) -> None:
    file = share.write("hr/a.md", "текст")
    (item,) = share.scan()
    file.write_text("т", "utf-8")
    with pytest.raises(DocumentError, match="the next run takes it"):
        item.local_file()
    assert list(share.cache.rglob("*.md")) == []
    assert share.load() == ["hr/a.md"]


def test_metadata_files_of_a_server(share: Share) -> None:
    share.write("hr/a.md", "текст")
    share.write("hr/.meta.yaml", "level: 2\nauthor: Отдел кадров\n")
    share.write("hr/a.meta.yaml", "title: Приказ\n")
    (item,) = share.scan()
    assert item.metadata == {"level": 2, "author": "Отдел кадров", "title": "Приказ"}
    share.write("hr/a.meta.yaml", "date: вчера\n")
    (item,) = share.scan()
    assert "hr/a.meta.yaml, line 1: date: 'вчера' is not a day" in str(item.problem)
    assert item.unreachable


def test_access_files_of_a_server(share: Share) -> None:
    share.write("hr/a.md", "текст")
    share.load()
    share.write("hr/.access.yaml", "level: 2")
    assert share.plan().moved == [(share.rows[0], AccessClass("hr", 2))]
    share.write("hr/.access.yaml", "levl: 2")
    (refusal,) = share.plan().refused
    assert refusal.withdraw
    assert refusal.error == "its access file hr/.access.yaml, line 1: unknown key 'levl': did you mean level?"


def test_an_access_file_that_a_server_does_not_give_changes_nothing(share: Share) -> None:
    share.write("hr/a.md", "текст")
    share.load()
    share.write("hr/.access.yaml", "level: 22")
    share.server.broken.add("/hr/.access.yaml")
    with pytest.raises(PipelineError, match=r"the access file hr/\.access\.yaml can't be had .* Nothing was changed"):
        share.plan()


def test_a_folder_in_the_place_of_an_access_file_closes_what_is_beside_it_and_no_more(share: Share) -> None:
    """It does not pass, as a failing server does: whoever may write one folder would stop every later run."""
    share.write("hr/deep/a.md", "текст")
    share.write("hr/b.md", "текст")
    share.load()
    (share.server.folder / "hr/deep/.access.yaml").mkdir()
    plan = share.plan()
    assert [(one.withdraw, one.error) for one in plan.refused] == [
        (True, "its access file hr/deep/.access.yaml: it is no file, or a link, and those are not followed: copy it")
    ]
    assert plan.unchanged == 1


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    pytest.importorskip("webdav4")
    try:
        import s3fs  # noqa: F401
    except ImportError:
        file = write_recipe(tmp_path, old="{directory: docs}", new="{url: 's3://bucket/docs'}")
        with pytest.raises(ConfigError, match=r"pip install 'local-corporate-assistant\[s3\]'"):
            scan(load_pipeline(file, embedding_identity="m1"), cache=tmp_path)


def test_names_that_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    """fsspec's own memory system takes any name; a hostile server could list such a one."""
    import fsspec

    system = fsspec.filesystem("memory")
    folder = f"/{tmp_path.name}"
    try:
        system.pipe(f"{folder}/hr/a.md", "текст".encode())
        system.pipe(f"{folder}/hr/x\\..\\managers\\b.md", b"x")
        file = write_recipe(tmp_path, old="{directory: docs}", new=f"{{url: 'memory:/{folder}'}}")
        found = {item.path: item for item in scan(load_pipeline(file, embedding_identity="m1"), cache=tmp_path / "c")}
        assert found.pop("hr/a.md").problem is None
        assert ["leads to another folder" in str(item.problem) for item in found.values()] == [True]
    finally:
        system.rm(folder, recursive=True)


def test_a_file_address_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "docs/hr").mkdir(parents=True)
    (tmp_path / "docs/hr/a.md").write_text("текст", "utf-8")
    (tmp_path / "docs/hr/out.md").symlink_to("/etc/hostname")
    file = write_recipe(tmp_path, old="{directory: docs}", new=f"{{url: 'file://{tmp_path}/docs'}}")
    found = {item.path: item.problem for item in scan(load_pipeline(file, embedding_identity="m1"))}
    assert found == {"hr/a.md": None, "hr/out.md": "it is a link out of the source folder"}


def test_a_refusal_that_was_noted_is_not_noted_again(share: Share) -> None:
    share.write("hr/a.md", "")
    (refusal,) = share.plan().refused
    row = DocumentRow(id="a", path="hr/a.md", status=FAILED, error=refusal.error, chunks=0, details={}, class_id=None)
    share.rows = [row]
    assert share.plan() == Plan(still_failing=[row])
