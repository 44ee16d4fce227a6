"""What the audit costs: milliseconds of a question's records alone, and while as many others write as answers run.

Example: `python -m tests.load.audit --streams 50`
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from assistant.access.principal import Principal
from assistant.records.audit import Audit
from assistant.records.database import Database

WHO = Principal("u1", "Иванова")
DOCUMENTS = [
    {"document": f"{number:020}", "version": f"{number:040}", "path": f"hr/положение {number}.pdf"}
    for number in range(8)
]
Ask = Callable[[], None]


def main(streams: int, seconds: float, between: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'assistant.db'}")
        database.migrate(Path(folder) / "lock")
        audit = Audit(database, Path(folder) / "audit")

        def ask() -> None:
            """The three records of a question."""
            asked = audit.record("question", WHO, text="Сколько дней отпуска положено за вредность?")
            audit.record("answer.retrieved", WHO, question=asked, documents=DOCUMENTS)
            audit.record("answer.shown", WHO, question=asked, documents=DOCUMENTS, cited=[], model="m", grounded=True)

        ask()
        used = time.process_time()
        alone = sorted(_timed(ask) for _ in range(100))
        used = (time.process_time() - used) * 10
        busy, count = _beside(ask, streams, seconds, between)
        print(
            f"alone: p50 {_ms(alone, 0.5)}, p95 {_ms(alone, 0.95)} for the three records of a question; CPU {used:.1f} ms"
        )
        rate = f"each asks again {between:g} s after its records"
        print(
            f"{streams} at once ({rate}): p50 {_ms(busy, 0.5)}, p95 {_ms(busy, 0.95)}; {count / seconds:.0f} questions/s"
        )
        stall = asyncio.run(_event_loop(ask, streams))
        print(f"longest stall of the event loop while {streams} threads write: {stall * 1000:.0f} ms")
        found = audit.verify()
        assert not found.problems, found.problems
        print(f"the chain of {found.records} records holds")
        database.close()


def _timed(ask: Ask) -> float:
    start = time.perf_counter()
    ask()
    return time.perf_counter() - start


def _beside(ask: Ask, streams: int, seconds: float, between: float) -> tuple[list[float], int]:
    taken: list[float] = []
    end = time.monotonic() + seconds

    def work() -> None:
        while time.monotonic() < end:
            taken.append(_timed(ask))
            time.sleep(between)

    threads = [threading.Thread(target=work) for _ in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(taken), len(taken)


async def _event_loop(ask: Ask, streams: int) -> float:
    longest = 0.0
    asking = [asyncio.create_task(asyncio.to_thread(ask)) for _ in range(streams)]
    while not all(task.done() for task in asking):
        start = time.perf_counter()
        await asyncio.sleep(0.005)
        longest = max(longest, time.perf_counter() - start - 0.005)
    await asyncio.gather(*asking)
    return longest


def _ms(taken: list[float], share: float) -> str:
    return f"{taken[min(len(taken) - 1, int(len(taken) * share))] * 1000:.1f} ms"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--between", type=float, default=5.0, help="seconds that an answer takes")
    given = parser.parse_args()
    main(given.streams, given.seconds, given.between)
