"""The servers of one directory: connections with a checked certificate, time limits for everything, the next one on failure.

ldap3 is pure Python, so nothing but the package is to be installed (bonsai needs libldap at run time). Its last release
is of 2021; it does what is asked of it, and these of its defaults are not left to it: certificates are not checked
(`_Tls`), referrals are followed with the password (`auto_referrals`), `start_tls` can do nothing and say nothing
(`_require_tls`), and its times are for one packet each (`within`). A connection is of one sign-in alone, so that nobody
finds himself on one that is signed in as somebody else.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any, TypeVar

import ldap3

from assistant.errors import AssistantError, ConfigError, SignInUnavailable
from assistant.settings_ldap import Ldap, host_and_port

Done = TypeVar("Done")

# What a server says to a password that is wrong, or an account that may not: not a failure of the server.
_REFUSALS = frozenset({19, 32, 34, 48, 49, 50, 53})
_SUCCESS, _SIZE_LIMIT, _NO_SUCH_OBJECT = 0, 4, 32

_log = logging.getLogger(__name__)


class DirectoryFault(Exception):  # noqa: N818 - caught in `Servers.run`, and nobody but the log sees it
    """A server answered with an error: the next one may do better."""


class Session:
    """One connection to one server."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - ldap3 has no types
        self._connection = connection

    def bind(self, dn: str, password: str) -> bool:
        """Whether the server takes this password; afterwards it is asked as `dn`. Without a password: refused here."""
        if not dn or not password:
            return False  # servers call this "unauthenticated" and say yes
        self._connection.user, self._connection.authentication = dn, ldap3.SIMPLE
        # As bytes: ldap3 would prepare text by rules of 2002 and refuse newer characters.
        self._connection.password = password.encode("utf-8", "surrogatepass")
        return self._bind()

    def bind_anonymously(self) -> None:
        self._connection.user, self._connection.password = None, None
        self._connection.authentication = ldap3.ANONYMOUS
        if not self._bind():
            raise DirectoryFault("it does not let anybody in without an account: set bind_dn and bind_password")

    def _bind(self) -> bool:
        _, result, _, _ = self._connection.bind(read_server_info=False)
        code = result["result"]
        if code not in _REFUSALS and code != _SUCCESS:
            raise DirectoryFault(_said(result))
        if code:
            _log.info("a directory refused a password: %s", _said(result))
        return bool(code == _SUCCESS)

    def search(self, base: str, query: str, *, attributes: list[str], limit: int = 0) -> list[Mapping[str, Any]]:
        """Entries below `base`; `limit` of them at most, if there is one."""
        return self._search(base, query, attributes, ldap3.SUBTREE, limit)

    def read(self, dn: str, query: str, *, attributes: list[str]) -> list[Mapping[str, Any]]:
        """The one entry if it is there and the filter fits it."""
        return self._search(dn, query, attributes, ldap3.BASE, 0)

    def _search(self, base: str, query: str, attributes: list[str], scope: str, limit: int) -> list[Mapping[str, Any]]:
        _, result, response, _ = self._connection.search(
            base,
            query,
            search_scope=scope,
            dereference_aliases=ldap3.DEREF_NEVER,  # an entry is what is at its place
            attributes=attributes or [ldap3.NO_ATTRIBUTES],
            size_limit=limit,
        )
        # Active Directory mixes references to other servers in: they are not followed.
        found = [entry for entry in response or [] if entry["type"] == "searchResEntry"]
        code = result["result"]
        if code == _SUCCESS or (code == _SIZE_LIMIT and limit and len(found) >= limit):
            return found
        if code == _NO_SUCH_OBJECT and scope == ldap3.BASE:
            return []
        raise DirectoryFault(f"{_said(result)} (searching {base})")


class _Tls(ldap3.Tls):  # type: ignore[misc,unused-ignore] # ldap3 has no types
    """TLS as Python's own library makes it: trust, dates and host name are checked in the handshake."""

    def __init__(self, context: ssl.SSLContext, seconds: float) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = context
        self._seconds = seconds
        self.problem = ""  # what ldap3 wraps several times over

    def wrap_socket(self, connection: Any, do_handshake: bool = True) -> None:  # noqa: ANN401, ARG002, FBT001, FBT002
        plain = connection.socket
        plain.settimeout(self._seconds)
        try:
            connection.socket = self._context.wrap_socket(plain, server_hostname=connection.server.host)
        except OSError as error:
            self.problem = getattr(error, "verify_message", "") or str(error)
            plain.close()
            raise


@dataclass
class _Server:
    """What is known of one server. Changed under the lock of `Servers`."""

    host: str
    port: int
    problem: str = ""  # of the last attempt
    rests_until: float = 0.0
    answered: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Servers:
    """Asks the first that answers."""

    def __init__(self, settings: Ldap) -> None:
        self._settings = settings
        self._context = None if settings.tls == "none" else _context(settings)
        default = 636 if settings.tls == "ldaps" else 389
        self._servers = [_Server(*host_and_port(server, default)) for server in settings.servers]
        self._lock = Lock()

    def run(self, work: Callable[[Session], Done]) -> Done:
        """What `work` makes of a connection to the first server that does its part. Raises `SignInUnavailable`."""
        for server in self._servers:
            if not self._take(server):
                continue
            try:
                return self.ask(server, work)
            except DirectoryFault:
                continue
        label = self._settings.label or self._settings.name
        raise SignInUnavailable(
            f"the directory {label} can't be asked now: try again in a minute, or tell an administrator"
        )

    def ask(self, server: _Server, work: Callable[[Session], Done]) -> Done:
        """At this server, whether it rests or not. Raises `DirectoryFault` with the reason, for administrators."""
        try:
            done = self._at(server, work)
        except AssistantError:
            self._note(server, "")
            raise
        except Exception as error:  # noqa: BLE001 - ldap3 fails of odd answers in many ways; the next one is asked
            reason = _reason(error)
            self._note(server, reason)
            _log.warning("directory %s, server %s: %s", self._settings.name, server, reason)
            raise DirectoryFault(reason) from None  # its chain may hold what was sent
        self._note(server, "")
        return done

    @property
    def all(self) -> list[_Server]:
        return self._servers

    def _take(self, server: _Server) -> bool:
        """Whether it may be asked; after its rest by one at first, while the others go on to the next server."""
        now = time.monotonic()
        with self._lock:
            if now < server.rests_until:
                return False
            if server.problem:
                server.rests_until = now + self._settings.connect_seconds + self._settings.answer_seconds
            return True

    def _note(self, server: _Server, problem: str) -> None:
        with self._lock:
            server.problem, server.answered = problem, not problem
            server.rests_until = time.monotonic() + self._settings.rest_seconds if problem else 0.0

    def _at(self, server: _Server, work: Callable[[Session], Done]) -> Done:
        connect, answer = self._settings.connect_seconds, self._settings.answer_seconds
        connection = within(connect, lambda: self._open(server), late=_close, what=f"no connection in {connect} s")
        try:
            return within(answer, lambda: _ask_and_part(connection, work), what=f"no answer in {answer} s")
        except DirectoryFault:
            # Not closed: its number would be that of the next connection, from which the other thread then reads.
            if (opened := connection.socket) is not None:
                with suppress(OSError):
                    socket.socket.shutdown(opened, socket.SHUT_RDWR)
            raise

    def _open(self, server: _Server) -> Any:  # noqa: ANN401 - ldap3 has no types
        """A connection with a certificate that was checked, not signed in."""
        seconds = self._settings.connect_seconds
        tls = _Tls(self._context, seconds) if self._context else None
        connection = ldap3.Connection(
            ldap3.Server(
                server.host,
                server.port,
                use_ssl=self._settings.tls == "ldaps",
                tls=tls,
                get_info=ldap3.NONE,
                connect_timeout=seconds,
            ),
            client_strategy=ldap3.SAFE_SYNC,
            auto_referrals=False,
            check_names=False,
            auto_escape=False,  # its guess; `ldap_entries.escaped` leaves nothing to guess
            receive_timeout=self._settings.answer_seconds,
        )
        try:
            connection.open(read_server_info=False)
            if self._settings.tls == "starttls":
                connection.start_tls(read_server_info=False)
            _require_tls(connection, self._settings.tls)
        except Exception as error:  # noqa: BLE001 - as in `ask`; the reason alone goes on
            _close(connection)
            raise DirectoryFault(tls.problem if tls and tls.problem else _reason(error)) from None
        if connection.socket is not None:
            connection.socket.settimeout(self._settings.answer_seconds)
        return connection


def within(seconds: float, work: Callable[[], Done], *, what: str, late: Callable[[Done], None] | None = None) -> Done:
    """What `work` returns or raises, in `seconds` at most; looking up a host's name can't be ended in another way."""
    future: Future[Done] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed over to whoever waits
            future.set_exception(error)

    Thread(target=run, name="directory", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if late:
            future.add_done_callback(lambda done: late(done.result()) if done.exception() is None else None)
        raise DirectoryFault(what) from None


def _context(settings: Ldap) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"auth.ldap {settings.name}: ca_file {settings.ca_file} can't be used: {error}") from error


def _require_tls(connection: Any, tls: str) -> None:  # noqa: ANN401 - ldap3 has no types
    if tls != "none" and not isinstance(connection.socket, ssl.SSLSocket):
        raise DirectoryFault("the connection was not encrypted")


def _ask_and_part(connection: Any, work: Callable[[Session], Done]) -> Done:  # noqa: ANN401 - ldap3 has no types
    try:
        done = work(Session(connection))
        with suppress(Exception):  # it has said all that was asked
            connection.unbind()
        return done
    finally:
        _close(connection)


def _close(connection: Any) -> None:  # noqa: ANN401 - ldap3 has no types
    """Without a word of parting: the other side may be the one that does not listen."""
    connection.password = None
    if (opened := connection.socket) is not None:
        opened.close()


def _said(result: Mapping[str, Any]) -> str:
    text = " ".join(str(result["message"] or "").replace("\0", "").split())
    return f"{result['description']} ({result['result']})" + (f": {text}"[:200] if text else "")


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())[:300]
    return text or type(error).__name__
