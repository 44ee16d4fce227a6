"""From where a request comes: the other end of the connection, or what a proxy that we trust says of it."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import structlog
from fastapi import Request
from starlette.types import Scope

from assistant.access.caller import ADDRESS_IN_SCOPE

UNKNOWN = "unknown"  # a connection without an address; it is counted as one
_told: set[str] = set()
log = structlog.get_logger("assistant.web")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_address(request: Request) -> str:
    """The rightmost hop that is no trusted proxy. What stands left of it anybody could have written, and counts for nothing.

    Found once a request, and kept with it: Gradio runs what is asked on its page in tasks of its own.
    """
    if ADDRESS_IN_SCOPE not in request.scope:
        request.scope[ADDRESS_IN_SCOPE] = _find(request)
    found: str = request.scope[ADDRESS_IN_SCOPE]
    return found


def is_https(request: Request) -> bool:
    """Whether the person's own connection is encrypted; of that a proxy's word is taken only when it is trusted."""
    if request.url.scheme == "https":
        return True
    said = request.headers.getlist("x-forwarded-proto")
    is_said = bool(said) and said[-1].rpartition(",")[2].strip().lower() == "https"
    return is_said and _is_trusted(_parsed(_peer(request.scope)), _trusted(request))


def _find(request: Request) -> str:
    peer, trusted = _peer(request.scope), _trusted(request)
    nearest = _parsed(peer)
    if nearest is None:
        return peer
    if not _is_trusted(nearest, trusted):
        if "x-forwarded-for" in request.headers:
            _tell(str(nearest))
        return str(nearest)
    hops = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    for hop in reversed(hops):
        address = _parsed(hop)
        if address is None:  # not an address: the proxy before it is the last that we know
            break
        nearest = address
        if not _is_trusted(nearest, trusted):
            break
    return str(nearest)


def _tell(proxy: str) -> None:
    """Once for each: with a proxy that nobody named, everyone has one address, and shares its limits."""
    if proxy in _told or len(_told) >= 100:
        return
    _told.add(proxy)
    log.warning(
        "X-Forwarded-For is not believed",
        sender=proxy,
        advice="if it is your reverse proxy, name it in server.trusted_proxies: until then it is everyone's address",
    )


def _peer(scope: Scope) -> str:
    client: Any = scope.get("client")
    return str(client[0]) if client and client[0] else UNKNOWN


def _trusted(request: Request) -> Iterable[Network]:
    found: Iterable[Network] = request.app.state.assistant.settings.server.trusted_proxies
    return found


def _is_trusted(address: Address | None, networks: Iterable[Network]) -> bool:
    return address is not None and any(address in network for network in networks)


def _parsed(text: str) -> Address | None:
    """`1.2.3.4`, `1.2.3.4:5678`, `::1`, `[::1]:5678`; an IPv4 address inside an IPv6 one is that IPv4 address."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
