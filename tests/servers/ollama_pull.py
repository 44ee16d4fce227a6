"""`/api/pull` of the scripted Ollama server: layers with their progress, then the model is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tests.servers.ollama_generation import Engine
from tests.servers.ollama_wire import MODEL_BYTES, dumps

_LAYERS = (MODEL_BYTES, 1_482)


async def pull(engine: Engine, request: Request) -> Response:
    body = request.scope["record"].body = json.loads(await request.body())
    return StreamingResponse(_lines(engine, str(body["model"])), media_type="application/x-ndjson")


async def _lines(engine: Engine, model: str) -> AsyncIterator[bytes]:
    for sent, line in enumerate(_steps(model)):
        if sent == engine.script.pull_ends_after:
            return
        yield dumps(line) + b"\n"
        if engine.script.pull_error:
            yield dumps({"error": engine.script.pull_error}) + b"\n"
            return
    engine.set_script(engine.script.changed({"models": [*engine.script.models, model]}))


def _steps(model: str) -> list[dict[str, object]]:
    steps: list[dict[str, object]] = [{"status": "pulling manifest"}]
    for number, total in enumerate(_LAYERS):
        digest = hashlib.sha256(f"{model}{number}".encode()).hexdigest()
        for done in (0, total // 2, total):
            step = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}", "total": total}
            steps.append(step | ({"completed": done} if done else {}))
    return [*steps, *({"status": said} for said in ("verifying sha256 digest", "writing manifest", "success"))]
