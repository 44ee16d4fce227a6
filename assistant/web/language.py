"""/language/{name}: the language of all pages, chosen on any of them and remembered by this browser."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from assistant.errors import NotFound
from assistant.ui.texts import LANGUAGE_COOKIE, LANGUAGES
from assistant.web.session import AssistantDep

router = APIRouter(include_in_schema=False)
_YEAR = 365 * 86400


@router.get("/language/{name}")
async def choose(request: Request, name: str, assistant: AssistantDep) -> Response:
    """Back to the page that it was chosen on. Nothing but looks depends on it, so a plain link may do it."""
    if name not in LANGUAGES:
        raise NotFound("there is no such language")
    response = RedirectResponse(_page_before(request), 303)
    secure = assistant.settings.server.secure_cookies
    response.set_cookie(LANGUAGE_COOKIE, name, max_age=_YEAR, samesite="lax", secure=secure)
    return response


def _page_before(request: Request) -> str:
    """Path and query of the page of ours that the link was on; the start page otherwise."""
    before = urlsplit(request.headers.get("referer", ""))
    if (
        before.netloc != request.headers.get("host")
        or not before.path.startswith("/")
        or before.path[1:2] in ("/", "\\")
    ):
        return "/"
    return before.path + (f"?{before.query}" if before.query else "")
