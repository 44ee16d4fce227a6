"""People who are answered at once: `python -m tests.load.streams` (part of `make load`). Prints a table, asserts nothing.

Three processes: the assistant as `assistant serve` runs it, with the sample company and the bundled embedding model; a
scripted Ollama server that begins after 0.1 s and makes 30 tokens a second for each; and this one, which asks over
sockets with a token for each person. On a machine with few cores they take them from each other: the cores are printed.

`steady` keeps so many answers streaming: each person asks again when the own answer has ended, and they begin spread over
the length of one answer. `at once` sends all questions in the same moment. The assistant's own share of the time to the
first token is what is left of it without the 0.1 s of the model and, for those who queued, without the wait for their turn.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from assistant.records.account_tables import UserRow
from assistant.records.audit import Audit
from assistant.records.database import Database
from assistant.records.tokens import Tokens
from tests.servers.assistant_process import AssistantProcess
from tests.servers.ollama_script import split_pieces

QUESTIONS = Path(__file__).resolve().parents[2] / "data" / "eval" / "questions.jsonl"
FIRST_TOKEN_SECONDS, TOKENS_A_SECOND = 0.1, 30
ANSWER = "По документам компании это делается так [1]: " + "шаг за шагом, не спеша и по порядку. " * 12
LENGTH = FIRST_TOKEN_SECONDS + len(split_pieces(ANSWER)) / TOKENS_A_SECOND  # seconds of one answer
SILENCE_SECONDS = 5.0  # between two pieces of a stream: more is a cut


@dataclass
class Stream:
    """What one question saw, in seconds since it was asked; `turn` is when its wait in the line was over."""

    asked: float = 0.0
    first_event: float | None = None
    turn: float | None = None
    first_token: float | None = None
    ended: float | None = None
    places: list[int] = field(default_factory=list)
    tokens: int = 0
    longest_silence: float = 0.0
    outcome: str = "cut"
    grounded: bool = False  # otherwise the documents hold no answer, and no model was asked

    @property
    def pace(self) -> float:
        assert self.first_token is not None
        assert self.ended is not None
        return (self.tokens - 1) / (self.ended - self.first_token)

    @property
    def own(self) -> float:
        assert self.first_token is not None
        return self.first_token - (self.turn or 0.0) - FIRST_TOKEN_SECONDS


def main(options: argparse.Namespace) -> None:
    asked = [json.loads(line) for line in QUESTIONS.read_text("utf-8").splitlines()]
    questions = [one["question"] for one in asked if one["gold"]]
    with tempfile.TemporaryDirectory() as folder, _model(options.at_once) as url:
        models = json.dumps([{"provider": "ollama", "model": "qwen2.5:7b", "url": url}])
        environment = {"ASSISTANT_LLMS": models, "ASSISTANT_SERVER__CONCURRENT_ANSWERS": str(options.at_once)}
        with AssistantProcess(Path(folder) / "storage", **environment) as server:
            keys = _keys(server.storage, options.many)
            print(
                f"{os.cpu_count()} cores for the assistant, the model and the people; load before: {os.getloadavg()[0]:.1f}"
            )
            load = _Load(server, questions, keys)
            asyncio.run(load.run("first questions, not counted", 5, 5, 0.0, table=False))
            asyncio.run(
                load.run(f"{options.at_once} steady", options.at_once, options.at_once * options.rounds, LENGTH)
            )
            asyncio.run(load.run(f"{options.at_once} at once", options.at_once, options.at_once, 0.0))
            asyncio.run(load.run(f"{options.many} at once", options.many, options.many, 0.0))


class _Load:
    def __init__(self, server: AssistantProcess, questions: list[str], keys: list[str]) -> None:
        address = urlsplit(server.url)
        assert address.hostname
        assert address.port
        self._host, self._port = address.hostname, address.port
        self._process = psutil.Process(server.process.pid)
        self._questions, self._keys = questions, keys

    async def run(self, name: str, people: int, questions: int, spread: float, *, table: bool = True) -> None:
        """`people` ask `questions` in all, beginning within `spread` seconds."""
        left = iter(range(questions))
        start, before = time.perf_counter(), self._cpu()

        async def person(number: int) -> list[Stream]:
            await asyncio.sleep(spread * number / people)
            return [await self._ask(number, turn) for turn in left]

        found = [stream for streams in await asyncio.gather(*map(person, range(people))) for stream in streams]
        seconds = time.perf_counter() - start
        if table:
            _print(name, found, seconds, self._cpu() - before)

    def _cpu(self) -> float:
        used = self._process.cpu_times()
        return float(used.user + used.system)

    async def _ask(self, person: int, turn: int) -> Stream:
        stream = Stream()
        body = json.dumps({"question": self._questions[turn % len(self._questions)]}).encode()
        head = (
            f"POST /api/ask HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nAuthorization: Bearer {self._keys[person]}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        stream.asked = time.perf_counter()
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port, limit=1 << 20)
            writer.write(head.encode() + body)
            await _read(reader, stream)
            writer.close()
        except OSError as error:
            stream.outcome = f"{type(error).__name__}"
        return stream


async def _read(reader: asyncio.StreamReader, stream: Stream) -> None:
    status = (await reader.readline()).decode("latin-1").split(" ")
    if len(status) < 2 or status[1] != "200":
        stream.outcome = f"status {status[1:2]}"
        return
    event, last = "", time.perf_counter()
    while line := await reader.readline():
        now = time.perf_counter()
        if line.startswith(b"event: "):
            event = line[7:].strip().decode()
            stream.longest_silence = max(stream.longest_silence, now - last if stream.first_token else 0.0)
            last = now
            _note(stream, event, now - stream.asked)
        elif line.startswith(b"data: "):
            if event == "queued":
                stream.places.append(json.loads(line[6:])["place"])
            elif event == "finished":
                finished = json.loads(line[6:])
                kinds = {notice["kind"] for notice in finished["notices"]}
                stream.outcome = "broken off" if "broken_off" in kinds else "whole"
                stream.grounded = finished["grounded"]
            elif event == "error":
                stream.outcome = f"error {json.loads(line[6:])['title']}"


def _note(stream: Stream, event: str, at: float) -> None:
    stream.first_event = at if stream.first_event is None else stream.first_event
    if event == "step" and stream.places and stream.turn is None:
        stream.turn = at
    if event == "token":
        stream.tokens += 1
        stream.first_token = at if stream.first_token is None else stream.first_token
    if event == "finished":
        stream.ended = at


def _print(name: str, streams: list[Stream], seconds: float, cpu: float) -> None:
    whole = [one for one in streams if one.outcome == "whole" and one.first_token is not None and one.ended is not None]
    others = sorted({one.outcome for one in streams if one.outcome != "whole"})
    queued = [one for one in streams if one.places]
    down = sum(one.places == sorted(one.places, reverse=True) for one in queued)
    silent = sum(one.longest_silence > SILENCE_SECONDS for one in streams)
    print(f"\n{name}: {len(streams)} questions in {seconds:.1f} s, the assistant's CPU {cpu:.1f} s")
    print(
        f"  whole {len(whole)}, others {len(streams) - len(whole)} {others or ''}, "
        f"silent for {SILENCE_SECONDS:g} s {silent}, "
        f"no answer in the documents {sum(not one.grounded for one in whole)}"
    )
    if queued:
        at_first = max(one.places[0] for one in queued)
        print(f"  queued {len(queued)}: longest line {at_first}, of them moving up only {down}")
    _row("time to the first event", [(one.first_event or 0) * 1000 for one in whole])
    direct = [one for one in whole if one.grounded and not one.places]
    _row("time to the first token", [(one.first_token or 0) * 1000 for one in direct])
    _row("  of which the assistant's own", [one.own * 1000 for one in direct])
    waited = [one for one in whole if one.grounded and one.turn is not None]
    _row("from the turn to the first token", [(one.own + FIRST_TOKEN_SECONDS) * 1000 for one in waited])
    _row("the wait for the turn", [(one.turn or 0) * 1000 for one in waited])
    _row("tokens a second in one stream", [one.pace for one in whole if one.grounded])
    _row("longest silence in a stream", [one.longest_silence * 1000 for one in whole])


def _row(name: str, values: list[float]) -> None:
    if values:
        found = sorted(values)
        p95 = found[min(len(found) - 1, int(len(found) * 0.95))]
        print(f"  {name:34} p50 {statistics.median(found):9.1f}   p95 {p95:9.1f}   max {found[-1]:9.1f}")


@contextmanager
def _model(parallel: int) -> Iterator[str]:
    """The scripted Ollama server, a process of its own."""
    pace = ["--tokens-per-second", str(TOKENS_A_SECOND), "--first-token-seconds", str(FIRST_TOKEN_SECONDS)]
    command = [sys.executable, "-m", "tests.servers.ollama", *pace, "--parallel", str(parallel)]
    process = subprocess.Popen(
        [*command, "--script", json.dumps({"answer": ANSWER})], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


def _keys(storage: Path, people: int) -> list[str]:
    """A token for each of so many people, who may read everything and never use a password."""
    database = Database(f"sqlite:///{storage / 'assistant.db'}")
    names = [f"person {number}" for number in range(people)]
    with database.transaction() as session:
        for name in names:
            row = UserRow(id=secrets.token_hex(10), name=name, password_hash="-", created_at=datetime.now(UTC))
            row.roles, row.departments, row.level = ["user"], ["*"], 9
            session.add(row)
    tokens = Tokens(database, Audit(database, storage / "audit"))
    keys = [tokens.create(name, "load", days=1)[1] for name in names]
    database.close()
    return keys


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-once", type=int, default=50, help="answers that stream at once")
    parser.add_argument("--many", type=int, default=200, help="people who ask in the same moment in the last part")
    parser.add_argument("--rounds", type=int, default=4, help="questions of each person in the steady part")
    main(parser.parse_args())
