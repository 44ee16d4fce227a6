"""Several processes and threads on one storage at once: nothing is lost, nothing stale is shown, nobody is stopped."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from assistant.access.principal import AccessClass, Principal
from assistant.index.keyword import KeywordIndex
from assistant.index.words import words
from assistant.wiring import build
from tests.integration import company
from tests.integration.company import HR, SALES, STAFF, Site

pytestmark = pytest.mark.server

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(company.PRELOAD)


def command(storage: Path, *arguments: str) -> None:
    """In a child: `assistant …`."""
    os.environ |= {
        "ASSISTANT_STORAGE__PATH": str(storage),
        "ASSISTANT_CHROMA__PORT": "0",
        "ASSISTANT_EMBEDDING__PROVIDER": "hash",
        "ASSISTANT_INGEST__WORKERS": "1",
    }
    from assistant.cli.main import run

    sys.argv = ["assistant", *arguments]
    run()


def ask_on_and_on(storage: Path, stop: Event, answers: SimpleQueue[tuple[int, list[str]]]) -> None:
    """In a child: searches by every method until it is told to stop; how many, and what went wrong."""
    asked, wrong = 0, []
    try:
        with build(company.settings(storage)) as assistant:
            while not stop.is_set():
                for method in ("bm25", "vector", "reranked"):
                    found = company.search(assistant, "перенос отпуска начальник", HR, method=method)
                    asked += 1
                    if found.notices or [source.passage.path for source in found.sources][:1] != ["hr/leave.md"]:
                        wrong.append(f"{method}: {found.notices} {[source.passage.path for source in found.sources]}")
    except Exception:  # noqa: BLE001 - whoever waits for the answers must not wait for ever
        wrong.append(traceback.format_exc())
    answers.put((asked, wrong[:5]))


def test_two_ingests_and_a_reader_at_once(place: Path, tmp_path: Path) -> None:
    storage = place / "storage"
    company.write(place / "docs", {f"sales/new{number}.md": f"# N\n\nNew number {number}." for number in range(8)})
    (place / "docs/sales/returns.txt").unlink()
    company.write(tmp_path / "it", {f"{number}.md": f"# Rule\n\nServer rule {number}." for number in range(8)})
    company.write(tmp_path / "share", {f"{number}.md": f"# Note\n\nShared note {number}." for number in range(8)})
    other = company.recipe(tmp_path / "other.yaml", tmp_path / "it", name="other", rules={"/**": ("it", 1)})
    share = ("--source", str(tmp_path / "share"), "--department", "share")
    stop, answers = PROCESSES.Event(), PROCESSES.SimpleQueue()
    reader = PROCESSES.Process(target=ask_on_and_on, args=(storage, stop, answers))
    writers = [
        PROCESSES.Process(target=command, args=(storage, "ingest", *arguments))
        for arguments in ((str(place / "company.yaml"),), (str(other),), (str(other), *share))
    ]
    for process in (reader, *writers):
        process.start()
    for process in writers:
        process.join(100)
    stop.set()
    asked, wrong = answers.get()
    reader.join(30)
    assert [process.exitcode for process in (reader, *writers)] == [0, 0, 0, 0]
    assert (wrong, asked > 30) == ([], True), asked
    with build(company.settings(storage)) as assistant, build(company.settings(tmp_path / "fresh")) as fresh:
        fresh.ingest(place / "company.yaml")
        fresh.ingest(other)
        fresh.ingest(other, directory=tmp_path / "share", access_class=AccessClass("share", 1))
        assert company.snapshot(assistant) == company.snapshot(fresh)


def test_running_process_sees_the_next_index(site: Site) -> None:
    storage = site.assistant.settings.storage.path
    for word in ("zebra", "giraffe", "okapi"):
        assert company.paths(site.assistant, word, HR, method="bm25") == []
        company.write(site.folder, {"hr/animals.md": f"# Animals\n\nThe {word} has a stall."})
        process = PROCESSES.Process(target=command, args=(storage, "ingest", str(site.pipeline)))
        process.start()
        process.join(100)
        assert process.exitcode == 0
        for method in ("bm25", "vector", "hybrid"):
            assert company.paths(site.assistant, f"{word} stall", HR, method=method)[0] == "hr/animals.md"
        assert company.paths(site.assistant, word, SALES, method="bm25") == []
    assert len([entry for entry in (storage / "bm25").iterdir() if entry.is_dir()]) == 2, "old indexes pile up"


def test_opening_the_index_while_it_is_replaced(site: Site) -> None:
    """Whoever has just read which index is in force still finds it."""
    folder, catalog = site.assistant.settings.storage.path / "bm25", site.assistant.catalog
    done = threading.Event()

    def open_on_and_on() -> int:
        opened = 0
        while not done.is_set():
            index = KeywordIndex(folder, catalog).current()
            assert index is not None
            assert index.search(words("отпуск"), frozenset(catalog.classes()), 3)
            opened += 1
        return opened

    row = next(view.row for view in site.assistant.documents() if view.row.path == "sales/prices.md")
    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(open_on_and_on) for _ in range(2)]
        for _ in range(25):
            catalog.change_class([(row, row.class_id or 0)])  # nothing but the next version
            assert KeywordIndex(folder, catalog).refresh()
        done.set()
        assert sum(reader.result() for reader in readers) > 5


def test_searches_while_documents_are_replaced_and_moved(tmp_path: Path) -> None:
    """Even versions are hr's, odd ones sales': nobody sees the other's, none is mixed, and none that is gone."""
    folder, pipeline = tmp_path / "docs", tmp_path / "company.yaml"
    begun, done = [0], [0]  # versions whose ingest has begun, is done
    stop = threading.Event()

    def load(version: int) -> None:
        texts = {f"{n}.md": f"# Rule {n}\n\nVersion {version} of the common rule number {n}." for n in range(8)}
        company.write(folder, texts)
        company.recipe(pipeline, folder, rules={"/**": ("sales" if version % 2 else "hr", 1)})
        begun[0] = version
        assistant.ingest(pipeline)
        done[0] = version

    def search_on_and_on(person: Principal, parity: int) -> tuple[int, int]:
        searches = seen = 0
        while not stop.is_set():
            oldest = done[0]
            found = asyncio.run(assistant.search("version common rule", person, k=50))
            newest = begun[0]
            assert not found.notices
            versions = {int(source.passage.text.split("Version ")[1].split()[0]) for source in found.sources}
            # Before a document is replaced its rule is changed: so for a moment the old version is the new readers'.
            assert all(oldest <= version <= newest for version in versions), (oldest, versions, newest)
            if oldest == newest:
                assert {version % 2 for version in versions} <= {parity}, (person.name, versions)
                assert len(versions) * 8 == len(found.sources), "a document is there twice, or missing"
            searches, seen = searches + 1, seen + len(versions)
            time.sleep(0.02)
        return searches, seen

    with build(company.settings(tmp_path / "storage")) as assistant, ThreadPoolExecutor(4) as pool:
        load(0)
        people = [(HR, 0), (SALES, 1)] * 2
        searching = [pool.submit(search_on_and_on, person, parity) for person, parity in people]
        try:
            for version in range(1, 4):
                load(version)
                time.sleep(0.2)
        finally:
            stop.set()
        for thread in searching:
            searches, seen = thread.result()
            assert searches > 10
            assert seen
        assert company.paths(assistant, "version common rule", STAFF) == []
        company.snapshot(assistant)
