"""Coming in and going out: a name and a password, or somebody whom a single sign-on sent, becomes a session."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.access.principal import Principal
from assistant.access.rights import Rights
from assistant.errors import WrongPassword
from assistant.parts.sign_in import Identity, PasswordSignIn
from assistant.records.sessions import Sessions
from assistant.records.users import Users, principal_of
from assistant.settings_security import Auth


class AccountService:
    """All ways in lead through `_enter`: nobody gets a session elsewhere."""

    def __init__(
        self, users: Users, sessions: Sessions, *, rights: Rights, ways: Sequence[PasswordSignIn], settings: Auth
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._rights = rights
        self._ways = ways
        self._settings = settings

    def sign_in(self, name: str, password: str, *, address: str = "", browser: str = "") -> str:
        """A new session's id for the cookie. Raises `WrongPassword`."""
        found = self._users.check_password(name, password)
        if found is None:
            raise WrongPassword("the name or the password is wrong")
        return self._enter(found.id, address=address, browser=browser)

    def enter(
        self,
        identity: Identity,
        *,
        address: str = "",
        browser: str = "",
        sid: str | None = None,
        id_token: str | None = None,
    ) -> str:
        """A new session's id for somebody whom a single sign-on vouches for."""
        raise NotImplementedError

    def _enter(self, user: str, *, address: str, browser: str) -> str:
        return self._sessions.open(user, address=address, browser=browser)

    def of_session(self, session_id: str) -> Principal | None:
        """Whose session this is, with the rights of this moment; None when it is unknown or over."""
        row = self._sessions.user_of(session_id)
        return principal_of(row, self._rights) if row else None

    def sign_out(self, session_id: str) -> None:
        self._sessions.end(session_id)

    def sign_out_everywhere(self, user: str) -> None:
        self._sessions.end_all(user)
