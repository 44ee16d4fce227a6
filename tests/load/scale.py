"""Retrieval over many access classes, and the word index after a change: `python -m tests.load.scale`. Asserts nothing.

Milliseconds are of `Retriever.retrieve` without embedding (vectors of the questions are made beforehand) and without a
reranker, in one process with the asyncio loop that the server has, over the managed Chroma server. "At once": twenty
tasks that each ask the next question as soon as they have an answer (closed loop: no pause); "thinking": twenty that
pause for about a second between questions. Beside it, the same vectors in one plain Chroma collection with a `where`
filter on the class. CPU is of this process and of the Chroma server, for each question.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from assistant.assistant import Assistant
from assistant.index.catalog import Catalog
from assistant.index.keyword import KeywordIndex
from assistant.records.database import Database
from tests.load.made_store import MadeStore, Question, Vectors

PEOPLE, THINKING_SECONDS = 20, 1.0
STAGES = ("sparse", "dense", "check", "fuse", "editions")
Ask = Callable[[Question], Awaitable[tuple[float, dict[str, float]]]]


def main(folder: Path, *, chunks: int, classes: int, questions: int, seed: int) -> None:
    store = MadeStore(folder, chunks=chunks, classes=classes, seed=seed)
    store.build()
    asked = store.ask(questions)
    print(f"seed {seed}, {chunks} passages, {classes} classes, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    with store.open() as assistant:
        plain = store.plain(assistant)
        warm(assistant, asked[0])
        print("| classes | who | p50 ms | p95 ms | CPU ms: ours + Chroma | p95 by stage |\n|---|---|---|---|---|---|")
        for number in sorted({1, min(8, classes), classes}):
            measure(assistant, store, asked, number)
            where = {"class": {"$in": list(range(number))}}
            times = []
            for question in asked[:30]:
                start = time.perf_counter()
                plain.query(query_embeddings=[question.vector], n_results=50, where=where, include=["distances"])
                times.append((time.perf_counter() - start) * 1000)
            print(f"| {number} | plain Chroma, `where`, vectors alone | {_quantiles(times)} | | |", flush=True)
        print(f"\nrecall@20 of the vectors against exact search: {recall(assistant, store, asked[:100]):.4f}")
        print(word_index(assistant, store))


def warm(assistant: Assistant, question: Question) -> None:
    """Chroma reads a collection from disk at its first query."""
    start = time.perf_counter()
    everything = frozenset(assistant.catalog.classes())
    for collection in assistant.chroma.client().list_collections(limit=1000):
        collection.query(query_embeddings=[question.vector], n_results=1, include=[])
    assistant.retriever._search.dense(question.vector, everything, 1)
    print(f"first query of every collection after a start: {time.perf_counter() - start:.1f} s\n")


def measure(assistant: Assistant, store: MadeStore, asked: list[Question], classes: int) -> None:
    person = store.person(classes)
    process, server = psutil.Process(), _server(store)

    async def ask(question: Question) -> tuple[float, dict[str, float]]:
        start = time.perf_counter()
        found = await assistant.retriever.retrieve(question.text, person)
        spent = (time.perf_counter() - start) * 1000 - found.timings_ms["embed"]
        assert all(notice.kind == "read_as" for notice in found.notices), found.notices
        return spent, found.timings_ms

    async def row(name: str, people: int, pause: float) -> None:
        await ask(asked[0])
        before = _cpu(process), _cpu(server)
        done = await _crowd(ask, asked, people, pause)
        ours, chroma = ((_cpu(one) - b) / len(done) * 1000 for one, b in zip((process, server), before, strict=True))
        stages = ", ".join(f"{name} {_p95([timings[name] for _, timings in done]):.1f}" for name in STAGES)
        times = _quantiles([spent for spent, _ in done])
        print(f"| {classes} | {name} | {times} | {ours:.1f} + {chroma:.1f} | {stages} |", flush=True)

    asyncio.run(row("1 person", 1, 0))
    asyncio.run(row(f"{PEOPLE} at once", PEOPLE, 0))
    asyncio.run(row(f"{PEOPLE} thinking", PEOPLE, THINKING_SECONDS))


async def _crowd(ask: Ask, asked: list[Question], people: int, pause: float) -> list[tuple[float, dict[str, float]]]:
    waiting, done = list(asked), []

    async def person(number: int) -> None:
        chance = random.Random(number)
        while waiting:
            if pause:
                await asyncio.sleep(pause * chance.uniform(0.5, 1.5))
            if waiting:
                done.append(await ask(waiting.pop()))

    await asyncio.gather(*(person(number) for number in range(people)))
    return done


def recall(assistant: Assistant, store: MadeStore, asked: list[Question]) -> float:
    """Of the 20 nearest of all classes."""
    ids, vectors, _ = store.vectors(range(store.documents))
    everything = frozenset(assistant.catalog.classes())
    shares = []
    for question in asked:
        near = assistant.retriever._search.dense(question.vector, everything, 20).found
        shares.append(len(near.keys() & _exact(ids, vectors, question, 20)) / 20)
    return statistics.mean(shares)


def _exact(ids: list[str], vectors: Vectors, question: Question, k: int) -> set[str]:
    near = vectors @ np.array(question.vector, dtype=np.float32)
    return {ids[row] for row in np.argpartition(near, len(near) - k)[-k:].tolist()}


def word_index(assistant: Assistant, store: MadeStore) -> str:
    """A hundredth of the documents changes; another process makes the index, and a third waits for it as a reader."""
    changed, edition = range(store.documents // 100), assistant.catalog.chunks_version() + 1
    marker = f"marker{edition}"
    context = multiprocessing.get_context("spawn")
    (reader, theirs), (writer, other) = context.Pipe(), context.Pipe()
    workers = [
        context.Process(target=_read_until_seen, args=(store.folder, marker, theirs), daemon=True),
        context.Process(target=_refresh, args=(store.folder, other), daemon=True),
    ]
    for worker in workers:
        worker.start()
    reader.recv(), writer.recv()  # both have imported and opened what they need
    store.write(assistant, changed, edition, marker)
    start = time.time()
    writer.send("")
    seconds, cpu, growth = writer.recv()
    visible = reader.recv() - start
    store.write(assistant, changed, 0)  # as it was, for the next run
    assistant.keyword.refresh()
    return (
        f"word index after a change of 1 %: visible in a running reader after {visible:.2f} s "
        f"(made in {seconds:.2f} s, {cpu:.2f} s of CPU, {growth:.0f} MB above the process before)"
    )


def _read_until_seen(folder: Path, marker: str, pipe: Connection[Any, Any]) -> None:
    index = _index(folder)
    everything = frozenset(range(1000))
    index.current()
    pipe.send("")
    while not (found := index.current()) or not found.search(marker, everything, 1):
        time.sleep(0.02)
    pipe.send(time.time())


def _refresh(folder: Path, pipe: Connection[Any, Any]) -> None:
    import assistant.index.keyword_build  # noqa: F401 - what an ingest has imported by then

    index = _index(folder)
    index.refresh()  # nothing to do: opens the database
    pipe.send("")
    pipe.recv()
    start, cpu, before = time.perf_counter(), time.process_time(), _peak_mb()
    index.refresh()
    pipe.send((time.perf_counter() - start, time.process_time() - cpu, _peak_mb() - before))


def _index(folder: Path) -> KeywordIndex:
    storage = folder / "storage"
    return KeywordIndex(storage / "bm25", Catalog(Database(f"sqlite:///{storage / 'assistant.db'}")))


def _server(store: MadeStore) -> psutil.Process:
    wanted = str((store.folder / "storage" / "chroma").resolve())
    return next(process for process in psutil.process_iter() if wanted in _command(process))


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak_mb() -> float:
    """Of this program alone: `ru_maxrss` of a child begins with its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def _p95(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.95))]


def _quantiles(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} | {_p95(values):.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=40, help="an even number")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="kept for the next run; a temporary one by default")
    given = parser.parse_args()
    options = {name: getattr(given, name) for name in ("chunks", "classes", "questions", "seed")}
    with tempfile.TemporaryDirectory() as temporary:
        main(given.folder or Path(temporary), **options)
