"""The scripted Ollama server, driven by the real clients: `ollama` and `llama_index.llms.ollama`."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import ollama
import pytest
from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.llms.ollama import Ollama

from tests.servers.ollama import ScriptedOllama
from tests.servers.ollama_script import MESSAGE_TOKENS, Message, Script, count_tokens, fit, read_passages

MODEL = "qwen2.5:7b"
FAST = Script(first_token_seconds=0.0, tokens_per_second=0.0)
LONG = replace(FAST, tokens_per_second=100.0, answer="слово " * 2000)
QUESTION = """Ответь по отрывкам.

[1] Положение об отпусках, стр. 3
Отпуск длится 28 календарных дней. Его можно делить.

[2] Положение о премиях, стр. 1
Премия платится в мае. Размер решает директор.

Вопрос: Сколько длится отпуск?"""
CITED = "Согласно документам: Отпуск длится 28 календарных дней [1]. Кроме того: Премия платится в мае [2]."


@pytest.fixture(scope="module")
def running() -> Iterator[ScriptedOllama]:
    with ScriptedOllama(FAST) as server:
        yield server


@pytest.fixture
def server(running: ScriptedOllama) -> ScriptedOllama:
    """The module's server with the fast script and no records of earlier tests."""
    running.script = FAST
    httpx.delete(f"{running.url}/requests")
    return running


def _client(server: ScriptedOllama) -> ollama.Client:
    return ollama.Client(host=server.url)


def _llm(server: ScriptedOllama, model: str = MODEL, context_window: int = 4096, **options: object) -> Ollama:
    return Ollama(model=model, base_url=server.url, context_window=context_window, additional_kwargs=options)


def _user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


async def _read(llm: Ollama, text: str = QUESTION) -> list[tuple[str, dict[str, object]]]:
    stream = await llm.astream_chat([ChatMessage(role=MessageRole.USER, content=text)])
    return [(part.delta or "", dict(part.raw or {})) async for part in stream]


def test_it_tells_what_ollama_tells_about_itself(server: ScriptedOllama) -> None:
    assert httpx.get(server.url).text == "Ollama is running"
    assert httpx.head(f"{server.url}/api/version").status_code == httpx.head(server.url).status_code == 200
    assert httpx.get(f"{server.url}/api/version").json() == {"version": FAST.version}
    listed = _client(server).list()["models"][0]
    assert (listed["model"], listed["size"] > 1e9, len(listed["digest"])) == (MODEL, True, 64)
    assert (listed["details"]["family"], listed["details"]["parameter_size"]) == ("qwen2", "7B")
    shown = _client(server).show(MODEL)
    assert shown["modelinfo"].items() >= {"general.architecture": "qwen2", "qwen2.context_length": 32768}.items()
    assert shown["capabilities"] == ["completion", "tools"]
    assert "<|im_start|>" in shown["template"]
    assert httpx.post(f"{server.url}/api/show", json={"model": "нет"}).json() == {"error": "model 'нет' not found"}


def test_ps_shows_a_model_only_after_its_use_and_with_its_context(server: ScriptedOllama) -> None:
    client = _client(server)
    client.generate(MODEL, keep_alive=0)
    assert not client.ps().models
    server.change(gpu_share=0.5)
    client.chat(MODEL, _user("?"), options={"num_ctx": 2048})
    loaded = client.ps()["models"][0]
    assert (loaded["model"], loaded["context_length"]) == (MODEL, 2048)
    assert loaded["size_vram"] == loaded["size"] // 2


def test_a_stream_has_ollamas_lines(server: ScriptedOllama) -> None:
    answer = httpx.post(f"{server.url}/api/chat", json={"model": MODEL, "messages": _user(QUESTION)})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert "Сог" in answer.text, "Cyrillic must be raw UTF-8"
    *parts, last = [json.loads(line) for line in answer.text.splitlines()]
    assert set(parts[0]) == {"model", "created_at", "message", "done"}
    assert all(part["done"] is False and part["message"]["role"] == "assistant" for part in parts)
    assert "".join(part["message"]["content"] for part in parts) == CITED
    assert (last["done"], last["done_reason"], last["message"]["content"]) == (True, "stop", "")
    assert last["eval_count"] == len(parts)
    assert last["prompt_eval_count"] == count_tokens(QUESTION) + MESSAGE_TOKENS
    assert last["total_duration"] >= last["eval_duration"] > 0 <= last["load_duration"]


def test_generate_and_whole_answers(server: ScriptedOllama) -> None:
    client = _client(server)
    whole = client.generate(MODEL, QUESTION)
    assert (whole.response, whole.done, whole.done_reason) == (CITED, True, "stop")
    assert "".join(part.response or "" for part in client.generate(MODEL, QUESTION, stream=True)) == CITED
    assert client.chat(MODEL, _user(QUESTION)).message.content == CITED
    assert client.chat(MODEL, []).done_reason == "load"


async def test_tokens_arrive_in_pieces_over_time(server: ScriptedOllama) -> None:
    server.change(first_token_seconds=0.05, tokens_per_second=100.0)
    stream = await _llm(server).astream_chat([ChatMessage(role=MessageRole.USER, content=QUESTION)])
    arrived = [time.perf_counter() async for _ in stream]
    assert len(arrived) > 20
    assert arrived[-1] - arrived[0] > 0.1
    assert len({round(moment, 2) for moment in arrived}) > 5, "they must not come all at once"


def test_llama_index_streams_and_its_context_window_arrives(server: ScriptedOllama) -> None:
    parts = list(_llm(server, context_window=3000).stream_chat([ChatMessage(role="user", content=QUESTION)]))
    assert (parts[-1].message.content, server.requests[-1].body["options"]["num_ctx"]) == (CITED, 3000)


async def test_a_prompt_over_num_ctx_is_cut_silently(server: ScriptedOllama) -> None:
    long = "лишнее слово " * 2000 + "Вопрос: Что осталось?"
    assert count_tokens(long) > 8000
    raw = (await _read(_llm(server, context_window=1024), long))[-1][1]
    assert raw["prompt_eval_count"] == 1024
    record = server.requests[-1]
    assert record.sent_prompt_tokens == count_tokens(long) + MESSAGE_TOKENS
    assert record.as_json()["prompt"][-1]["content"].endswith("Что осталось?")
    without = httpx.post(f"{server.url}/api/chat", json={"model": MODEL, "messages": _user(long), "stream": False})
    assert without.json()["prompt_eval_count"] == 4096, "Ollama's default context"


def test_the_cut_drops_old_messages_first_and_keeps_the_system_message() -> None:
    system, old, last = Message("system", "s" * 40), Message("user", "o" * 400), Message("user", "l" * 400)
    kept = fit([system, old, last], 130)
    assert kept.messages == (system, last)
    assert kept.tokens == 10 + 100 + 2 * MESSAGE_TOKENS
    tighter = fit([system, old, last], 60)
    assert (tighter.messages, tighter.tokens) == ((Message("user", "l" * 220),), 60)
    assert fit([last], 60, "half").tokens == 4 + 56 // 2


async def test_num_predict_ends_the_answer_early(server: ScriptedOllama) -> None:
    parts = await _read(_llm(server, num_predict=5))
    assert (parts[-1][1]["done_reason"], parts[-1][1]["eval_count"]) == ("length", 5)
    assert CITED.startswith("".join(delta for delta, _ in parts))


async def test_a_missing_model_is_404(server: ScriptedOllama) -> None:
    with pytest.raises(ollama.ResponseError, match="model 'нет' not found") as caught:
        await _read(_llm(server, model="нет"))
    assert caught.value.status_code == 404


async def test_an_error_line_within_the_stream(server: ScriptedOllama) -> None:
    server.change(error_after_tokens=3)
    with pytest.raises(ollama.ResponseError, match="an error was encountered") as caught:
        await _read(_llm(server))
    assert caught.value.status_code == -1
    assert (server.requests[-1].outcome, server.requests[-1].tokens) == ("error", 3)


@pytest.mark.parametrize("tokens", [0, 3])
async def test_a_cut_connection(server: ScriptedOllama, tokens: int) -> None:
    server.change(cut_after_tokens=tokens)
    with pytest.raises(httpx.RemoteProtocolError):
        await _read(_llm(server))
    server.wait_for(lambda record: record.outcome == "cut" and record.tokens == tokens)


async def test_a_silent_end_has_no_done_part(server: ScriptedOllama) -> None:
    server.change(silent_end_after_tokens=3)
    parts = await _read(_llm(server))
    assert [raw["done"] for _, raw in parts] == [False, False, False]


async def test_garbage_out_of_memory_and_status_faults(server: ScriptedOllama) -> None:
    server.change(garbage_after_tokens=2)
    with pytest.raises(json.JSONDecodeError):
        await _read(_llm(server))
    server.script = replace(FAST, out_of_memory=True)
    with pytest.raises(ollama.ResponseError, match=r"requires more system memory \(.+\) than is available"):
        await _read(_llm(server))
    server.script = replace(FAST, fail_status=500, fail_message="boom", faults_for=1)
    with pytest.raises(ollama.ResponseError, match="boom"):
        await _read(_llm(server))
    assert (await _read(_llm(server)))[-1][1]["done"] is True, "one faulty request was asked for"


async def test_stopping_the_stream_stops_the_model(server: ScriptedOllama) -> None:
    server.script = LONG
    stream = await _llm(server).astream_chat([ChatMessage(role=MessageRole.USER, content=QUESTION)])
    async for _ in stream:
        if server.requests[-1].tokens >= 3:
            break
    await stream.aclose()
    record = await asyncio.to_thread(server.wait_for, lambda one: one.disconnected)
    made = record.tokens
    await asyncio.sleep(0.05)
    assert 3 <= made == record.tokens


async def test_a_client_that_leaves_before_the_first_token_is_noticed(server: ScriptedOllama) -> None:
    server.change(hang_before_first_token=True)
    with pytest.raises(httpx.ReadTimeout):
        await _read(Ollama(model=MODEL, base_url=server.url, context_window=4096, request_timeout=0.1))
    assert (await asyncio.to_thread(server.wait_for, lambda one: one.disconnected)).tokens == 0


async def test_parallel_requests_wait_and_a_full_queue_is_503(server: ScriptedOllama) -> None:
    server.change(parallel=1, max_queue=1, hang_before_first_token=True, faults_for=1)
    first = asyncio.create_task(_read(_llm(server)))
    held = await asyncio.to_thread(server.wait_for, lambda one: one.prompt is not None)
    second = asyncio.create_task(_read(_llm(server)))
    waiting = await asyncio.to_thread(server.wait_for, lambda one: one is not held and one.body)
    with pytest.raises(ollama.ResponseError, match="server busy, please try again.  maximum pending") as caught:
        await _read(_llm(server))
    assert caught.value.status_code == 503
    first.cancel()
    assert (await second)[-1][1]["done"] is True, "the place of the one that left is free"
    assert waiting.queued > 0


async def test_thinking_is_refused_or_streamed_apart(server: ScriptedOllama) -> None:
    client = ollama.AsyncClient(host=server.url)
    with pytest.raises(ollama.ResponseError, match="does not support thinking"):
        await client.chat(MODEL, _user("?"), think=True)
    server.change(capabilities=("completion", "thinking"), thinking="Думаю.", answer="Готово.")
    message = (await client.chat(MODEL, _user("?"))).message
    assert (message.thinking, message.content) == ("Думаю.", "Готово.")


def test_the_script_and_the_requests_over_http(server: ScriptedOllama) -> None:
    shown = httpx.post(f"{server.url}/script", json={"answer": "Иначе.", "models": ["a:1b", MODEL]}).json()
    assert (shown["answer"], server.script.models) == ("Иначе.", ("a:1b", MODEL))
    assert _client(server).chat("a:1b", _user("?")).message.content == "Иначе."
    assert httpx.post(f"{server.url}/script", json={"wrong": 1}).status_code == 400
    (seen,) = httpx.get(f"{server.url}/requests").json()
    assert (seen["path"], seen["body"]["model"], seen["status"], seen["outcome"]) == ("/api/chat", "a:1b", 200, "done")
    assert httpx.delete(f"{server.url}/script").json()["models"] == [MODEL]
    assert [httpx.post(f"{server.url}/api/chat", content=raw).status_code for raw in ("", "{", "[]")] == [400] * 3


def test_answers_follow_the_prompt(server: ScriptedOllama) -> None:
    client = _client(server)
    english = "**[4]** Leave\nLeave is 28 days. More.\n\n**Question:**\nHow long is leave?\n\nAnswer:"
    assert client.chat(MODEL, _user(english)).message.content == "According to the documents: Leave is 28 days [4]."
    assert client.chat(MODEL, _user("Вопрос: Кто?")).message.content == "В документах нет ответа на этот вопрос."
    assert read_passages(english) == ([(4, "Leave is 28 days. More.")], "How long is leave?")
    server.change(answer="echo")
    assert client.chat(MODEL, _user("эхо")).message.content == "эхо"
    server.change(answer=lambda prompt: f"{len(prompt.messages)} сообщение")
    assert client.chat(MODEL, _user("?")).message.content == "1 сообщение"


async def test_two_hundred_streams_keep_their_pace(server: ScriptedOllama) -> None:
    server.change(parallel=200, tokens_per_second=30.0, answer="а б в г д е ё ж з и й к л м н о")
    body = json.dumps({"model": MODEL, "messages": _user("?")}).encode()
    head = f"POST /api/chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"

    async def stream() -> dict[str, int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        writer.write(head.encode() + body)
        last: dict[str, int] = json.loads([part for part in (await reader.read()).splitlines() if part[:1] == b"{"][-1])
        writer.close()
        return last

    ends = await asyncio.gather(*(stream() for _ in range(200)))
    assert {end["eval_count"] for end in ends} == {16}
    assert all(0.45e9 < end["eval_duration"] < 2e9 for end in ends), "15 pauses of 1/30 s are half a second"


def test_stopping_the_server_ends_open_streams() -> None:
    with ScriptedOllama(LONG) as server:
        url, stream = server.url, _client(server).chat(MODEL, _user("?"), stream=True)
        next(iter(stream))
    with pytest.raises(httpx.TransportError):
        list(stream)
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_as_a_process_it_prints_its_url_and_ends_on_sigterm() -> None:
    command = [sys.executable, "-m", "tests.servers.ollama", "--port", "0", "--script", '{"answer": "Да."}']
    with subprocess.Popen([*command, "--first-token-seconds", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert ollama.Client(host=url).chat(MODEL, _user("?")).message.content == "Да."
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
