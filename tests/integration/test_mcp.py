"""`assistant mcp`, a process of its own, asked by the official SDK's client over stdin and stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import TextContent

from assistant.wiring import build
from tests.integration import company
from tests.integration.sample import FAST, MODEL
from tests.servers.ollama import ScriptedOllama

pytestmark = pytest.mark.server
PRICES = "Какая скидка без согласования?"


class Place:
    """A loaded storage with accounts, and the environment of a process over it."""

    def __init__(self, folder: Path, ollama: ScriptedOllama) -> None:
        self.folder, self.ollama = folder, ollama
        llm = {"provider": "ollama", "model": MODEL, "url": ollama.url}
        values = {
            "STORAGE__PATH": str(folder / "storage"),
            "CHROMA__PORT": "0",
            "EMBEDDING": json.dumps({"provider": "hash"}),
            "LLMS": json.dumps([llm]),
        }
        self.environment = {**os.environ, **{f"ASSISTANT_{name}": value for name, value in values.items()}}

    def users(self, *commands: tuple[str, ...]) -> None:
        with build(company.settings(self.folder / "storage")) as assistant:
            for name, *departments in commands:
                assistant.users.add(name, "correct horse", roles=[], departments=departments, level=1)

    def command(self, *arguments: str) -> StdioServerParameters:
        return StdioServerParameters(
            command=sys.executable, args=["-m", "assistant", "mcp", *arguments], env=self.environment, cwd=self.folder
        )

    @asynccontextmanager
    async def client(self, *arguments: str) -> AsyncIterator[Client]:
        async with Client(self.command(*arguments), read_timeout_seconds=120) as client:
            yield client


@pytest.fixture
def mcp(place: Path) -> Iterator[Place]:
    with ScriptedOllama(FAST) as ollama:
        found = Place(place, ollama)
        found.users(("staff",), ("seller", "sales"))
        yield found


async def called(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    (text,) = result.content
    assert isinstance(text, TextContent)
    assert json.loads(text.text) == result.structured_content, "clients that know no structured output read the same"
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    (text,) = result.content
    assert isinstance(text, TextContent)
    return text.text


async def test_search_and_ask_with_the_rights_of_the_person(mcp: Place) -> None:
    async with mcp.client("--as", "seller") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"search", "ask"}
        for tool in tools.values():
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint
            assert tool.description
        found = await called(client, "search", query=PRICES, k=3)
        assert (found["results"][0]["source"], len(found["results"])) == ("sales/prices.md", 3)
        answer = await called(client, "ask", question=PRICES)
        assert (answer["model"], answer["grounded"], answer["citations"][0]["title"]) == (MODEL, True, "Цены")
        assert f"[{answer['citations'][0]['n']}]" in answer["answer"]
    async with mcp.client("--as", "staff") as client:
        found = await called(client, "search", query=PRICES, k=50)
        assert {result["department"] for result in found["results"]} == {"company"}
        answer = await called(client, "ask", question=PRICES)
        assert "процентов" not in answer["answer"]


async def test_what_goes_wrong_is_a_sentence_and_the_next_call_works(mcp: Place) -> None:
    mcp.ollama.change(models=())
    async with mcp.client("--operator") as client:
        away = await refused(client, "ask", question=PRICES)
        assert "Языковая модель не отвечает" in away
        assert mcp.ollama.url not in away
        assert "question is empty" in await refused(client, "ask", question=" \n ")
        assert "too long" in await refused(client, "search", query="x" * 5000)
        assert "less than or equal to 50" in await refused(client, "search", query=PRICES, k=51)
        assert (await called(client, "search", query=PRICES))["results"]


@pytest.mark.parametrize("how", ["remove", "disable"])
async def test_a_right_that_is_taken_away_is_away_at_once(mcp: Place, how: str) -> None:
    async with mcp.client("--as", "seller") as client:
        assert (await called(client, "search", query=PRICES))["results"][0]["department"] == "sales"
        with build(company.settings(mcp.folder / "storage")) as assistant:
            getattr(assistant.users, how)("seller")
        assert await refused(client, "search", query=PRICES)


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        ((), "say whose documents", 2),
        (("--as", "staff", "--operator"), "say whose documents", 2),
        (("--as", "nobody"), "there is no user 'nobody'", 1),
    ],
)
def test_nobody_is_given_everything_unasked(mcp: Place, arguments: tuple[str, ...], said: str, code: int) -> None:
    command = mcp.command(*arguments)
    done = subprocess.run(
        [command.command, *command.args],
        env=mcp.environment,
        cwd=mcp.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_nothing_but_the_protocol_is_on_stdout(mcp: Place) -> None:
    """Also while models are loaded and documents are searched for the first time."""
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    call = {"name": "ask", "arguments": {"question": PRICES}}
    command = mcp.command("--operator")
    process = subprocess.Popen(
        [command.command, *command.args],
        env=mcp.environment,
        cwd=mcp.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for message in (
            {"id": 1, "method": "initialize", "params": hello},
            {"method": "notifications/initialized"},
            {"id": 2, "method": "tools/call", "params": call},
        ):
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()
        lines = []
        while not lines or lines[-1].get("id") != 2:
            lines.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        lines += [json.loads(line) for line in process.stdout]
        assert process.wait(30) == 0, "it ends when its client does"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert all(line["jsonrpc"] == "2.0" for line in lines)
    assert lines[-1]["result"]["structuredContent"]["grounded"] is True
