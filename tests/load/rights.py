"""Random questions by people with random rights, while documents change hands: `python -m tests.load.rights`.

Every passage that comes back is held against an oracle that keeps its own record: the classes are read once with plain
SQL, the run's own moves are noted, and the rule is written here a second time. A passage is forbidden when its document
was at no moment between question and answer in a class that the asker may read. Exits with 1 when there was one.

All through the run documents are moved, replaced, taken out, and put into classes that did not exist at its start; the
word index follows rarely and vectors only sometimes, so both are behind the catalog most of the time. Many passages are
alike in several classes, so that scores tie. A share of the questions goes over HTTP, by people whose rights were
changed a moment before.
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
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import update

from assistant.access.principal import ALL_DEPARTMENTS, AccessClass, Principal
from assistant.ask.retrieval import METHODS
from assistant.assistant import Assistant
from assistant.index.writer import Version, Writer
from assistant.records.account_tables import UserRow
from assistant.records.tables import DocumentRow
from assistant.settings import Access
from assistant.web.app import create_app
from assistant.wiring import build
from tests.integration import company
from tests.integration.web_site import PASSWORD, served
from tests.load.made_store import version_of, writer_of
from tests.load.rights_oracle import Truth

EVERYONE = "company"
CLASSES = [
    *(
        (EVERYONE, 1),
        (EVERYONE, 2),
        ("hr", 1),
        ("hr", 2),
        ("Отдел кадров", 1),
        ("Отдел кадров", 3),
        ("отдел кадров", 1),
    ),
    *(("Бухгалтерия", 1), ("Бухгалтерия", 2), ("IT & связь / 'ночь'", 1), ("sales", 1), ("закрыто", 99)),
]
LATER = [(f"Новый отдел {number}", number % 2 + 1) for number in range(4)]
WORDS = ["отпуск", "приказ", "договор", "оклад", "пропуск", "склад"]
WORDS += ["vacation", "order", "contract", "salary", "server", "invoice"]
AT_ONCE, PEOPLE, PAUSE_SECONDS = 6, 4, 0.02
ROUND = 1_000  # questions, on a store of their own and with the next seed


@dataclass
class Report:
    seed: int
    questions: Counter[str] = field(default_factory=Counter)  # by way: a method, or http
    passages: int = 0
    empty: int = 0
    behind: int = 0  # asked while the word index was behind the catalog
    changes: Counter[str] = field(default_factory=Counter)
    forbidden: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ways = ", ".join(f"{way} {count}" for way, count in sorted(self.questions.items()))
        changes = ", ".join(f"{kind} {count}" for kind, count in sorted(self.changes.items()))
        return (
            f"seed {self.seed}: {self.questions.total()} questions ({ways}), {self.passages} passages, {self.empty} without "
            f"any; meanwhile {changes}; {self.behind} asked while the word index was behind\n"
            f"forbidden passages: {len(self.forbidden)}"
        )


def run(folder: Path, *, seed: int, questions: int, documents: int = 240, http_share: float = 0.1) -> Report:
    """With an odd seed no department is open to everyone, and some people may read nothing at all."""
    report, chance, database = Report(seed), random.Random(seed), folder / "storage" / "assistant.db"
    everyone = "" if seed % 2 else EVERYONE
    settings = company.settings(folder / "storage", access=Access(everyone=[everyone] if everyone else []))
    with build(settings) as assistant:
        _fill(assistant, documents, chance)
        truth = Truth(database, everyone)
        stop = threading.Event()
        mover = _Mover(assistant, truth, random.Random(seed + 1), report, stop)
        mover.start()
        try:
            asyncio.run(_ask_all(assistant, truth, chance, report, questions, http_share))
        finally:
            stop.set()
            mover.join()
        if mover.error:
            raise mover.error
        assert truth.now() == Truth(database, everyone).now(), "the oracle lost track"
    return report


def _fill(assistant: Assistant, documents: int, chance: random.Random) -> None:
    """Texts come from few, so that the same one is in many classes."""
    writer = writer_of(assistant)
    for number in range(documents):
        row = DocumentRow(id=f"d{number}")
        _put(assistant, writer, row, number, 0, chance.choice(CLASSES), _text(chance))
    assistant.keyword.refresh()


def _text(chance: random.Random) -> str:
    return " ".join(random.Random(chance.randrange(40)).choices(WORDS, k=8))


def _put(
    assistant: Assistant,
    writer: Writer,
    row: DocumentRow,
    number: int,
    edition: int,
    access_class: tuple[str, int],
    text: str,
) -> None:
    from llama_index.core.schema import TextNode

    class_id = assistant.catalog.class_id(AccessClass(*access_class))
    version: Version = version_of(row, number, class_id, edition, [text, f"{text} {WORDS[number % len(WORDS)]}"])
    vectors = assistant.embed_model().get_text_embedding_batch([chunk["text"] for chunk in version.chunks])
    writer.begin([version])
    nodes = [
        TextNode(id_=chunk["id"], text="", embedding=vector)
        for chunk, vector in zip(version.chunks, vectors, strict=True)
    ]
    writer.add(class_id, list(nodes))
    writer.commit([version])


class _Mover(threading.Thread):
    """Changes documents until it is told to stop."""

    def __init__(
        self, assistant: Assistant, truth: Truth, chance: random.Random, report: Report, stop: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self._assistant, self._truth, self._chance = assistant, truth, chance
        self._report, self._stop_asked, self._writer = report, stop, writer_of(assistant)
        self._editions = iter(range(1, 1_000_000))
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._stop_asked.wait(PAUSE_SECONDS):
                self._change()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits for the thread
            self.error = error

    def _change(self) -> None:
        roll, held = self._chance.random(), self._truth.now()
        number = self._chance.randrange(len(self._truth._spans))
        path, wanted = f"{number}.md", self._chance.choice(CLASSES + LATER)
        if path not in held:
            self._replace(number, path, wanted, DocumentRow(id=f"d{number}"), "put back")
        elif roll < 0.7:
            self._move(path, wanted, settle=roll < 0.2)
        elif roll < 0.85:
            self._replace(number, path, wanted, self._assistant.catalog.document(f"d{number}"), "replaced")
        elif roll < 0.95:
            with self._truth.changing(path, None):
                self._writer.remove([f"d{number}"])
            self._report.changes["taken out"] += 1
        else:
            self._assistant.keyword.refresh()
            self._report.changes["word index"] += 1

    def _move(self, path: str, wanted: tuple[str, int], *, settle: bool) -> None:
        catalog = self._assistant.catalog
        row = catalog.document(f"d{path.removesuffix('.md')}")
        with self._truth.changing(path, wanted):
            catalog.change_class([(row, catalog.class_id(AccessClass(*wanted)))])
        self._report.changes["moved"] += 1
        if settle:
            self._writer.settle(row)

    def _replace(self, number: int, path: str, wanted: tuple[str, int], row: DocumentRow, kind: str) -> None:
        with self._truth.changing(path, wanted):
            _put(self._assistant, self._writer, row, number, next(self._editions), wanted, _text(self._chance))
        self._report.changes[kind] += 1


async def _ask_all(
    assistant: Assistant, truth: Truth, chance: random.Random, report: Report, questions: int, http_share: float
) -> None:
    by_http = int(questions * http_share)
    waiting = iter(range(questions - by_http))

    async def inside() -> None:
        for _ in waiting:
            person, asked, method = _person(chance), _question(chance), chance.choice(METHODS)
            top_n = chance.choice((1, 6, 50, 300))
            index = assistant.keyword.current()
            report.behind += index is not None and index.version < assistant.catalog.chunks_version()
            start = time.monotonic()
            found = await assistant.retriever.retrieve(asked, person, top_n=top_n, method=method)
            assert not found.notices, found.notices
            paths = [source.passage.path for source in found.sources]
            _judge(truth, report, method, person, asked, paths, start)

    with served(create_app(assistant, ready=_ready())) as url:
        shares = [len(range(number, by_http, PEOPLE)) for number in range(PEOPLE)]
        over_http = [_over_http(assistant, truth, chance, report, url, *pair) for pair in enumerate(shares)]
        await asyncio.gather(*(inside() for _ in range(AT_ONCE)), *over_http)


def _ready() -> threading.Event:
    ready = threading.Event()
    ready.set()
    return ready


async def _over_http(
    assistant: Assistant, truth: Truth, chance: random.Random, report: Report, url: str, number: int, questions: int
) -> None:
    """One who is signed in all the time, and gets other rights before every question."""
    name = f"person{number}"
    assistant.users.add(name, PASSWORD, roles=["user"], departments=[], level=1)
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        answer = await client.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        for _ in range(questions):
            person, asked = _person(chance), _question(chance)
            with assistant.users._database.transaction() as session:
                rights = {"departments": sorted(person.departments), "level": person.level}
                session.execute(update(UserRow).where(UserRow.name == name).values(rights))
            start = time.monotonic()
            answer = await client.post("/api/search", json={"query": asked, "k": chance.choice((1, 20, 200))})
            paths = [found["source"] for found in answer.raise_for_status().json()["results"]]
            _judge(truth, report, "http", person, asked, paths, start)


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


def _person(chance: random.Random) -> Principal:
    """Of any departments, some of which do not exist, or of none; in one of thirty of all."""
    names = sorted({department for department, _ in CLASSES + LATER}) + ["nowhere", "", "HR", "Отдел"]
    chosen = frozenset(chance.sample(names, chance.randint(0, 4)))
    if chance.random() < 1 / 30:
        chosen = frozenset({ALL_DEPARTMENTS})
    return Principal(
        "x", "Somebody", roles=frozenset({"user", "admin"}), departments=chosen, level=chance.randint(0, 3)
    )


def _question(chance: random.Random) -> str:
    return " ".join(chance.sample(WORDS, chance.randint(1, 3)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of rights, questions and changes")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    forbidden = asked = 0
    while asked < given.questions:
        with tempfile.TemporaryDirectory() as temporary:
            size = min(ROUND, given.questions - asked)
            done = run(Path(temporary), seed=given.seed + asked // ROUND, questions=size)
        asked, forbidden = asked + done.questions.total(), forbidden + len(done.forbidden)
        print(done, *done.forbidden[:20], sep="\n", flush=True)
    print(f"{asked} questions, seed {given.seed}, forbidden passages: {forbidden}")
    sys.exit(bool(forbidden))
