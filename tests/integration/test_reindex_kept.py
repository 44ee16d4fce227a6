"""Generations that must not serve, that are kept, switched back to, and removed."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from assistant.access.principal import LOCAL_OPERATOR, AccessClass
from assistant.cli.reindex import _build
from assistant.errors import PipelineError, StorageError
from assistant.index.generations import FAILED, KEPT, SERVING
from assistant.ingest.report import Failure
from assistant.reindex.build import Reindex
from assistant.reindex.compare import figures, golden_questions
from assistant.reindex.kept import remove_from_kept
from assistant.settings import Embedding, Index, Ingest
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import HR, Site, paths
from tests.integration.reindexing import LEAVE, QUESTION, moving, other, reindex, states

pytestmark = pytest.mark.server


# --- what must not be switched to


def test_a_source_that_is_not_there_makes_no_empty_generation(site: Site) -> None:
    site.folder.rename(site.folder.with_name("unmounted"))
    site.folder.mkdir()
    with moving(site) as (assistant, run):
        with pytest.raises(PipelineError, match=r"9 of 9 documents of company are not in the source: is it mounted\?"):
            run.build(run.begin())
        assert states(assistant)[1] == SERVING


def test_documents_that_can_not_be_made_anew_are_named_and_too_many_are_refused(site: Site) -> None:
    (site.folder / "notice.md").write_text("")
    assert reindex(site).lost == [Failure("notice.md", "the file is empty")]
    for path in company.TEXTS:
        (site.folder / path).write_text("")
    with pytest.raises(
        PipelineError, match="5 of 8 documents can't be read for the new generation .*nothing was switched"
    ):
        reindex(site, embedding=Embedding(provider="hash", model="32"))
    assert site.assistant.serving().generation.number == 2


def test_a_disk_without_room_is_said_before_anything_is_built(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with moving(site) as (_, run):
        index = run.begin()
        with pytest.raises(
            StorageError, match=r"needs about 0\.0 GiB, and .* has 0\.0 GiB left: make room, or use --force"
        ):
            run.estimate(index)
        assert index.catalog.documents() == []


def test_a_run_that_ends_before_it_has_built_anything_leaves_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with moving(site) as (assistant, run):
        terminal, keyboard = os.openpty()
        os.write(terminal, b"n\n")
        with open(keyboard) as stdin, monkeypatch.context() as context:
            context.setattr("sys.stdin", stdin)
            with pytest.raises(typer.Abort):
                _build(assistant, run, yes=False, golden=None, force=False, as_json=True)
            os.close(terminal)
            assert states(assistant) == {1: SERVING}
            context.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
            with pytest.raises(StorageError, match="make room"):
                _build(assistant, run, yes=True, golden=None, force=False, as_json=True)
        assert states(assistant) == {1: SERVING}
        index = run.begin()
        run.build(index)
        run.abandon(index)
        assert set(states(assistant)) == {1, index.generation.number}, "what is built is not thrown away"


def test_documents_of_a_pipeline_that_is_not_found_are_not_lost(site: Site) -> None:
    with build(other(site, ingest=Ingest(workers=1, pipelines=[]))) as assistant:
        with pytest.raises(PipelineError, match="has documents of the pipeline 'company', and pipelines/company.yaml"):
            Reindex(assistant, [], say=print).begin()
        run = Reindex(assistant, [str(site.pipeline)], say=print)
        index = run.begin()
        run.build(index)
        assert run.switch(index).documents == 9


def test_another_configuration_begins_anew(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    with moving(site) as (_, run):
        run.build(run.begin())
    site.rules(company.RULES, chunk_size=30)
    with moving(site) as (assistant, run):
        index = run.begin()
        assert "generation 2 was begun with another configuration" in capsys.readouterr().out
        assert (index.generation.number, index.catalog.documents(), set(states(assistant))) == (3, [], {1, 3})
        assert not (assistant.settings.storage.path / "bm25-g2").exists()
        run.build(index)
    with moving(site) as (_, run):
        again = run.begin()
        assert "going on with generation 3" in capsys.readouterr().out
        assert len(again.catalog.documents()) == 9


def test_two_at_once_are_refused(site: Site) -> None:
    with moving(site), pytest.raises(StorageError, match="another `assistant reindex` is running"), moving(site):
        pass


# --- kept, switched back to, removed


def test_back_restores_the_old_one_and_gives_nobody_more(site: Site) -> None:
    before = company.comparable(company.snapshot(site.assistant))
    reindex(site)
    company.write(
        site.folder, {"notice.md": "# Общий порядок\n\nПропуск выдаёт вахта.", "hr/new.md": "# Новое\n\nСобака."}
    )
    (site.folder / "sales/returns.txt").unlink()
    site.rules({"/hr/leave.md": ("hr", 2)} | company.RULES)
    site.ingest()
    with moving(site) as (_, run):
        number, found = run.back()
    assert number == 1
    assert (found.changed, found.missing) == (["notice.md"], ["hr/new.md"])
    assert (found.removed, found.moved) == (["sales/returns.txt"], [LEAVE])
    assert LEAVE not in paths(site.assistant, QUESTION, HR)
    assert "sales/returns.txt" not in paths(site.assistant, "returns receipt")
    after = company.comparable(company.snapshot(site.assistant))
    moved = {key: (AccessClass("hr", 2), *rest) for key, (_, *rest) in before.items() if key.endswith(LEAVE)}
    assert after == {key: value for key, value in before.items() if not key.endswith("returns.txt")} | moved
    report = site.ingest()
    assert (report.added, report.updated, report.deleted) == (1, 1, 0)
    assert states(site.assistant) == {1: SERVING, 2: KEPT}


@pytest.mark.parametrize(
    ("rules", "removed", "moved", "readers"),
    [
        ({}, [], [], {"staff", "hr", "head"}),
        ({"/notice.md": ("company", 2)}, [], ["notice.md"], {"head"}),
        ({"/notice.md": ("hr", 1)}, ["notice.md"], [], set()),
    ],
)
def test_back_gives_nobody_what_the_newer_one_could_not_read(
    site: Site, rules: dict[str, tuple[str, int]], removed: list[str], moved: list[str], readers: set[str]
) -> None:
    """It has no class there; today's rules say who may read it, and a document that changed may say otherwise itself."""
    site.rules(company.RULES, readers=company.READERS.replace(".md: markdown", ".md: office"))
    assert len(reindex(site, force=True).lost) == 4
    site.rules(rules | company.RULES)
    company.write(site.folder, {LEAVE: "# Отпуск\n\nДругой."})
    with moving(site) as (_, run):
        _, found = run.back()
    assert (found.removed, found.moved) == ([LEAVE, *removed], moved)
    people = {"staff": company.STAFF, "hr": HR, "head": company.HR_HEAD}
    asked = {name: paths(site.assistant, "пропуск охрана", person) for name, person in people.items()}
    assert {name for name, found in asked.items() if "notice.md" in found} == readers
    assert LEAVE not in paths(site.assistant, QUESTION, LOCAL_OPERATOR)


def test_back_takes_out_what_can_not_be_told(site: Site, tmp_path: Path) -> None:
    """The class that a folder was loaded with is known from what the newer generation has of it; here nothing."""
    company.write(tmp_path, {"a/one.md": "# Один\n\nКот спит."})
    site.assistant.ingest(site.pipeline, directory=tmp_path / "a", access_class=AccessClass("company", 1))
    site.rules(company.RULES, readers=company.READERS.replace(".md: markdown", ".md: office"))
    reindex(site, force=True)
    site.rules(company.RULES)
    with moving(site) as (_, run):
        _, found = run.back()
    assert found.removed == ["one.md"]


def test_only_so_many_are_kept(site: Site) -> None:
    reindex(site)
    assert states(site.assistant) == {1: KEPT, 2: SERVING}
    reindex(site, embedding=Embedding(provider="hash", model="32"))
    storage = site.assistant.settings.storage.path
    assert states(site.assistant) == {2: KEPT, 3: SERVING}
    assert sorted(path.name for path in storage.glob("bm25*")) == ["bm25-g2", "bm25-g3"]
    names = {one.name.partition("-")[0] for one in site.assistant.chroma.client().list_collections()}
    assert names == {"g2", "g3"}
    with moving(site) as (assistant, run):
        with pytest.raises(StorageError, match="generation 3 serves"):
            run.remove(assistant.serving.generations.of(3))
        run.remove(assistant.serving.generations.of(2))
        assert set(assistant.serving.generations.sizes()) == {3}
        assert not assistant.serving.make(assistant.serving.generations.of(3)).catalog.orphaned_writes()
    company.snapshot(site.assistant)


def test_a_removal_that_was_killed_is_finished_by_the_next_run(site: Site) -> None:
    reindex(site)
    site.assistant.serving.generations.give_up(1)
    assert states(site.assistant) == {1: FAILED, 2: SERVING}
    with moving(site, index=Index(keep_generations=0)) as (assistant, run):
        run.begin()
        assert set(states(assistant)) == {2, 3}


def test_figures_of_both(site: Site, tmp_path: Path) -> None:
    company.write(
        tmp_path / "golden",
        {
            "questions.jsonl": f'{{"id": "1", "question": "{QUESTION}", "gold": ["{LEAVE}"]}}\n'
            '{"id": "2", "question": "где это", "gold": ["not/here.md"]}'
        },
    )
    with moving(site) as (assistant, run):
        index = run.begin()
        run.build(index)
        for each in (assistant.serving(), index):
            questions = golden_questions(tmp_path / "golden", each)
            assert [question.id for question in questions] == ["1"]
            found = asyncio.run(figures(each, questions, lambda *_: None))
            assert (found.generation, found.ndcg, found.hit, found.by_words) == (
                each.generation.number,
                1.0,
                1.0,
                False,
            )


def test_the_operator_reads_all_of_the_new_one(site: Site) -> None:
    reindex(site)
    assert set(company.indexed(site.assistant)) == {*company.TEXTS, *company.COPIES}
    assert paths(site.assistant, "grade nine", LOCAL_OPERATOR)[0] == "hr/managers/grades.md"


def test_what_is_removed_by_hand_is_in_no_kept_generation(site: Site) -> None:
    """Rows, vectors and words: somebody may have a right to that."""
    document = next(view.row.id for view in site.assistant.documents() if view.row.path == LEAVE)
    reindex(site)
    site.assistant.ingest_service.remove([document])
    serving = site.assistant.serving
    kept = serving.make(serving.generations.with_embedding(serving.generations.of(1), serving.configured))
    passages = [passage.chunk for passage in kept.catalog.passages_of(document)]
    assert remove_from_kept(site.assistant, [document]) == {1: len(passages)}
    assert remove_from_kept(site.assistant, [document]) == {}
    assert document not in {row.id for row in kept.catalog.documents()}
    assert kept.catalog.passages_of(document) == []
    words = kept.keyword.current()
    assert words is not None
    assert not {chunk.decode() for chunk in words.chunks} & set(passages)
    for collection in site.assistant.chroma.client().list_collections():
        assert collection.get(ids=passages)["ids"] == []
    kept.close()
