"""Ways to sign in: a module each, built by name from its block of the settings.

A way with a password answers the form of the sign-in page; the others lead to a page of their own and come back with
an `Identity`. What a person may do is not theirs to say: that is `access/rights` over the groups they name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from assistant.registry import Registry

LOCAL = "local"


@dataclass(frozen=True)
class Identity:
    """Who somebody is by the word of a directory or of a single sign-on."""

    source: str  # the way's name in the settings, such as `corp`
    subject: str  # never changes and is never given to another: entryUUID, objectGUID, `sub`
    name: str  # which he types, and lists show
    display_name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()


class PasswordSignIn(Protocol):
    """A directory that checks a name with a password."""

    name: str  # in the settings; it tells accounts of two directories apart
    label: str  # for people

    def check(self, name: str, password: str) -> Identity | None:
        """None for a wrong name or password, or an account that is off. Raises `SignInUnavailable`."""

    def look_up(self, subject: str) -> Identity | None:
        """The person as he is now; None when he is gone or off. Raises `SignInUnavailable`."""


SIGN_IN: Registry[PasswordSignIn] = Registry("way to sign in")
