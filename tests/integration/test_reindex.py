"""A new generation of the index beside the one that serves: built, caught up and switched to."""

from __future__ import annotations

import asyncio
import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from threading import Event

import pytest
from llama_index.core.base.embeddings.base import BaseEmbedding

from assistant import serving
from assistant.access.principal import AccessClass
from assistant.ask.events import Finished, Step
from assistant.errors import IndexSwitched
from assistant.index.search import Search
from assistant.settings import Ingest
from tests.integration import company
from tests.integration.company import HR, SALES, STAFF, Site, paths, search
from tests.integration.reindexing import LEAVE, QUESTION, reindex, undisturbed

pytestmark = pytest.mark.server


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


def test_questions_are_answered_all_the_time(site: Site) -> None:
    stop = Event()

    def ask() -> dict[int, int]:
        """Answers by the generation that served at about that time."""
        answered: dict[int, int] = {}
        while not stop.is_set():
            found = search(site.assistant, QUESTION, HR)
            assert (found.sources[0].passage.path, found.notices) == (LEAVE, ())
            number = site.assistant.serving().generation.number
            answered[number] = answered.get(number, 0) + 1
        return answered

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            reindex(site)
            search(site.assistant, QUESTION, HR)
        finally:
            stop.set()
        for one in asking:
            assert set(one.result()) <= {1, 2}
            assert one.result()[1] > 1
    assert site.assistant.serving().generation.number == 2


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


def test_a_replaced_index_is_closed_when_its_last_question_has_ended(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its threads and its model; until then it answers whatever is asked of it."""
    monkeypatch.setattr(serving, "_LINGER_SECONDS", 0.05)
    vector = [1.0] * len(site.assistant.embed_model().get_query_embedding("x"))
    number = site.assistant.catalog.class_id(AccessClass("company", 1))

    async def ask() -> tuple[Search, weakref.ref[BaseEmbedding]]:
        async with aclosing(site.assistant.ask(QUESTION, HR)) as events:
            await anext(events)
            old = site.assistant.serving()
            await asyncio.to_thread(reindex, site)
            assert site.assistant.serving() is not old
            await asyncio.sleep(0.5)
            assert old.search.dense(vector, frozenset({number}), 1).found
            found = [event async for event in events if isinstance(event, Finished)]
            assert [source.passage.path for source in found[0].cited][:1] == [LEAVE]
            return old.search, weakref.ref(old.embed_model())

    search_, model = asyncio.run(ask())
    with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
        search_.dense(vector, frozenset({number}), 1)
    gc.collect()
    assert model() is None
    assert paths(site.assistant, QUESTION, HR)[0] == LEAVE


def test_an_ingest_that_waited_for_the_switch_loads_into_the_new_generation(site: Site) -> None:
    company.write(site.folder, {"hr/new.md": "# Новое\n\nСобака охраняет склад."})
    stale = site.assistant.serving()
    reindex(site)
    with pytest.raises(IndexSwitched, match="another generation of the index serves by now"):
        stale.ingest_service.run(stale.pipeline(site.pipeline))
    with pytest.raises(IndexSwitched, match="another generation of the index serves by now"):
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


def test_a_configured_pipeline_that_was_never_loaded_is_for_an_ingest(site: Site, tmp_path: Path) -> None:
    """The sample company does not come with somebody's own documents."""
    company.write(tmp_path, {"sample/one.md": "# Один\n\nКот спит."})
    sample = company.recipe(tmp_path / "sample.yaml", tmp_path / "sample", name="sample")
    ingest = Ingest(workers=1, batch_chunks=2, pipelines=[str(sample), str(site.pipeline)])
    assert reindex(site, ingest=ingest).documents == 9
    assert "one.md" not in company.indexed(site.assistant)
