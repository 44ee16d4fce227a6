"""From the claims of a provider to who somebody is: the name, the address, the groups. Nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from assistant.errors import SignInRefused
from assistant.parts.sign_in import Identity
from assistant.settings_oidc import Oidc

log = structlog.get_logger("assistant.sign_in")

_MOST_GROUPS = 1000
_LONGEST_GROUP = 300


def is_complete(settings: Oidc, claims: Mapping[str, Any]) -> bool:
    """Whether there is nothing left to ask the provider's userinfo for."""
    wanted = (settings.claims.name, settings.claims.display_name, settings.claims.groups)
    return all(_find(claims, path) is not None for path in wanted if path)


def identity_of(settings: Oidc, claims: Mapping[str, Any]) -> Identity:
    """By `sub`: names and addresses are given to other people one day. Raises `SignInRefused`."""
    name = _find(claims, settings.claims.name)
    if not isinstance(name, str) or not name.strip():
        raise SignInRefused(
            f"no name: the claim {settings.claims.name!r} is not there; known: {', '.join(sorted(claims))[:300]}; "
            f"set auth.oidc claims.name",
            "no_name",
        )
    return Identity(
        source=settings.name,
        subject=claims["sub"],
        name=name.strip()[:200],
        display_name=_text(claims, settings.claims.display_name)[:300],
        email=_text(claims, settings.claims.email)[:300],
        groups=_groups(settings, claims),
    )


def _groups(settings: Oidc, claims: Mapping[str, Any]) -> tuple[str, ...]:
    """A person without the claim has no groups. One with too many of them to be listed is not let in without them."""
    path = settings.claims.groups
    if not path:
        return ()
    found = _find(claims, path)
    if found is None:
        if claims.get("hasgroups") is True or _is_elsewhere(claims, path):
            raise SignInRefused(
                "too many groups for a token: let the provider send only the groups of this program, or app roles",
                "groups",
            )
        log.info("no groups of a single sign-on", provider=settings.name, claim=path, claims=sorted(claims))
        return ()
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise SignInRefused(f"the claim {path!r} is no list of names: set auth.oidc claims.groups", "groups")
    if len(listed) > _MOST_GROUPS or any(len(one) > _LONGEST_GROUP for one in listed):
        raise SignInRefused(
            f"more than {_MOST_GROUPS} groups, or a name of more than {_LONGEST_GROUP} letters: "
            "let the provider send only the groups of this program",
            "groups",
        )
    return tuple(dict.fromkeys(one for one in listed if one))


def _is_elsewhere(claims: Mapping[str, Any], path: str) -> bool:
    """Microsoft's way to say so: the claim is named, and has to be fetched from another service."""
    named = claims.get("_claim_names")
    return isinstance(named, dict) and (path in named or path.split(".")[0] in named)


def _text(claims: Mapping[str, Any], path: str) -> str:
    found = _find(claims, path) if path else None
    return found.strip() if isinstance(found, str) else ""


def _find(claims: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - whatever the provider wrote
    """Names of claims may have dots of their own (https://company.example/groups): the whole name comes first."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found
