"""Coming in and going out: a name and a password, or somebody whom a single sign-on sent, becomes a session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from assistant.access.principal import Principal
from assistant.access.rights import Rights
from assistant.access.throttle import Throttle
from assistant.accounts.directories import Directories
from assistant.accounts.own import OwnAccount, own_account
from assistant.accounts.recheck import Recheck
from assistant.errors import AccessDenied, ConfigError, LimitReached, SignInUnavailable, WrongPassword
from assistant.parts.sign_in import LOCAL, Identity, PasswordSignIn
from assistant.records.account_tables import SessionRow, UserRow
from assistant.records.audit import Audit
from assistant.records.directory_accounts import DirectoryAccounts
from assistant.records.known_browsers import KnownBrowsers
from assistant.records.sessions import Sessions
from assistant.records.texts import storable
from assistant.records.tokens import Tokens
from assistant.records.users import Users, is_off_here, is_on, principal_of
from assistant.settings_security import Auth


@dataclass(frozen=True)
class Visitor:
    """Who makes a request, and what stands between him and what he may."""

    principal: Principal
    must_change: bool = False  # his password, before anything else
    scopes: frozenset[str] | None = None  # what a program's token opens; None is a person's session


class AccountService:
    """All ways in lead through `_open`: nobody gets a session elsewhere.

    `session_hours` are the ways that can't be asked about somebody (a single sign-on): a session of theirs ends so long
    after it began, and the person comes again through them.
    """

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        tokens: Tokens,
        directory: DirectoryAccounts,
        known_browsers: KnownBrowsers,
        *,
        audit: Audit,
        throttle: Throttle,
        rights: Rights,
        ways: Sequence[PasswordSignIn],
        settings: Auth,
        session_hours: Mapping[str, float] | None = None,
        token_days: float = 30.0,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._tokens = tokens
        self._directory = directory
        self._audit = audit
        self._known_browsers = known_browsers
        self._throttle = throttle
        self._rights = rights
        self._settings = settings
        self._directories = Directories(ways)
        self._recheck = Recheck(users, directory, sessions, self._directories, minutes=settings.recheck_minutes)
        self._session_hours = {name: timedelta(hours=hours) for name, hours in (session_hours or {}).items()}
        self._token_days = timedelta(days=token_days)

    @property
    def has_passwords(self) -> bool:
        """Whether any way asks for a name and a password."""
        return self._settings.local.enabled or bool(self._directories.ways)

    @property
    def ways(self) -> tuple[PasswordSignIn, ...]:
        """The directories, in the order in which they are asked."""
        return self._directories.ways

    # --- coming in

    def sign_in(self, name: str, password: str, *, address: str = "", browser: str = "", known: str = "") -> str:
        """A new session's id for the cookie; `known` is what `remember_browser` gave this browser, if it did.

        Raises `LimitReached` before the password is looked at, `WrongPassword`, `SignInUnavailable`, `AccessDenied`.
        """
        name = storable(name).strip()
        if not self._known_browsers.knows(known, name):
            known = ""
        with self.noting_failure(name, address=address):
            with self._throttle.trying(name, address, browser=known):
                row = self._vouched_for(name, password)
            return self._open(row, address=address, browser=browser)

    def remember_browser(self, name: str, known: str) -> str:
        """After a sign-in: what the browser shows at the next one, so that strangers' wrong passwords don't make it wait."""
        return self._known_browsers.remember(known, storable(name).strip())

    def wrong_token(self, address: str) -> None:
        """A token that opens nothing was shown. Raises `LimitReached` when that is often."""
        with self.noting_failure("", "token"):
            self._throttle.wrong_token(address)
        if self._throttle.is_written_down("token", address):
            self._audit.record("sign_in.failed", None, reason="WrongToken", way="token")

    def asked(self, what: str, address: str) -> None:
        """By somebody who is not signed in, for something that makes work here. Raises `LimitReached` when that is often."""
        self._throttle.request(what, address)

    def enter(
        self,
        identity: Identity,
        *,
        address: str = "",
        browser: str = "",
        sid: str | None = None,
        id_token: str | None = None,
    ) -> str:
        """A new session's id for somebody whom a single sign-on vouches for. Raises `AccessDenied`."""
        with self.noting_failure("", identity.source, address):
            row = self._directory.store(identity)
        with self.noting_failure(row.name, identity.source, address):
            return self._open(row, address=address, browser=browser, sid=sid, id_token=id_token)

    @contextmanager
    def noting_failure(self, name: str, way: str = "", address: str = "") -> Iterator[None]:
        """People type passwords where names belong: only the name of an account is written down.

        Of refused attempts one in a minute, and no more of an address than it may try passwords: who is not signed in must
        not fill the audit.
        """
        try:
            yield
        except (AccessDenied, SignInUnavailable, LimitReached) as error:
            if isinstance(error, LimitReached):
                is_news = error.is_news
            else:  # of wrong passwords there are no more than that
                is_news = isinstance(error, WrongPassword) or self._throttle.is_written_down(way, address)
            if not is_news:
                raise
            row = self._users.named(name)
            who = principal_of(row, self._rights) if row else None
            self._audit.record("sign_in.failed", who, reason=type(error).__name__, **({"way": way} if way else {}))
            raise

    def _vouched_for(self, name: str, password: str) -> UserRow:
        """Whose password this is. What a directory would take as an anonymous bind is no password."""
        if not name or not password.strip():
            raise WrongPassword("the name or the password is wrong")
        local = self._users.local(name) if self._settings.local.enabled else None
        is_right = self._users.check_password(local, password)  # takes its time whoever it is
        if local is not None:
            if not is_right:
                raise WrongPassword("the name or the password is wrong")
            return local
        identity = self._directories.check(name, password)
        if identity is None:
            raise WrongPassword("the name or the password is wrong")
        return self._directory.store(identity)

    def _open(
        self, row: UserRow, *, address: str, browser: str, sid: str | None = None, id_token: str | None = None
    ) -> str:
        if is_off_here(row):
            raise AccessDenied("this account is switched off, or its time is over: ask an administrator")
        self._audit.record("sign_in.ok", principal_of(row, self._rights), way=row.source)
        return self._sessions.open(
            row.id,
            password_hash=row.password_hash,
            address=address,
            browser=browser,
            sid=sid,
            id_token=id_token,
        )

    # --- being in

    def visitor(self, session_id: str) -> Visitor | None:
        """Whose session this is, with the rights of this moment; None when it is unknown or over.

        Raises `SignInUnavailable` when his directory has not answered for too long.
        """
        found = self._sessions.find(session_id)
        if found is None:
            return None
        session, row = found
        standing = self._standing(row, since=session.created_at, at_most=self._session_hours.get(row.source))
        return Visitor(principal_of(standing, self._rights), standing.must_change) if standing else None

    def of_session(self, session_id: str) -> Principal | None:
        found = self.visitor(session_id)
        return found.principal if found else None

    def of_token(self, secret: str) -> Visitor | None:
        """Likewise for a program. A token of a single sign-on's person rests when he has not come for long."""
        found = self._tokens.find(secret)
        if found is None:
            return None
        token, row = found
        standing = self._without_session(row)
        return Visitor(principal_of(standing, self._rights), scopes=frozenset(token.scopes)) if standing else None

    def named(self, name: str) -> Principal:
        """Whom a program of this machine asks for, under the same conditions. Raises `NotFound`, `AccessDenied`."""
        standing = self._without_session(self._users.row(name))
        if standing is None:
            raise AccessDenied(f"the account '{name}' opens nothing: see `assistant users list`")
        return principal_of(standing, self._rights)

    def _without_session(self, row: UserRow) -> UserRow | None:
        return self._standing(row, since=row.checked_at or row.created_at, at_most=self._token_days)

    def _standing(self, row: UserRow, *, since: datetime, at_most: timedelta | None) -> UserRow | None:
        """The account as it may be used now; None when it may not, also when the settings have its way no more."""
        if is_off_here(row):
            return None
        if row.source == LOCAL:
            return row if self._settings.local.enabled else None
        if row.source in self._directories:
            current = self._recheck.current(row)
            return current if current is not None and is_on(current) else None
        if row.source in self._session_hours and at_most is not None:
            return row if is_on(row) and datetime.now(UTC) - since < at_most else None
        return None

    # --- one's own account

    def own(self, user: str, session_id: str) -> OwnAccount:
        """What the person of that session sees of his account. Raises `AccessDenied`."""
        row = self._row(user)
        sessions = self._sessions.of_user(user)
        return own_account(row, self._rights, sessions, [self._sessions.is_same(one, session_id) for one in sessions])

    def change_password(self, user: str, old: str, new: str, *, address: str = "", browser: str = "") -> str:
        """Ends all sessions of the account; the id of a new one. Raises `WrongPassword`, `LimitReached`, `ConfigError`."""
        row = self._row(user)
        # Whoever is signed in counts by himself, as in a known browser: no stranger's attempts keep him from changing it.
        with self.noting_failure(row.name), self._throttle.trying(row.name, address, browser=f"account {row.id}"):
            if row.source != LOCAL or not self._users.check_password(row, old):
                raise WrongPassword("the present password is wrong")
        if new == old:
            raise ConfigError("the new password is the present one: choose another")
        changed = self._users.set_password(row.name, new, by=principal_of(row, self._rights))
        return self._open(changed, address=address, browser=browser)

    def _row(self, user: str) -> UserRow:
        row = self._users.row_of_id(user)
        if row is None or not is_on(row):
            raise AccessDenied("sign in first")
        return row

    # --- going out

    def sign_out(self, session_id: str) -> SessionRow | None:
        """What the session was; None if it was over already."""
        found = self._sessions.find(session_id)
        ended = self._sessions.end(session_id)
        if found:
            self._audit.record("sign_out", principal_of(found[1], self._rights))
        return ended

    def sign_out_everywhere(self, user: str) -> None:
        self._sessions.end_all(user)
        row = self._users.row_of_id(user)
        self._audit.record("sign_out", principal_of(row, self._rights) if row else None, everywhere=True)

    def note_ended(self, way: str, sessions: int) -> None:
        """The provider has ended so many sessions of somebody who came from it."""
        self._audit.record("sign_out", None, way=way, sessions=sessions)

    def purge(self) -> int:
        """Rows of sessions that are over go; how many."""
        return self._sessions.purge()
