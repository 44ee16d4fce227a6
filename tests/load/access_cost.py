"""What access adds to a retrieval: `python -m tests.load.access_cost`. Asserts nothing.

The same questions over the same passages, one after another in turn: by somebody who may read some of the classes, and
with no access at all, which is one Chroma collection with every vector, a word search without a mask, and no check of
any passage. Embedding is left out of both, as are the reranker and the server. In turn, so that what else the machine does
meanwhile falls on both; the load is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

from assistant.access.policy import Policy
from assistant.access.principal import AccessClass, Principal
from assistant.ask.retrieval import Retriever
from assistant.assistant import Assistant
from tests.load.made_store import MadeStore, Question
from tests.load.scale import STAGES, _p95, _quantiles, warm

PLAIN = "plain"


class Everything(Policy):
    """No rule at all."""

    def may_read(self, principal: Principal, access_class: AccessClass) -> bool:  # noqa: ARG002
        return True

    def permitted(self, principal: Principal, classes: object) -> frozenset[int]:  # noqa: ARG002
        return frozenset({0})


def without_access(assistant: Assistant) -> Retriever:
    """A retriever of the same parts that knows no classes."""
    from assistant.index.search import Search

    index = assistant.serving()
    found, known = index.retriever, index.search
    search = Search.__new__(Search)
    search.__dict__.update(known.__dict__)
    search._collection_name, search._paths = lambda _: PLAIN, {}
    every = frozenset(assistant.catalog.classes())
    words, terms = search.sparse, search.terms
    search.sparse = lambda asked, _, k: words(asked, every, k)  # type: ignore[method-assign]
    search.terms = lambda question, _: terms(question, every)  # type: ignore[method-assign]
    return Retriever(
        settings=found._settings,
        catalog=found._catalog,
        search=search,
        policy=Everything(frozenset()),
        embed_model=found._embed_model,
        reranking=found.reranking,
    )


async def measure(assistant: Assistant, store: MadeStore, asked: list[Question], classes: int) -> None:
    person = store.person(classes)
    ways = {f"{classes} classes": assistant.retriever, "no access": without_access(assistant)}
    times: dict[str, list[float]] = {way: [] for way in ways}
    stages: dict[str, dict[str, list[float]]] = {way: {stage: [] for stage in STAGES} for way in ways}
    for number, question in enumerate(asked):
        for way in sorted(ways, reverse=bool(number % 2)):
            start = time.perf_counter()
            found = await ways[way].retrieve(question.text, person)
            times[way].append((time.perf_counter() - start) * 1000 - found.timings_ms["embed"])
            assert all(notice.kind == "read_as" for notice in found.notices), found.notices
            for stage in STAGES:
                stages[way][stage].append(found.timings_ms[stage])
    print("| way | p50 ms | p95 ms | p50 by stage |\n|---|---|---|---|")
    for way, spent in times.items():
        by_stage = ", ".join(f"{stage} {sorted(values)[len(values) // 2]:.1f}" for stage, values in stages[way].items())
        print(f"| {way} | {_quantiles(spent)} | {by_stage} |")
    with_access, without = times.values()
    pairs = sorted(one - other for one, other in zip(with_access, without, strict=True))
    print(
        f"\naccess adds {_p95(with_access) - _p95(without):+.1f} ms at p95; for the same question "
        f"{pairs[len(pairs) // 2]:+.1f} ms (median), {_p95(pairs):+.1f} ms (p95 of the differences)"
    )


def main(folder: Path, *, chunks: int, classes: int, of: int, questions: int, seed: int) -> None:
    store = MadeStore(folder, chunks=chunks, classes=of, seed=seed)
    store.build()
    asked = store.ask(questions + 20)
    with store.open() as assistant:
        store.plain(assistant)
        warm(assistant, asked[0])
        asyncio.run(_rounds(assistant, store, asked, classes))


async def _rounds(assistant: Assistant, store: MadeStore, asked: list[Question], classes: int) -> None:
    reader = without_access(assistant)
    for question in asked[:20]:  # both ways once, so that nothing is opened while it is measured
        await assistant.retriever.retrieve(question.text, store.person(classes))
        await reader.retrieve(question.text, store.person(classes))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    await measure(assistant, store, asked[20:], classes)
    print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=8, help="that the person may read; 1 or an even number")
    parser.add_argument("--of", type=int, default=40, help="that there are; an even number")
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="kept for the next run; a temporary one by default")
    given = parser.parse_args()
    options = {name: getattr(given, name) for name in ("chunks", "classes", "of", "questions", "seed")}
    with tempfile.TemporaryDirectory() as temporary:
        main(given.folder or Path(temporary), **options)
