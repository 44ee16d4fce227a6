"""/health/live, /health/ready and /health."""

from __future__ import annotations

import asyncio
import time

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from assistant.errors import AccessDenied, SignInUnavailable
from assistant.operations.health import Health, examine
from assistant.web.api_models import HealthOut, StateOut
from assistant.web.session import AssistantDep, principal_or_none

router = APIRouter(prefix="/health", tags=["health"])

_FRESH_SECONDS = 2.0


class HealthCache:
    """One examination at a time, kept for two seconds: a load balancer's questions cost nothing."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._found: tuple[float, Health] | None = None

    async def get(self, assistant: AssistantDep) -> Health:
        async with self._lock:
            if self._found is None or time.monotonic() - self._found[0] > _FRESH_SECONDS:
                self._found = (time.monotonic(), await examine(assistant))
            return self._found[1]


@router.get("/live", summary="Whether the process runs", response_model=StateOut)
async def live() -> dict[str, str]:
    """The process runs."""
    return {"status": "alive"}


@router.get(
    "/ready",
    summary="Whether questions can be answered",
    responses={200: {"model": StateOut}, 503: {"model": StateOut}},
)
async def ready(request: Request) -> Response:
    """Models are loaded and documents can be searched."""
    is_ready = request.app.state.ready.is_set()
    return JSONResponse({"status": "ready" if is_ready else "starting"}, 200 if is_ready else 503)


@router.get("", summary="Every part with its state", responses={200: {"model": HealthOut}, 503: {"model": HealthOut}})
async def health(request: Request, assistant: AssistantDep) -> Response:
    """Every part with its state; 503 when a part without which no answer is possible is down.

    Paths, addresses and counts are for signed-in administrators; others see names and states.
    """
    cache: HealthCache = request.app.state.health
    found = await cache.get(assistant)
    try:
        user = await principal_or_none(request)
    except (
        AccessDenied,
        SignInUnavailable,
    ):  # of a session with which nothing can be done now; health is for everybody
        user = None
    body = found.as_json(detailed=user is not None and "admin" in user.roles)
    return JSONResponse(body, 503 if found.status == "unhealthy" else 200)
