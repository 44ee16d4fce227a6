"""One answer of the scripted Ollama server: the queue, the pace of tokens, the faults, the lines on the wire."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.servers.ollama_script import Message, Script, fit, split_pieces
from tests.servers.ollama_wire import Gone, Link, Record, Refusal, dumps, now

_BUSY = "server busy, please try again.  maximum pending requests exceeded"
_MEMORY = "model requires more system memory (5.6 GiB) than is available (3.1 GiB)"
_GARBAGE = b'{"model": "garbage", "message": {"role\n'
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Engine:
    """The server's state: script, records, loaded models (num_ctx and expiry), places for parallel answers."""

    def __init__(self, script: Script) -> None:
        self.script = self.first_script = script
        self.records: deque[Record] = deque(maxlen=20_000)
        self.loaded: dict[str, tuple[int, str]] = {}
        self._active = self._served = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def set_script(self, script: Script) -> None:
        """Puts a script in force for the requests to come and starts counting faults anew."""
        self.script, self._served = script, 0

    def next_script(self) -> Script:
        """The script for one more chat/generate request: without faults once their number is used up."""
        self._served += 1
        limit = self.script.faults_for
        return self.script if limit is None or self._served <= limit else self.script.without_faults()

    def find_model(self, name: str) -> str | None:
        """The model's full name, `latest` being the default tag; None if it is not there."""
        full = name if ":" in name else f"{name}:latest"
        return next((m for m in self.script.models if full.lower() in (m.lower(), f"{m}:latest".lower())), None)

    @asynccontextmanager
    async def place(self, link: Link) -> AsyncIterator[None]:
        """One of the `parallel` places, waiting in the queue if needed; Refusal 503 if the queue is full."""
        if self._active < self.script.parallel:
            self._active += 1
        elif len(self._waiting) >= self.script.max_queue:
            raise Refusal(503, _BUSY)
        else:
            await self._queue(link)
        try:
            yield
        finally:
            self._active -= 1
            self.admit()

    async def _queue(self, link: Link) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        since = time.perf_counter()
        await asyncio.wait({turn, link.gone}, return_when=asyncio.FIRST_COMPLETED)
        link.record.queued = time.perf_counter() - since
        if not turn.done():
            self._waiting.remove(turn)
            raise Gone
        if link.gone.done():
            self._active -= 1
            self.admit()
            raise Gone

    def admit(self) -> None:
        """Lets waiting requests in while there are free places."""
        while self._waiting and self._active < self.script.parallel:
            self._active += 1
            self._waiting.popleft().set_result(None)

    async def load(self, model: str, num_ctx: int, keep_alive: object, script: Script, link: Link) -> None:
        """Loads the model if it is not loaded with this num_ctx; keep_alive 0 unloads it after the answer."""
        if self.loaded.get(model, (0, ""))[0] != num_ctx:
            await link.pause(script.load_seconds)
        self.loaded[model] = (num_ctx, now(_keep_seconds(keep_alive)))


def _keep_seconds(keep_alive: object) -> float:
    text = str(300 if keep_alive is None else keep_alive).strip()
    number = text.rstrip("hms")
    seconds = float(number) * _UNITS.get(text[len(number) :], 1.0)
    return seconds if seconds >= 0 else 100 * 365 * 86400.0


class _Answer:
    """One parsed request and the lines of its answer, for `/api/chat` or `/api/generate`."""

    def __init__(self, engine: Engine, raw: bytes, script: Script, record: Record) -> None:
        self.body = record.body = _parse(raw)
        self.chat, self.script, self.record = record.path == "/api/chat", script, record
        self.name = str(self.body.get("model") or "")
        if script.fail_status:
            raise Refusal(script.fail_status, script.fail_message)
        model = engine.find_model(self.name)
        if model is None:
            raise Refusal(404, f"model '{self.name}' not found") if self.name else Refusal(400, "model is required")
        if self.body.get("think") and "thinking" not in script.capabilities:
            raise Refusal(400, f'"{self.name}" does not support thinking')
        if script.out_of_memory:
            raise Refusal(500, _MEMORY)
        self.model = model
        self.options: dict[str, Any] = self.body.get("options") or {}
        try:
            asked = int(self.options.get("num_ctx") or script.default_num_ctx)
            self.num_predict = int(self.options.get("num_predict") or -1)
            self.messages = self._messages()
        except (TypeError, ValueError, AttributeError) as error:
            raise Refusal(400, str(error)) from None
        self.num_ctx = min(asked, script.model_context)

    def _messages(self) -> list[Message]:
        if self.chat:
            return [Message(str(m.get("role")), str(m.get("content") or "")) for m in self.body.get("messages") or []]
        system, prompt = self.body.get("system"), self.body.get("prompt")
        start = [Message("system", str(system))] if system else []
        return [*start, Message("user", str(prompt))] if prompt else []

    def tokens(self) -> tuple[list[tuple[bool, str]], str]:
        """The answer's tokens as (is it thinking, text) and the done_reason; cuts the prompt and records it."""
        prompt = fit(self.messages, self.num_ctx, self.script.overflow)
        record = self.record
        record.prompt, record.prompt_tokens, record.sent_prompt_tokens = prompt, prompt.tokens, prompt.sent_tokens
        thinks = "thinking" in self.script.capabilities and self.body.get("think") is not False
        made = [(True, piece) for piece in split_pieces(self.script.thinking if thinks else "")]
        made += [(False, piece) for piece in split_pieces(self.script.text_for(prompt))]
        if 0 < self.num_predict < len(made):
            return made[: self.num_predict], "length"
        return made, "stop"

    def part(self, text: str, thinking: str = "", **more: object) -> dict[str, Any]:
        """A chunk of the answer; `more` replaces `done` and adds the final chunk's fields."""
        head = {"model": self.name, "created_at": now()}
        thought = {"thinking": thinking} if thinking else {}
        if self.chat:
            return {**head, "message": {"role": "assistant", "content": text, **thought}, "done": False, **more}
        return {**head, "response": text, **thought, "done": False, **more}


def _parse(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        raise Refusal(400, "missing request body")
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise Refusal(400, str(error)) from None
    if not isinstance(body, dict):
        raise Refusal(400, "json: cannot unmarshal value into Go value of type api.ChatRequest")
    return body


async def generate(engine: Engine, raw: bytes, link: Link) -> None:
    """Answers one request; raises Refusal for an error answer and Gone when the connection is away."""
    begun = time.perf_counter()
    answer = _Answer(engine, raw, engine.next_script(), link.record)
    keep_alive = answer.body.get("keep_alive")
    if not answer.messages and keep_alive is not None and _keep_seconds(keep_alive) == 0:
        engine.loaded.pop(answer.model, None)
        await link.reply(200, answer.part("", done=True, done_reason="unload"))
        return
    async with engine.place(link):
        await engine.load(answer.model, answer.num_ctx, keep_alive, answer.script, link)
        loaded = time.perf_counter()
        if not answer.messages:
            await link.reply(200, answer.part("", done=True, done_reason="load"))
            return
        made, reason = answer.tokens()
        await _stream(answer, made, link, lambda first: _final(answer, len(made), reason, begun, loaded, first))
        if keep_alive is not None and _keep_seconds(keep_alive) == 0:
            engine.loaded.pop(answer.model, None)


def _final(answer: _Answer, made: int, reason: str, begun: float, loaded: float, first: float) -> dict[str, Any]:
    now = time.perf_counter()
    context = {} if answer.chat else {"context": [1, 2, 3]}
    return {
        "done": True,
        "done_reason": reason,
        **context,
        "total_duration": int((now - begun) * 1e9),
        "load_duration": int((loaded - begun) * 1e9),
        "prompt_eval_count": answer.record.prompt_tokens,
        "prompt_eval_duration": int((first - loaded) * 1e9),
        "eval_count": made,
        "eval_duration": int((now - first) * 1e9),
    }


async def _stream(
    answer: _Answer, made: list[tuple[bool, str]], link: Link, final: Callable[[float], dict[str, Any]]
) -> None:
    script, streamed = answer.script, answer.body.get("stream") is not False
    if script.hang_before_first_token:
        await link.pause(None)
    await link.pause(script.first_token_seconds)
    first = time.perf_counter()
    step = 1 / script.tokens_per_second if script.tokens_per_second > 0 else 0.0
    for number, (thinking, piece) in enumerate(made):
        await _fault(script, number, link, streamed)
        await link.pause(max(0.0, first + number * step - time.perf_counter()))
        if streamed:
            part = answer.part("", piece) if thinking else answer.part(piece)
            await link.line(dumps(part) + b"\n")
        link.record.tokens = number + 1
    await _fault(script, len(made), link, streamed)
    if streamed:
        await link.line(dumps(answer.part("", **final(first))) + b"\n")
        await link.finish()
        return
    text, thoughts = ("".join(p for is_thought, p in made if is_thought is kind) for kind in (False, True))
    await link.reply(200, answer.part(text, thoughts, **final(first)))


async def _fault(script: Script, made: int, link: Link, streamed: bool) -> None:
    if script.cut_after_tokens == made:
        await link.cut_off()
    if script.silent_end_after_tokens == made and streamed:
        await link.end_silently()
    if script.error_after_tokens == made:
        raise Refusal(500, script.error_message)
    if script.garbage_after_tokens == made and streamed:
        await link.line(_GARBAGE)
