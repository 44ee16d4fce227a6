"""When a language model's server fails: before the first token the next one answers, in the middle the text stays."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.ask.events import Notice, Sources
from assistant.errors import ModelUnavailable
from assistant.parts.llms import EXTRACTIVE
from tests.integration.sample import (
    FAST,
    LEAVE,
    LEAVE_EN,
    MODEL,
    answering,
    ask,
    ending,
    model,
    notices,
    sources,
)
from tests.servers.ollama import ScriptedOllama

pytestmark = pytest.mark.server
SMALL = "qwen2.5:1.5b"
BUSY = "server busy, please try again.  maximum pending requests exceeded"
# What happens before the first token, and what the person who runs it is told to do.
BEFORE: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"models": ()}, f"ollama pull {MODEL}"),
    "memory": ({"out_of_memory": True}, "configure a smaller model"),
    "busy": ({"fail_status": 503, "fail_message": BUSY}, "ask again in a minute"),
    "broken": ({"fail_status": 500, "fail_message": "llama runner process has terminated"}, "see that server's log"),
    "hang": ({"hang_before_first_token": True}, "raise llms.first_token_seconds"),
    "cut": ({"cut_after_tokens": 0}, "see that server's log"),
    "silent": ({"silent_end_after_tokens": 0}, "ended early"),
    "garbage": ({"garbage_after_tokens": 0}, "see that server's log"),
    "not ollama": ({"fail_status": 502, "fail_message": "<html>Bad gateway</html>"}, "see that server's log"),
}
MIDWAY: dict[str, dict[str, Any]] = {
    "cut": {"cut_after_tokens": 6},
    "silent": {"silent_end_after_tokens": 6},
    "error": {"error_after_tokens": 6},
    "garbage": {"garbage_after_tokens": 6},
}


@pytest.fixture
def server() -> Iterator[ScriptedOllama]:
    with ScriptedOllama(FAST) as server:
        yield server


@pytest.fixture
def second() -> Iterator[ScriptedOllama]:
    with ScriptedOllama(FAST) as server:
        server.change(models=(SMALL,))
        yield server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def asked(server: ScriptedOllama) -> int:
    return sum(record.path == "/api/chat" for record in server.requests)


@pytest.mark.parametrize("fault", BEFORE)
async def test_the_next_model_answers(sample: Path, server: ScriptedOllama, second: ScriptedOllama, fault: str) -> None:
    change, advice = BEFORE[fault]
    server.change(**change)
    first = model(server, first_token_seconds=0.3 if fault == "hang" else 5.0)
    with answering(sample, first, model(second, model=SMALL)) as assistant:
        events = await ask(assistant, LEAVE)
    finished = ending(events)
    assert (finished.model, finished.grounded, list(notices(finished))) == (SMALL, True, ["fallback"])
    reason = notices(finished)["fallback"]
    assert advice in reason
    assert MODEL in reason
    assert server.url in reason
    assert "Traceback" not in reason
    assert "\n" not in reason
    assert events.index(finished.notices[0]) < events.index(next(e for e in events if isinstance(e, Sources)))
    assert (asked(server), asked(second)) == (1, 1)


@pytest.mark.parametrize("fault", BEFORE)
async def test_without_another_model_sentences_are_quoted(sample: Path, server: ScriptedOllama, fault: str) -> None:
    change, advice = BEFORE[fault]
    server.change(**change)
    with answering(sample, model(server, first_token_seconds=0.3 if fault == "hang" else 5.0)) as assistant:
        events = await ask(assistant, LEAVE)
    finished = ending(events)
    assert (finished.model, finished.grounded, list(notices(finished))) == (EXTRACTIVE, True, ["extractive"])
    assert advice in notices(finished)["extractive"]
    assert "28" in finished.answer
    assert set(finished.cited) == set(sources(events)) != set()


@pytest.mark.parametrize("question", [LEAVE, LEAVE_EN])
async def test_where_nobody_listens(sample: Path, second: ScriptedOllama, question: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with answering(sample, model(url)) as assistant:
        quoted = ending(await ask(assistant, question))
    assert quoted.model == EXTRACTIVE
    assert f"no language model server answers at {url}: start it, or correct llms.url" in notices(quoted)["extractive"]
    with answering(sample, model(url), model(second, model=SMALL)) as assistant:
        assert ending(await ask(assistant, question)).model == SMALL


async def test_all_models_are_named_when_quoting_is_off(sample: Path, server: ScriptedOllama) -> None:
    server.change(out_of_memory=True)
    url = f"http://127.0.0.1:{free_port()}"
    refused = pytest.raises(ModelUnavailable, match=rf"{url}: start it.*; {MODEL} .* short of memory")
    with answering(sample, model(url, model="a"), model(server), quotes=False) as assistant, refused as caught:
        await ask(assistant, LEAVE)
    assert caught.value.retryable


@pytest.mark.parametrize("fault", MIDWAY)
async def test_what_was_said_stays_when_the_model_breaks_off(
    sample: Path, server: ScriptedOllama, second: ScriptedOllama, fault: str
) -> None:
    server.change(answer="Отпуск 28 дней [1]. Потом тишина [2] и ещё слова.", **MIDWAY[fault])
    with answering(sample, model(server), model(second, model=SMALL)) as assistant:
        events = await ask(assistant, LEAVE)
        server.change(**{name: None for name in MIDWAY[fault]})
        again = ending(await ask(assistant, LEAVE))
    finished = ending(events)
    assert finished.answer == "Отпуск 28 дней", "without the half of a marker"
    assert (finished.model, list(notices(finished))) == (MODEL, ["broken_off"])
    assert MODEL in notices(finished)["broken_off"]
    assert isinstance(events[-2], Notice), "after the text, right before the end"
    assert asked(second) == 0, "a half answer is not answered a second time"
    assert (again.model, again.notices) == (MODEL, ()), "one that broke off is asked again"


async def test_a_model_that_falls_silent_midway_is_given_up(sample: Path, server: ScriptedOllama) -> None:
    server.change(tokens_per_second=1.0, answer="Отпуск 28 дней")
    with answering(sample, model(server, token_seconds=0.3)) as assistant:
        finished = ending(await ask(assistant, LEAVE))
        await asyncio.to_thread(server.wait_for, lambda record: record.disconnected)
    assert finished.answer.startswith("Отп")
    assert "sent nothing for 0.3 s" in notices(finished)["broken_off"]
    assert "llms.token_seconds" in notices(finished)["broken_off"]


async def test_a_dead_model_costs_its_timeout_once(sample: Path, server: ScriptedOllama) -> None:
    server.change(hang_before_first_token=True)
    with answering(sample, model(server, first_token_seconds=0.5), retry_seconds=1.0) as assistant:
        first = ending(await ask(assistant, LEAVE))
        start = time.monotonic()
        rest = [ending(found) for found in await asyncio.gather(*(ask(assistant, LEAVE) for _ in range(5)))]
        assert time.monotonic() - start < 0.9
        assert asked(server) == 1
        assert [notices(one) for one in rest] == [notices(first)] * 5, "the reason stands while it rests"
        await asyncio.sleep(max(0.0, start + 1.05 - time.monotonic()))
        server.change(hang_before_first_token=False)
        assert ending(await ask(assistant, LEAVE)).model == MODEL
        assert asked(server) == 2
        assert ending(await ask(assistant, LEAVE)).notices == ()


async def test_a_server_that_appears_is_used_by_itself(sample: Path) -> None:
    port = free_port()
    with answering(sample, model(f"http://127.0.0.1:{port}"), retry_seconds=0.2) as assistant:
        assert ending(await ask(assistant, LEAVE)).model == EXTRACTIVE
        with ScriptedOllama(FAST, port=port):
            await asyncio.sleep(0.25)
            found = ending(await ask(assistant, LEAVE))
            assert (found.model, found.notices) == (MODEL, ())
        assert ending(await ask(assistant, LEAVE)).model == EXTRACTIVE, "and it may go again"


async def test_status_says_what_health_needs(sample: Path, server: ScriptedOllama) -> None:
    with answering(sample, model(server), model(server, model="нет:1b"), model("http://127.0.0.1:9")) as assistant:
        found = [await one.status() for one in assistant.chain.models]
    assert [one.ok for one in found] == [True, False, False]
    assert found[0].version == server.script.version
    assert "ollama pull нет:1b" in found[1].detail
    assert "http://127.0.0.1:9" in found[2].detail
