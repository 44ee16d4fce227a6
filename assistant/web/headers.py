"""Headers on every answer: what a browser may load and run, what it tells others, what it keeps."""

from __future__ import annotations

import secrets
from base64 import b64encode
from contextvars import ContextVar
from hashlib import sha256

from starlette.datastructures import MutableHeaders

# Of the present request: the styles of our own pages carry it (web.pages).
NONCE: ContextVar[str] = ContextVar("nonce", default="")

_NOWHERE = "object-src 'none'; frame-ancestors 'none'"
# Our own pages have no script in them. `style` attributes are what Markdown makes of the columns of a table, and the place
# of a mark over a page's picture.
_OWN = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; "
    f"img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; {_NOWHERE}"
)
# What Gradio forces: a base of its own; 'unsafe-eval', because it compiles the functions that connect events and the
# templates of its HTML parts in the browser; 'unsafe-inline' for styles, because its parts write theirs into the page. Its
# scripts in the page are known when it is sent, and so allowed one by one.
_CHAT = (
    "default-src 'none'; script-src 'self' 'unsafe-eval' {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    f"font-src 'self' data:; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'self'; {_NOWHERE}"
)
# A file of the company's: it is only downloaded, and runs nothing even where somebody opens it in place.
FILE_POLICY = f"sandbox; default-src 'none'; base-uri 'none'; {_NOWHERE}"
# A browser's own viewer shows it, and styles it.
PDF_POLICY = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; base-uri 'none'; frame-ancestors 'none'"
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # an address names a document or a conversation: others are told nothing
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), midi=(), payment=(), "
        "usb=()"
    ),
}
_TLS = "max-age=31536000"  # a year; of other hosts of the company nothing is said
_PRIVATE = "private, no-store"
_FOR_ALL = ("/assets/", "/static/", "/svelte/")  # Gradio's own files, the same for everyone


def new_nonce() -> str:
    return secrets.token_urlsafe(16)


def add_headers(headers: MutableHeaders, path: str, nonce: str, *, is_secure: bool) -> None:
    """What a route has set itself stays."""
    headers.setdefault("Content-Security-Policy", _OWN.format(nonce=nonce))
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    if is_secure:
        headers.setdefault("Strict-Transport-Security", _TLS)
    if not path.startswith(_FOR_ALL):
        headers.setdefault("Cache-Control", _PRIVATE)


def chat_policy(scripts: list[bytes]) -> str:
    """Of the page with these scripts in it, and no others."""
    hashes = (b64encode(sha256(script).digest()).decode() for script in scripts)
    return _CHAT.format(scripts=" ".join(f"'sha256-{one}'" for one in hashes))
