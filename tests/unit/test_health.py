"""Health: a part that hangs or fails is named, and holds neither the others nor the end of the program."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from assistant.operations import health
from assistant.operations.health import PartHealth, examine

PARTS = ("storage", "database", "chroma", "access", "limits", "access_verified", "bm25", "embedding", "reranker", "ocr")


class Model:
    name = "ollama/same"

    def __init__(self, ok: bool) -> None:
        self._status = SimpleNamespace(ok=ok, detail="loaded" if ok else "away", version="1")

    async def status(self) -> SimpleNamespace:
        return self._status


@pytest.fixture
def assistant(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """All parts well, but one may be replaced."""
    for part in PARTS:
        monkeypatch.setattr(health, f"_{part}", lambda _, part=part: PartHealth(part, "ok", "well"))
    return SimpleNamespace(
        chain=SimpleNamespace(models=[]), settings=SimpleNamespace(llms=[]), accounts=SimpleNamespace(ways=())
    )


def states(assistant: SimpleNamespace) -> dict[str, tuple[str, str]]:
    return {part.name: (part.state, part.detail) for part in asyncio.run(examine(assistant)).parts}


def test_a_part_that_hangs_is_asked_once(assistant: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    thawed, asked = threading.Event(), []

    def hang(_: object) -> PartHealth:
        asked.append(threading.current_thread())
        thawed.wait(30)
        return PartHealth("chroma", "ok", "well")

    monkeypatch.setattr(health, "_SECONDS", 0.2)
    monkeypatch.setattr(health, "_chroma", hang)
    assert states(assistant)["chroma"] == ("down", "no answer in 0 s")
    begun = time.monotonic()
    for _ in range(3):
        assert states(assistant)["chroma"] == ("down", "no answer for 0 s")
    assert (len(asked), asked[0].daemon) == (1, True)
    assert states(assistant)["database"] == ("ok", "well")
    assert time.monotonic() - begun < 1, "asyncio.run waits for the threads of to_thread"
    thawed.set()
    asked[0].join(5)
    assert states(assistant)["chroma"] == ("ok", "well")


def test_a_part_that_fails_unexpectedly_is_down_and_the_others_are_seen(
    assistant: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> PartHealth:
        raise RuntimeError("out of luck\nand more")

    monkeypatch.setattr(health, "_embedding", fail)
    found = states(assistant)
    assert found["embedding"] == ("down", "RuntimeError: out of luck")
    assert {state for name, (state, _) in found.items() if name != "embedding"} == {"ok"}


def test_two_models_of_one_name_are_two_parts(assistant: SimpleNamespace) -> None:
    assistant.chain.models = [Model(ok=False), Model(ok=True)]
    checks = asyncio.run(examine(assistant)).as_json()["checks"]
    assert {name: checks[name]["state"] for name in checks if name.startswith("llm")} == {
        "llm ollama/same": "degraded",
        "llm ollama/same (2)": "ok",
    }


def test_a_program_ends_while_a_check_hangs() -> None:
    code = """
import asyncio, time
from assistant.operations.background import Background
async def look():
    async with asyncio.timeout(0.1):
        await Background().run("frozen", lambda: time.sleep(60))
try: asyncio.run(look())
except TimeoutError: print("late")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "late\n", "")
