"""`create_app(assistant) -> FastAPI`: routers, errors, headers and the Gradio page, in order."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from assistant import __version__
from assistant.assistant import Assistant
from assistant.web import api, documents, health, sign_in
from assistant.web.problems import add_error_handlers
from assistant.web.session import principal_or_none

# Gradio's page has inline scripts and styles and compiles templates: it forces 'unsafe-inline' and 'unsafe-eval'.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; media-src 'self' blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
Next = Callable[[Request], Awaitable[Response]]


def create_app(assistant: Assistant, *, ready: threading.Event) -> FastAPI:
    """The whole web side over one service. `ready` is set by whoever warms it up."""
    app = FastAPI(title="Local Corporate AI Assistant", version=__version__, docs_url=None, redoc_url=None)
    app.state.assistant = assistant
    app.state.ready = ready
    app.state.health = health.HealthCache()
    for module in (sign_in, documents, api, health):
        app.include_router(module.router)
    add_error_handlers(app)
    app.middleware("http")(_guard)
    return _with_page(app, assistant)


async def _guard(request: Request, call_next: Next) -> Response:
    """The page leads to the sign-in, other sites can't change anything, and answers carry the safe headers."""
    if request.url.path == "/" and request.method == "GET" and await principal_or_none(request) is None:
        return RedirectResponse("/login", 303)
    if request.method not in ("GET", "HEAD", "OPTIONS") and not _same_origin(request):
        body = {
            "type": "about:blank",
            "title": "CrossOrigin",
            "status": 403,
            "detail": "requests from other sites are refused",
        }
        return JSONResponse(body, 403, media_type="application/problem+json")
    response = await call_next(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _same_origin(request: Request) -> bool:
    """A browser names the site a request comes from; programs send no Origin."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _with_page(app: FastAPI, assistant: Assistant) -> FastAPI:
    import gradio

    from assistant.ui.page import build_page

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
    return mounted


def _with_state(
    app: FastAPI, check: Callable[[Request], Awaitable[str | None]]
) -> Callable[[Request], Awaitable[str | None]]:
    async def checked(request: Request) -> str | None:
        request.scope["app"] = app
        return await check(request)

    return checked
