"""Coming in through a provider's page, and going out there and here at once."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import structlog

from assistant.accounts.service import AccountService
from assistant.errors import AccessDenied, NotFound, SignInRefused, SignInUnavailable
from assistant.parts.sign_in import Begun, SingleSignOn
from assistant.records.digests import digest_of
from assistant.records.one_time import OneTime
from assistant.records.sessions import Sessions

log = structlog.get_logger("assistant.sign_in")

MINUTES = 10  # which a person may take at the provider's page


class SingleSignOnService:
    """All providers of the settings. The addresses that a provider sends a browser to come from the settings alone."""

    def __init__(
        self,
        ways: Sequence[SingleSignOn],
        accounts: AccountService,
        sessions: Sessions,
        one_time: OneTime,
        *,
        public_url: str,
    ) -> None:
        self._ways = {way.name: way for way in ways}
        self._accounts = accounts
        self._sessions = sessions
        self._one_time = one_time
        self._public_url = public_url.rstrip("/")

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Name and label of each, in the order of the settings."""
        return [(way.name, way.label) for way in self._ways.values()]

    def begin(self, name: str, browser_key: str, *, address: str = "") -> str:
        """The provider's page for this sign-in, which only this browser can end.

        Raises `NotFound`, `SignInUnavailable`, `LimitReached`.
        """
        way = self._way(name)
        self._accounts.asked("single sign-on", address)
        begun = way.begin(self._back_to(name))
        kept = {**asdict(begun), "url": "", "way": name, "browser": digest_of(browser_key)}
        self._one_time.keep(_sign_in(begun.state), json.dumps(kept), seconds=MINUTES * 60)
        return begun.url

    def finish(
        self, name: str, answer: Mapping[str, str], browser_key: str, *, address: str = "", browser: str = ""
    ) -> str:
        """A new session's id. Raises `SignInRefused`, `AccessDenied`, `SignInUnavailable`, `NotFound`, `LimitReached`."""
        way = self._way(name)
        self._accounts.asked("single sign-on's answer", address)
        try:
            with self._accounts.noting_failure("", name, address):
                begun = self._begun(name, answer.get("state", ""), browser_key)
                arrived = way.finish(answer, begun, self._back_to(name))
            session_id = self._accounts.enter(
                arrived.identity, address=address, browser=browser, sid=arrived.sid, id_token=arrived.id_token
            )
        except (AccessDenied, SignInUnavailable) as error:
            log.warning("single sign-on failed", provider=name, address=address, reason=str(error))
            raise
        return session_id

    def sign_out(self, session_id: str) -> str | None:
        """Ends it here. Where the browser signs out at the provider, if the person came from one that has such a page."""
        found = self._sessions.find(session_id)
        self._accounts.sign_out(session_id)
        if found is None:
            return None
        session, user = found
        if user.source not in self._ways or not session.id_token:
            return None
        try:
            return self._ways[user.source].goodbye(session.id_token, f"{self._public_url}/login")
        except SignInUnavailable as error:
            log.warning("no sign-out at the provider", provider=user.source, reason=str(error))
            return None  # he is out here, in any case

    def end_by_token(self, name: str, logout_token: str) -> int:
        """Back-channel: how many sessions ended. Raises `SignInRefused`, `SignInUnavailable`, `NotFound`."""
        said = self._way(name).logged_out(logout_token)
        lifetime = max(said.expires - time.time(), 60.0)
        if not self._one_time.keep(f"logout {name} {said.token_id}", "", seconds=lifetime):
            raise SignInRefused("this logout token was used before", "invalid")
        return self._end(name, said.sid, said.subject)

    def end_by_sid(self, name: str, issuer: str, sid: str, *, address: str = "") -> int:
        """Front-channel: whoever knows a session's name at the provider may end it.

        Raises `SignInRefused`, `NotFound`, `LimitReached`.
        """
        if issuer != self._way(name).issuer or not sid:
            raise SignInRefused("a sign-out that names no session of this provider", "invalid")
        self._accounts.asked("single sign-on's sign-out", address)
        return self._end(name, sid, None)

    def _end(self, name: str, sid: str | None, subject: str | None) -> int:
        ended = self._sessions.end_from(name, sid=sid, subject=subject)
        if ended:  # anybody may name a session that there is not
            log.info("sessions ended by the provider", provider=name, sessions=ended)
            self._accounts.note_ended(name, ended)
        return ended

    def _begun(self, name: str, state: str, browser_key: str) -> Begun:
        """Once, in the browser that began it. Raises `SignInRefused`."""
        content = self._one_time.take(_sign_in(state)) if state else None
        if content is None:
            raise SignInRefused("its state is unknown, over, or was used before", "over")
        kept = json.loads(content)
        if kept.pop("way") != name or not hmac.compare_digest(kept.pop("browser"), digest_of(browser_key)):
            raise SignInRefused("it was begun in another browser, or at another provider", "over")
        return Begun(**kept)

    def _way(self, name: str) -> SingleSignOn:
        if name not in self._ways:
            raise NotFound("there is no such single sign-on")
        return self._ways[name]

    def _back_to(self, name: str) -> str:
        return f"{self._public_url}/auth/oidc/{name}/callback"


def _sign_in(state: str) -> str:
    return f"sign-in {state}"
