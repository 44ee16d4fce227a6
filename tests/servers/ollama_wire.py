"""The wire of the scripted Ollama server: JSON, request records, one request's connection, the models' descriptions."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.types import Receive, Send

from tests.servers.ollama_script import Prompt, Script

MODEL_BYTES = 4_683_087_332
"""Bytes of the weights every model reports (qwen2.5:7b's)."""
MODIFIED_AT = "2025-01-15T09:30:00.123456789+03:00"
_TEMPLATE = "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"


def dumps(value: object) -> bytes:
    """JSON as Ollama writes it: compact, Cyrillic as raw UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def now(later_seconds: float = 0.0) -> str:
    moment = datetime.now(UTC) + timedelta(seconds=later_seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Refusal(Exception):
    """The request is answered with a status and {"error": message}, or with that line once the stream has begun."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Gone(Exception):
    """The connection is no longer there: the client left, or the script cut it."""


@dataclass(slots=True)
class Record:
    """What is known of one request. Times in seconds: `at` since the epoch, the others as durations."""

    path: str
    method: str
    at: float
    body: Any = None
    status: int = 0
    outcome: str = "open"
    """open, done, disconnected (by the client, before the end), error, cut (by the script)."""
    tokens: int = 0
    """Tokens of the answer made so far; for a disconnected client: before it was noticed."""
    prompt_tokens: int = 0
    sent_prompt_tokens: int = 0
    """Tokens of the prompt as it was sent; more than prompt_tokens if the prompt was cut."""
    prompt: Prompt | None = None
    queued: float = 0.0
    seconds: float | None = None

    @property
    def disconnected(self) -> bool:
        """The client closed the connection before the answer's end."""
        return self.outcome == "disconnected"

    def as_json(self) -> dict[str, Any]:
        """The record as JSON values, with the messages the model saw."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "prompt"}
        seen = [m._asdict() for m in self.prompt.messages] if self.prompt else None
        return {**plain, "disconnected": self.disconnected, "prompt": seen}


class Link:
    """The connection of one request: notices that the client left, sends lines, can be cut."""

    def __init__(self, receive: Receive, send: Send, record: Record, transport: asyncio.Transport) -> None:
        self._send, self._transport, self.record = send, transport, record
        self.cut = self.started = False
        self.gone: asyncio.Future[None] = asyncio.ensure_future(self._until_gone(receive))

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def pause(self, seconds: float | None) -> None:
        """Waits (None = for ever); raises Gone as soon as the client is away."""
        await asyncio.wait({self.gone}, timeout=seconds)
        if self.gone.done():
            raise Gone

    async def line(self, data: bytes) -> None:
        """One NDJSON line; the first one brings the headers with it, as in Ollama."""
        if not self.started:
            await self._start(200, b"application/x-ndjson")
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """Ends the stream properly."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def reply(self, status: int, content: object) -> None:
        """A whole JSON answer; within a stream that has begun its last line instead."""
        if self.started:
            await self.line(dumps(content) + b"\n")
            await self.finish()
            return
        await self._start(status, b"application/json; charset=utf-8")
        await self._send({"type": "http.response.body", "body": dumps(content)})

    async def _start(self, status: int, kind: bytes) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})

    async def cut_off(self) -> None:
        """Closes the socket without the end of the answer and raises Gone."""
        self.cut = True
        self._transport.close()
        await self.pause(None)

    async def end_silently(self) -> None:
        """Ends the stream properly but without a final line and raises Gone."""
        self.cut = True
        await self.line(b"")
        await self.finish()
        raise Gone

    def close(self) -> None:
        """Stops watching the client."""
        self.gone.cancel()


def _family(model: str) -> str:
    name = model.partition(":")[0]
    return "qwen2" if name.startswith("qwen2") else name.rstrip("0123456789.") or name


def _details(model: str) -> dict[str, Any]:
    family, size = _family(model), model.partition(":")[2].upper()
    return {
        "parent_model": "",
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": size if size[:1].isdigit() else "7.6B",
        "quantization_level": "Q4_K_M",
    }


def describe(model: str) -> dict[str, Any]:
    """A model as `/api/tags` and `/api/ps` list it, without their own fields."""
    digest = hashlib.sha256(model.encode()).hexdigest()
    return {"name": model, "model": model, "size": MODEL_BYTES, "digest": digest, "details": _details(model)}


def show_model(model: str, script: Script) -> dict[str, Any]:
    """The answer of `/api/show`."""
    arch = _family(model)
    return {
        "license": "Apache License 2.0",
        "modelfile": f'# Modelfile generated by "ollama show"\nFROM {model}\nTEMPLATE """{_TEMPLATE}"""\n',
        "parameters": 'stop                           "<|im_end|>"',
        "template": _TEMPLATE,
        "details": _details(model),
        "model_info": {
            "general.architecture": arch,
            "general.file_type": 15,
            "general.parameter_count": 7_615_616_512,
            "general.quantization_version": 2,
            f"{arch}.attention.head_count": 28,
            f"{arch}.attention.head_count_kv": 4,
            f"{arch}.block_count": 28,
            f"{arch}.context_length": script.model_context,
            f"{arch}.embedding_length": 3584,
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.tokens": None,
        },
        "capabilities": list(script.capabilities),
        "modified_at": MODIFIED_AT,
    }
