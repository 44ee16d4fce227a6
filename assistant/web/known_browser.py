"""The cookie of a browser that has signed in before: no stranger makes its person wait. It opens nothing."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response

from assistant.assistant import Assistant

_COOKIE = "assistant_browser"
_SECONDS = 180 * 86400  # as long as it is remembered


def known_browser(request: Request, assistant: Assistant) -> str:
    """What the browser shows; "" when it shows none."""
    return request.cookies.get(_name(assistant), "")[:100]


def set_known_browser(response: Response, assistant: Assistant, value: str) -> None:
    secure = assistant.settings.server.secure_cookies
    response.set_cookie(
        _name(assistant), value, max_age=_SECONDS, path="/", httponly=True, samesite="lax", secure=secure
    )


def _name(assistant: Assistant) -> str:
    return f"__Host-{_COOKIE}" if assistant.settings.server.secure_cookies else _COOKIE
