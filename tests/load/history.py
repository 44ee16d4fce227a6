"""How long a conversation of 200 messages takes to be opened: `python -m tests.load.history` prints it."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from assistant.records.conversations import FINISHED, Conversations
from assistant.records.database import Database
from tests.unit.talks import ANNA, add_people

PASSAGE = "Заявление на отпуск подают за две недели, его согласует начальник отдела. " * 12  # 900 characters
ANSWER = "Заявление подают за две недели [1]. Его согласует начальник отдела [2]. " * 10
SOURCES = 6  # of each message


def main(messages: int, others: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'assistant.db'}")
        database.migrate(Path(folder) / "lock")
        add_people(database)
        talks = Conversations(database)
        for number in range(others):
            _fill(talks, talks.create(ANNA, f"Прежний разговор {number}").id, 5)
        conversation = talks.create(ANNA).id
        _fill(talks, conversation, messages)
        print(f"{messages} messages with {SOURCES} sources each, among {others} other conversations of the same person")
        _row("open", lambda: talks.open(ANNA, conversation))
        _row("list the first 50", lambda: talks.list(ANNA))
        _row("search", lambda: talks.search(ANNA, "прежний разговор 77"))


def _fill(talks: Conversations, conversation: str, messages: int) -> None:
    sources = [{"n": n, "document": f"{n:020}", "title": "Отпуск", "text": PASSAGE} for n in range(1, SOURCES + 1)]
    for number in range(messages):
        row, _ = talks.begin(ANNA, conversation, f"Вопрос {number}?", language="ru", departments=["hr"])
        talks.end(ANNA, row.id, FINISHED, {"answer": ANSWER, "sources": sources})


def _row(name: str, work: Callable[[], object]) -> None:
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    print(f"{name:24} median {statistics.median(taken):7.1f} ms   most {max(taken):7.1f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--others", type=int, default=300)
    given = parser.parse_args()
    main(given.messages, given.others)
