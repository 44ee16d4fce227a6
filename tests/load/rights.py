"""Random questions by people with random rights, while documents change hands: `python -m tests.load.rights`.

Every passage that comes back is held against an oracle that keeps its own record: the classes are read once with plain
SQL, the run's own moves are noted, and the rule is written here a second time. A passage is forbidden when its document
was at no moment between question and answer in a class that the asker may read. Exits with 1 when there was one.

All through the run documents are moved, replaced, taken out, and put into classes that did not exist at its start; the
word index follows rarely and vectors only sometimes, so both are behind the catalog most of the time. Many passages are
alike in several classes, so that scores tie. A share of the questions goes over HTTP, by people whose rights were
changed a moment before. With `--rerank` a real cross-encoder, small and untrained, orders what is found: who may read
what does not depend on how good it is. People have grants of groups too, except over HTTP, where rights come from
accounts.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import update

from assistant.access.principal import Principal
from assistant.ask.retrieval import METHODS
from assistant.assistant import Assistant
from assistant.records.account_tables import UserRow
from assistant.records.tables import DocumentRow
from assistant.settings import Reranker, Retrieval
from assistant.settings_security import Access
from assistant.web.app import create_app
from assistant.wiring import build
from tests.integration import company
from tests.integration.tiny_models import write_cross_encoder
from tests.integration.web_site import PASSWORD, served
from tests.load.made_store import writer_of
from tests.load.rights_moves import Mover, Report, put
from tests.load.rights_oracle import Truth
from tests.load.rights_people import EVERYONE, NAMED, World, question, text, world

AT_ONCE, PEOPLE, PAUSE_SECONDS = 6, 4, 0.02
ROUND = 1_000  # questions, on a store of their own and with the next seed
ATTEMPTS = 5  # of one request, when the connection breaks under the test's own client


def run(
    folder: Path,
    *,
    seed: int,
    questions: int,
    documents: int = 240,
    http_share: float = 0.1,
    classes: int = len(NAMED),
    reranker: Reranker | None = None,
    pause: float = PAUSE_SECONDS,
) -> Report:
    """With an odd seed no department is open to everyone, and some people may read nothing at all."""
    report, chance, database = Report(seed), random.Random(seed), folder / "storage" / "assistant.db"
    everyone, people = "" if seed % 2 else EVERYONE, world(classes)
    settings = company.settings(
        folder / "storage", access=Access(everyone=[everyone] if everyone else []), **_ranking(reranker)
    )
    with build(settings) as assistant:
        _fill(assistant, documents, people, chance)
        truth = Truth(database, everyone)
        stop = threading.Event()
        mover = Mover(assistant, truth, people, random.Random(seed + 1), report, stop, pause)
        mover.start()
        try:
            asyncio.run(_ask_all(assistant, truth, people, chance, report, questions, http_share))
        finally:
            stop.set()
            mover.join()
        if mover.error:
            raise mover.error
        assert truth.now() == Truth(database, everyone).now(), "the oracle lost track"
        report.reranked = assistant.retriever.reranking.counts["done"]
    return report


def _ranking(reranker: Reranker | None) -> dict[str, Any]:
    """With few candidates a hundred thousand questions take an hour, and none of them may be forbidden either."""
    return {"reranker": reranker, "retrieval": Retrieval(candidates=12)} if reranker else {}


def _fill(assistant: Assistant, documents: int, people: World, chance: random.Random) -> None:
    writer = writer_of(assistant)
    for number in range(documents):
        row = DocumentRow(id=f"d{number}")
        put(assistant, writer, row, number, 0, chance.choice(people.classes), text(chance))
    assistant.keyword.refresh()


async def _ask_all(
    assistant: Assistant,
    truth: Truth,
    people: World,
    chance: random.Random,
    report: Report,
    questions: int,
    http_share: float,
) -> None:
    by_http = int(questions * http_share)
    waiting = iter(range(questions - by_http))
    methods = METHODS if assistant.reranker() is None else ["reranked"]

    async def inside() -> None:
        for _ in waiting:
            person, asked, method = people.person(chance), question(chance), chance.choice(methods)
            top_n = chance.choice((1, 6, 50) if len(methods) == 1 else (1, 6, 50, 300))
            index = assistant.keyword.current()
            report.behind += index is not None and index.version < assistant.catalog.chunks_version()
            start = time.monotonic()
            found = await assistant.retriever.retrieve(asked, person, top_n=top_n, method=method)
            assert not found.notices, found.notices
            paths = [source.passage.path for source in found.sources]
            _judge(truth, report, method, person, asked, paths, start)

    if not by_http:
        await asyncio.gather(*(inside() for _ in range(AT_ONCE)))
        return
    with served(create_app(assistant, ready=_ready())) as url:
        shares = [len(range(number, by_http, PEOPLE)) for number in range(PEOPLE)]
        over_http = [_over_http(assistant, truth, people, chance, report, url, *pair) for pair in enumerate(shares)]
        await asyncio.gather(*(inside() for _ in range(AT_ONCE)), *over_http)


def _ready() -> threading.Event:
    ready = threading.Event()
    ready.set()
    return ready


async def _over_http(
    assistant: Assistant,
    truth: Truth,
    people: World,
    chance: random.Random,
    report: Report,
    url: str,
    number: int,
    questions: int,
) -> None:
    """One who is signed in all the time, and gets other rights before every question."""
    name = f"person{number}"
    assistant.users.add(name, PASSWORD, roles=["user"], departments=[], level=1)
    async with httpx.AsyncClient(base_url=url, headers={"origin": url}, trust_env=False, timeout=60) as client:
        answer = await client.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        for _ in range(questions):
            person, asked = people.person(chance, grants=False), question(chance)
            with assistant.users._database.transaction() as session:
                rights = {"departments": sorted(person.departments), "level": person.level}
                session.execute(update(UserRow).where(UserRow.name == name).values(rights))
            start = time.monotonic()
            answer = await _search(client, report, {"query": asked, "k": chance.choice((1, 20, 200))})
            paths = [found["source"] for found in answer.raise_for_status().json()["results"]]
            _judge(truth, report, "http", person, asked, paths, start)


async def _search(client: httpx.AsyncClient, report: Report, body: dict[str, Any]) -> httpx.Response:
    """A connection that the server had just closed is no answer: the request is sent once more, and counted."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await client.post("/api/search", json=body)
        except httpx.TransportError:
            report.again += 1
    return await client.post("/api/search", json=body)


def _judge(
    truth: Truth, report: Report, way: str, person: Principal, asked: str, paths: list[str], start: float
) -> None:
    end = time.monotonic()
    report.questions[way] += 1
    report.passages += len(paths)
    report.empty += not paths
    for path in paths:
        if truth.is_forbidden(path, person, start, end):
            report.forbidden.append(f"{way}: {sorted(person.departments)} {person.level} asked '{asked}', got {path}")


def main(given: argparse.Namespace) -> int:
    """Rounds until all questions are asked; the number of forbidden passages."""
    forbidden, asked, passages, ways = 0, 0, 0, Counter[str]()
    with ExitStack() as stack:
        reranker = None
        if given.rerank:
            hub = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            model = str(write_cross_encoder(hub / "encoder"))
            reranker = Reranker(provider="flag_embedding", model=model, candidates=given.candidates, budget_ms=0)
        for number in range(-(-given.questions // given.round)):
            size, seed = min(given.round, given.questions - asked), given.seed + number
            with tempfile.TemporaryDirectory() as temporary:
                options = {"classes": given.classes, "reranker": reranker, "pause": given.pause}
                done = run(Path(temporary), seed=seed, questions=size, http_share=given.http, **options)
            asked, forbidden = asked + done.questions.total(), forbidden + len(done.forbidden)
            passages, ways = passages + done.passages, ways + done.questions
            print(f"{time.strftime('%H:%M:%S')} {done}", *done.forbidden[:20], sep="\n", flush=True)
    print(f"{asked} questions {dict(ways)} over {given.classes} classes, seed {given.seed} and the {number} next,")
    print(f"{passages} passages, forbidden passages: {forbidden}")
    return forbidden


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of rights, questions and changes")
    parser.add_argument("--classes", type=int, default=40)
    parser.add_argument("--rerank", action="store_true", help="with a real, small, untrained cross-encoder")
    parser.add_argument("--candidates", type=int, default=8, help="passages that the reranker reads")
    parser.add_argument("--http", type=float, default=0.1, help="share of the questions that go over HTTP")
    parser.add_argument("--round", type=int, default=ROUND, help="questions on one store")
    parser.add_argument("--pause", type=float, default=PAUSE_SECONDS, help="seconds between changes of documents")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    sys.exit(bool(main(arguments)))
