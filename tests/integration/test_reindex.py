"""A new generation of the index beside the one that serves: built, caught up, switched to, switched back, removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from assistant.access.principal import LOCAL_OPERATOR, AccessClass
from assistant.ask.events import Finished, Step
from assistant.assistant import Assistant
from assistant.errors import OtherModel, PipelineError, StorageError
from assistant.index.generations import FAILED, KEPT, SERVING
from assistant.operations.health import examine
from assistant.reindex.build import Built, Reindex
from assistant.reindex.compare import figures, golden_questions
from assistant.settings import Embedding, Index, Ingest
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import HR, SALES, STAFF, Site, paths, search

pytestmark = pytest.mark.server

QUESTION, LEAVE = "перенос отпуска", "hr/leave.md"
SMALL = Embedding(provider="hash", model="64")


def other(site: Site, embedding: Embedding = SMALL, **blocks: Any) -> Any:
    """The same storage, with another embedding model in the settings, and the site's pipeline as the configured one."""
    given = {"embedding": embedding, "ingest": Ingest(workers=1, batch_chunks=2, pipelines=[str(site.pipeline)])}
    return company.settings(site.assistant.settings.storage.path, **given | blocks)


@contextmanager
def moving(site: Site, **blocks: Any) -> Iterator[tuple[Assistant, Reindex]]:
    with build(other(site, **blocks)) as assistant:
        run = Reindex(assistant, [], say=print)
        with run.alone():
            yield assistant, run


def reindex(site: Site, meanwhile: Callable[[], object] = lambda: None, **blocks: Any) -> Built:
    """A whole run; `meanwhile` happens when the first passes are done."""
    with moving(site, **blocks) as (_, run):
        index = run.begin()
        assert run.estimate(index).documents > 0
        run.build(index)
        meanwhile()
        built = run.switch(index)
        run.prune()
        return built


def states(assistant: Assistant) -> dict[int, str]:
    return {one.number: one.state for one in assistant.serving.generations.all()}


def undisturbed(site: Site, folder: Path) -> dict[str, Any]:
    """What a fresh storage holds that loads today's files by the new model."""
    with build(company.settings(folder, embedding=SMALL)) as fresh:
        fresh.ingest(site.pipeline)
        return company.comparable(company.snapshot(fresh))


# --- another model in the settings


def test_a_store_of_another_model_is_refused_and_answers(site: Site) -> None:
    before = company.snapshot(site.assistant)
    with build(other(site)) as assistant:
        for dry_run in (False, True):
            with pytest.raises(
                OtherModel, match=r"made with the embedding model hash data/.*: run `assistant reindex` to mo"
            ):
                assistant.ingest(site.pipeline, dry_run=dry_run)
        found = search(assistant, QUESTION, HR)
        assert (found.sources[0].passage.path, found.notices) == (LEAVE, ())
        assert found.sources[0].scores.vector is not None
        assert company.snapshot(assistant) == before
        health = {part.name: part for part in asyncio.run(examine(assistant)).parts}["embedding"]
        assert (health.state, "the settings name hash 64" in health.detail) == ("degraded", True)
        assistant.serving.generations.note_embedding(1, assistant.serving.configured)
    with build(other(site)) as assistant:
        assert assistant.serving().generation.embedding.name == "hash 64"


def test_an_empty_store_takes_the_model_of_its_first_ingest(tmp_path: Path) -> None:
    pipeline = company.recipe(tmp_path / "company.yaml", company.write_documents(tmp_path / "docs"))
    with (
        build(company.settings(tmp_path / "storage")) as first,
        build(company.settings(tmp_path / "storage", embedding=SMALL)) as second,
    ):
        assert first.serving().generation.number == second.serving().generation.number == 1
        assert second.ingest(pipeline).added == 9
        with pytest.raises(OtherModel, match="hash 64"):
            first.ingest(pipeline)
        assert paths(first, QUESTION)[0] == LEAVE


def test_without_its_model_words_alone_answer(site: Site, tmp_path: Path) -> None:
    """From the hash to the real bundled model, in a folder that goes away afterwards."""
    model = tmp_path / "model"
    model.mkdir()
    for file in (company.ROOT / "data" / "models" / "static-bilingual").rglob("*"):
        if file.is_file():
            target = model / file.relative_to(company.ROOT / "data" / "models" / "static-bilingual")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(file)
    assert reindex(site, embedding=Embedding(model=str(model))).documents == 9
    found = search(site.assistant, "сколько дней отдыхают", HR)
    assert found.notices == ()
    model.rename(tmp_path / "away")
    with build(other(site)) as assistant:
        found = search(assistant, QUESTION, HR)
        assert [notice.kind for notice in found.notices] == ["keyword_only"]
        assert "is not on this machine" in found.notices[0].detail
        assert found.sources[0].passage.path == LEAVE
        health = {part.name: part for part in asyncio.run(examine(assistant)).parts}["embedding"]
        assert (health.state, "words alone answer" in health.detail) == ("degraded", True)


# --- the switch


def test_running_processes_follow_a_switch(site: Site) -> None:
    """And what they load afterwards goes into the new generation, though their settings are those of the old one."""
    ids = {view.row.path: view.row.id for view in site.assistant.documents()}
    assert site.assistant.serving().generation.number == 1
    built = reindex(site)
    assert (built.generation, built.replaced, built.documents, built.lost) == (2, 1, 9, [])
    assert paths(site.assistant, QUESTION, HR)[0] == LEAVE
    index = site.assistant.serving()
    assert len(index.embed_model().get_query_embedding("x")) == 64
    assert {view.row.path: view.row.id for view in site.assistant.documents()} == ids
    assert site.ingest().unchanged == 9
    company.write(site.folder, {"hr/new.md": "# Новое\n\nСобака охраняет склад."})
    assert site.ingest().added == 1
    assert paths(site.assistant, "собака", HR)[0] == "hr/new.md"
    company.snapshot(site.assistant)


def test_a_question_that_began_before_the_switch_is_answered_to_its_end(site: Site) -> None:
    async def ask() -> Finished:
        async with aclosing(site.assistant.ask(QUESTION, HR)) as events:
            first = await anext(events)
            assert isinstance(first, Step)
            await asyncio.to_thread(reindex, site)
            assert (await asyncio.to_thread(site.assistant.serving)).generation.number == 2
            return [event async for event in events if isinstance(event, Finished)][0]

    finished = asyncio.run(ask())
    assert [source.passage.path for source in finished.cited][:1] == [LEAVE]


def test_an_ingest_that_waited_for_the_switch_loads_into_the_new_generation(site: Site) -> None:
    company.write(site.folder, {"hr/new.md": "# Новое\n\nСобака охраняет склад."})
    stale = site.assistant.serving()
    reindex(site)
    with pytest.raises(Exception, match="another generation of the index serves by now"):
        stale.ingest_service.run(stale.pipeline(site.pipeline))
    with pytest.raises(Exception, match="another generation of the index serves by now"):
        stale.consistency.compare()
    assert site.ingest().unchanged == 10


# --- what changes while it is built


def test_what_changes_while_it_is_built_is_right_after_the_switch(site: Site, tmp_path: Path) -> None:
    """Through the serving generation, as page, watch and command line do it; then the same as one undisturbed build."""
    rules = {"/hr/leave.md": ("hr", 2)} | company.RULES

    def meanwhile() -> None:
        company.write(site.folder, {"hr/new.md": "# Новое\n\nСобака охраняет склад."})
        company.write(site.folder, {"notice.md": "# Общий порядок\n\nПропуск выдаёт вахта."})
        (site.folder / "sales/returns.txt").unlink()
        (site.folder / "it/VPN.pdf").rename(site.folder / "it/Доступ.pdf")
        site.rules(rules)
        report = site.ingest()
        assert (report.added, report.updated, report.deleted, report.moved, report.renamed) == (1, 1, 1, 1, 1)
        assert site.assistant.serving().generation.number == 1

    reindex(site, meanwhile)
    assert LEAVE not in paths(site.assistant, QUESTION, HR)
    assert paths(site.assistant, QUESTION, company.HR_HEAD)[0] == LEAVE
    assert company.comparable(company.snapshot(site.assistant)) == undisturbed(site, tmp_path / "fresh")


def test_what_nobody_ingested_meanwhile_is_caught_up_too(site: Site, tmp_path: Path) -> None:
    def meanwhile() -> None:
        company.write(site.folder, {"hr/new.md": "# Новое\n\nСобака охраняет склад."})
        site.rules({"/hr/leave.md": ("hr", 2)} | company.RULES)

    reindex(site, meanwhile)
    assert LEAVE not in paths(site.assistant, QUESTION, HR)
    assert company.comparable(company.snapshot(site.assistant)) == undisturbed(site, tmp_path / "fresh")


def test_what_is_removed_by_hand_meanwhile_stays_away(site: Site) -> None:
    """Its file is still there, and the next ingest of its pipeline brings it back, as ever."""
    document = next(view.row.id for view in site.assistant.documents() if view.row.path == LEAVE)
    reindex(site, lambda: site.assistant.ingest_service.remove([document]))
    assert LEAVE not in company.indexed(site.assistant)
    company.snapshot(site.assistant)
    assert site.ingest().added == 1
    assert document in {view.row.id for view in site.assistant.documents()}


def test_folders_that_were_loaded_once_keep_their_class(site: Site, tmp_path: Path) -> None:
    company.write(
        tmp_path, {"a/one.md": "# Один\n\nКот спит.", "a/two.md": "# Два\n\nПёс.", "b/x.md": "# Икс\n\nГусь."}
    )
    for folder in ("a", "b"):
        site.assistant.ingest(site.pipeline, directory=tmp_path / folder, access_class=AccessClass("sales", 1))
    two = next(view.row.id for view in site.assistant.documents() if view.row.path == "two.md")

    def meanwhile() -> None:
        company.write(tmp_path, {"a/three.md": "# Три\n\nНикто не загружал."})
        site.assistant.ingest_service.remove([two])
        gone = [view.row.id for view in site.assistant.documents() if view.row.source == str(tmp_path / "b")]
        site.assistant.ingest_service.remove(gone)

    reindex(site, meanwhile)
    loaded = {view.row.path: view for view in site.assistant.documents() if view.row.source}
    assert {path: view.access_class for path, view in loaded.items()} == {"one.md": AccessClass("sales", 1)}
    assert paths(site.assistant, "кот", SALES)[0] == "one.md"
    assert "one.md" not in paths(site.assistant, "кот", STAFF)


# --- what must not be switched to


def test_a_source_that_is_not_there_makes_no_empty_generation(site: Site) -> None:
    site.folder.rename(site.folder.with_name("unmounted"))
    site.folder.mkdir()
    with moving(site) as (assistant, run):
        with pytest.raises(PipelineError, match=r"9 of 9 documents of company are not in the source: is it mounted\?"):
            run.build(run.begin())
        assert states(assistant)[1] == SERVING


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
