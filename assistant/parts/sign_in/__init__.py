"""Ways to sign in: a module each, built by name from its block of the settings.

A way with a password answers the form of the sign-in page; the others lead to a page of their own and come back with
an `Identity`. What a person may do is not theirs to say: that is `access/rights` over the groups they name.
"""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True)
class WayState:
    """How a directory does, in words for administrators."""

    ok: bool
    detail: str
    advice: str = ""


@dataclass(frozen=True)
class Described:
    """What a directory says of a name."""

    entries: tuple[str, ...] = ()  # where it is found; with two of them nobody is let in by it
    enabled: bool | None = None
    identity: Identity | None = None  # of somebody who may enter
    accepted: bool | None = None  # whether the password is right, if one was given


class PasswordSignIn(Protocol):
    """A directory that checks a name with a password."""

    name: str  # in the settings; it tells accounts of two directories apart
    label: str  # for people

    def check(self, name: str, password: str) -> Identity | None:
        """None for a wrong name or password, or an account that is off.

        Raises `SignInUnavailable`; and `AccessDenied` for somebody with the right password of whom too little is known.
        """

    def look_up(self, subject: str) -> Identity | None:
        """The person as he is now; None when he is gone or off. Raises `SignInUnavailable`."""

    def describe(self, name: str, password: str = "") -> Described:
        """What it says of this name, for administrators. Raises `SignInUnavailable`."""

    def state(self) -> WayState:
        """By the last sign-ins, without asking: nobody waits for it."""

    def examine(self) -> WayState:
        """Asks it now; takes as long as it takes."""


SIGN_IN: Registry[PasswordSignIn] = Registry("way to sign in")


@dataclass(frozen=True)
class Begun:
    """A sign-in on its way to a provider. All but the address is kept here until the browser comes back."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Arrived:
    """Somebody whom a provider vouches for."""

    identity: Identity
    sid: str | None  # his session's name there
    id_token: str


@dataclass(frozen=True)
class LoggedOut:
    """What a provider says of a session that it has ended: one session, or all of a person."""

    token_id: str
    expires: float
    sid: str | None
    subject: str | None


class SingleSignOn(Protocol):
    """A provider whose page people sign in on."""

    name: str
    label: str
    issuer: str
    session_hours: float

    def begin(self, back_to: str) -> Begun:
        """Raises `SignInUnavailable`."""

    def finish(self, answer: Mapping[str, str], begun: Begun, back_to: str) -> Arrived:
        """With the parameters the browser came back with. Raises `SignInRefused`, `SignInUnavailable`."""

    def goodbye(self, id_token: str, back_to: str) -> str | None:
        """Where the browser signs out at the provider; None when that has no such page. Raises `SignInUnavailable`."""

    def logged_out(self, token: str) -> LoggedOut:
        """Raises `SignInRefused`, `SignInUnavailable`."""


SINGLE_SIGN_ON: Registry[SingleSignOn] = Registry("single sign-on")
