"""Load on a running server with the sample company: `make load`. Prints figures, asserts nothing.

Searches one after another (how long one takes), then people who ask at once, answered by a scripted Ollama server at
30 tokens a second: time until the first token, of which the assistant's own share is what the model did not take.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from tests.servers.assistant_process import AssistantProcess
from tests.servers.ollama import ScriptedOllama
from tests.servers.ollama_script import Script

QUESTIONS = Path(__file__).resolve().parents[2] / "data" / "eval" / "questions.jsonl"
FIRST_TOKEN_SECONDS = 0.1


def main(searches: int, people: int) -> None:
    questions = [json.loads(line)["question"] for line in QUESTIONS.read_text("utf-8").splitlines()]
    script = Script(tokens_per_second=30, first_token_seconds=FIRST_TOKEN_SECONDS, parallel=people, max_queue=people)
    with tempfile.TemporaryDirectory() as folder, ScriptedOllama(script) as ollama:
        models = json.dumps([{"provider": "ollama", "model": "qwen2.5:7b", "url": ollama.url}])
        with AssistantProcess(Path(folder) / "storage", ASSISTANT_LLMS=models) as server:
            print(f"ready after {server.ready_seconds:.1f} s, with the documents loaded for the first time")
            asyncio.run(_measure(server, questions, searches, people))


async def _measure(server: AssistantProcess, questions: list[str], searches: int, people: int) -> None:
    limits = httpx.Limits(max_connections=people + 1)
    async with httpx.AsyncClient(
        base_url=server.url, headers={"origin": server.url}, limits=limits, timeout=120
    ) as client:
        form = {"name": "admin", "password": server.password}
        assert (await client.post("/login", data=form)).status_code == 303, "the sign-in was refused"
        whole, inside = [], []
        for number in range(searches):
            start = time.perf_counter()
            body = {"query": questions[number % len(questions)]}
            response = await client.post("/api/search", json=body)
            whole.append((time.perf_counter() - start) * 1000)
            timings = response.raise_for_status().json()["timings_ms"]
            side_by_side = max(timings["sparse"], timings["embed"] + timings["dense"])
            inside.append(side_by_side + timings["fuse"] + timings["check"])
        _row(f"{searches} searches, over HTTP", whole, "ms")
        _row(f"{searches} searches, inside the server", inside, "ms")
        asked = [questions[number % len(questions)] for number in range(people)]
        answers = await asyncio.gather(*(_ask(client, question) for question in asked))
        answered = [answer for answer in answers if answer["first"] is not None]
        _row(f"{people} people at once, first token", [answer["first"] * 1000 for answer in answered], "ms")
        own = [(answer["first"] - FIRST_TOKEN_SECONDS) * 1000 for answer in answered if answer["grounded"]]
        _row("  of which the assistant's own", own, "ms")
        _row("  whole answer", [answer["whole"] for answer in answers], "s ")
        print(f"  without an answer: {len(answers) - len(answered)}")


async def _ask(client: httpx.AsyncClient, question: str) -> dict[str, Any]:
    start = time.perf_counter()
    first, grounded, event = None, False, ""
    async with client.stream("POST", "/api/ask", json={"question": question}) as response:
        async for line in response.aiter_lines():
            event = line.removeprefix("event: ") if line.startswith("event: ") else event
            if event == "token" and first is None:
                first = time.perf_counter() - start
            if event == "finished" and line.startswith("data: "):
                grounded = json.loads(line.removeprefix("data: "))["grounded"]
    return {"first": first, "whole": time.perf_counter() - start, "grounded": grounded}


def _row(name: str, values: Iterable[float], unit: str) -> None:
    found = sorted(values)
    if len(found) > 1:
        p95 = found[min(len(found) - 1, int(len(found) * 0.95))]
        print(
            f"{name:42} p50 {statistics.median(found):8.1f} {unit}   p95 {p95:8.1f} {unit}   max {found[-1]:8.1f} {unit}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=300)
    parser.add_argument("--people", type=int, default=50)
    options = parser.parse_args()
    main(options.searches, options.people)
