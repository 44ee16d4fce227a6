"""How long a conversation of 200 messages takes to be opened: `python -m tests.load.history` prints it."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from assistant.access.policy import Policy
from assistant.access.principal import AccessClass, Principal
from assistant.contracts import open_conversation_json
from assistant.conversations.service import ConversationService
from assistant.index.catalog import INDEXED, Catalog
from assistant.records.audit import Audit
from assistant.records.conversations import FINISHED, Conversations
from assistant.records.database import Database
from assistant.records.feedback import Feedback
from assistant.records.tables import DocumentRow
from assistant.settings import State
from tests.unit.talks import ANNA, add_people

PASSAGE = "Заявление на отпуск подают за две недели, его согласует начальник отдела. " * 12  # 900 characters
ANSWER = "Заявление подают за две недели [1]. Его согласует начальник отдела [2]. " * 10
SOURCES = 6  # of each message


WHO = Principal(ANNA, "anna", departments=frozenset({"hr"}))


def main(messages: int, others: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'assistant.db'}")
        database.migrate(Path(folder) / "lock")
        add_people(database)
        catalog, talks = Catalog(database), Conversations(database)
        _load(catalog, messages * SOURCES)
        service = ConversationService(
            talks,
            Feedback(database),
            settings=State(),
            policy=Policy(frozenset()),
            catalog=lambda: catalog,
            audit=Audit(database, Path(folder) / "audit"),
        )
        for number in range(others):
            _fill(talks, talks.create(ANNA, f"Прежний разговор {number}").id, 5)
        whole, half = talks.create(ANNA).id, talks.create(ANNA).id
        _fill(talks, whole, messages)
        _fill(talks, half, messages, withheld=True)
        print(
            f"{messages} messages with {SOURCES} passages each, among {others} other conversations of the same person"
        )
        _row("open, all may be read", lambda: service.open(WHO, whole))
        _row("open, half is withheld", lambda: service.open(WHO, half))
        _row("open, as JSON for HTTP", lambda: open_conversation_json(service.open(WHO, half)))
        _row("history of a follow-up", lambda: service.history(WHO, half))
        _row("list the first 50", lambda: service.list(WHO))
        _row("search a title", lambda: service.list(WHO, search="прежний разговор 77"))
        _row("search the answers", lambda: service.list(WHO, search="начальник отдела"))


def _load(catalog: Catalog, documents: int) -> None:
    """Every second document is of a department that the person is not in."""
    classes = [catalog.class_id(AccessClass(department, 1)) for department in ("hr", "sales")]
    catalog.save_all(
        DocumentRow(
            id=f"{number:020}",
            pipeline="p",
            path=f"{number}.md",
            title="Отпуск",
            class_id=classes[number % 2],
            version="v",
            chunks=1,
            status=INDEXED,
        )
        for number in range(2 * documents)
    )


def _fill(talks: Conversations, conversation: str, messages: int, *, withheld: bool = False) -> None:
    """Each passage is of a document of its own; `withheld`: every second one may not be read."""
    for number in range(messages):
        row, _ = talks.begin(ANNA, conversation, f"Вопрос {number}?", language="ru", departments=["hr"])
        sources = [_source(n, number * SOURCES + n - 1, withheld=withheld) for n in range(1, SOURCES + 1)]
        talks.end(ANNA, row.id, FINISHED, {"answer": ANSWER, "sources": sources})


def _source(n: int, number: int, *, withheld: bool) -> dict[str, object]:
    document = f"{number if withheld else 2 * number:020}"
    place = {"path": "hr/leave.md", "section": "", "page": None, "page_kind": "page", "position": 0, "date": None}
    scores = {"score": 1.0, "scores": {"bm25": 1.0, "vector": 0.5, "rerank": None}}
    told = {"version": "v", "title": "Отпуск", "department": "hr", "level": 1, "text": f"{n} {PASSAGE}"}
    return (
        {"n": n, "document": document, "chunk": f"{document}-v-0", "given": True, "cited": n < 3}
        | place
        | scores
        | told
    )


def _row(name: str, work: Callable[[], object]) -> None:
    taken, cpu = [], []
    for _ in range(20):
        start, busy = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - start) * 1000)
        cpu.append((time.process_time() - busy) * 1000)
    middle = statistics.median
    print(f"{name:24} median {middle(taken):7.1f} ms   most {max(taken):7.1f} ms   CPU {middle(cpu):7.1f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--others", type=int, default=300)
    given = parser.parse_args()
    main(given.messages, given.others)
