"""Whether a request that changes something comes from our own pages: what browsers say of it, not a secret in the form.

Every browser of today sends Origin with each POST, PUT, PATCH and DELETE, and over HTTPS Sec-Fetch-Site with each request;
scripts can set neither. Sec-Fetch-Site is believed first: a proxy that changes the Host does not disturb it. `same-site` is
refused too: another service of the company, on another subdomain, is another site.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SIGN_IN = "/login"


def may_change(request: Request, *, cookie: str) -> bool:
    """False for what another site makes a browser send. Without the session's cookie there is nothing to abuse, but the
    sign-in itself: it could put a stranger's session into a person's browser."""
    if request.method in _SAFE:
        return True
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    told = request.headers.get("origin") or request.headers.get("referer")
    if told is not None:
        return _is_here(told, request)
    return cookie not in request.cookies and request.scope["path"] != _SIGN_IN


def _is_here(address: str, request: Request) -> bool:
    try:
        return urlsplit(address).netloc == request.headers.get("host")
    except ValueError:  # "http://["
        return False
