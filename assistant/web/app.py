"""`create_app(assistant) -> FastAPI`: routers, errors, headers and the Gradio page, in order."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable

import anyio
from fastapi import FastAPI, Request
from starlette.routing import Mount

from assistant import __version__
from assistant.assistant import Assistant
from assistant.web import (
    account,
    admin,
    api,
    conversations,
    documents,
    health,
    language,
    openai_api,
    review,
    sign_in,
    single_sign_on,
    survey,
    view_as,
)
from assistant.web.guard import Guard
from assistant.web.loading import Loading
from assistant.web.openapi import describe
from assistant.web.page_doors import PageDoors
from assistant.web.problems import add_error_handlers, add_not_found_handler
from assistant.web.session import principal_or_none

ROUTED = (
    sign_in,
    single_sign_on,
    account,
    language,
    documents,
    admin,
    review,
    view_as,
    survey,
    api,
    conversations,
    openai_api,
    health,
)


def create_app(assistant: Assistant, *, ready: threading.Event) -> FastAPI:
    """The whole web side over one service. `ready` is set by whoever warms it up."""
    app = FastAPI(title="Local Corporate AI Assistant", version=__version__, docs_url=None, redoc_url=None)
    app.state.assistant = assistant
    app.state.ready = ready
    app.state.health = health.HealthCache()
    app.state.loading = Loading(assistant)
    app.state.password_checks = anyio.CapacityLimiter(2)
    app.state.single_sign_on = anyio.CapacityLimiter(8)
    app.state.drawing = documents.drawing_limiter()
    for module in ROUTED:
        app.include_router(module.router)
    describe(app)
    add_error_handlers(app)
    app.add_middleware(Guard)
    return _with_page(app, assistant)


def _with_page(app: FastAPI, assistant: Assistant) -> FastAPI:
    import gradio

    from assistant.ui.page import build_page, page_script

    async def signed_in(request: Request) -> str | None:
        user = await principal_or_none(request)
        return user.id if user else None

    # Gradio looks for the session in `request.app`, which is its own app below ours.
    page, look = build_page(assistant)
    mounted: FastAPI = gradio.mount_gradio_app(
        app,
        page,
        path="/",
        auth_dependency=_with_state(app, signed_in),
        footer_links=[],
        show_error=False,
        max_file_size=1,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        run_history=False,
        allowed_paths=[],
        **look,
    )
    # Gradio lets any path be opened until launch(), which a mounted page never has: a signed-in person could read any file.
    page.has_launched = True
    # What no route of ours takes ends up below the page, and is answered there.
    for route in mounted.routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            add_not_found_handler(route.app)
            route.app = PageDoors(route.app, script=page_script())
    return mounted


def _with_state(
    app: FastAPI, check: Callable[[Request], Awaitable[str | None]]
) -> Callable[[Request], Awaitable[str | None]]:
    async def checked(request: Request) -> str | None:
        request.scope["app"] = app
        return await check(request)

    return checked
