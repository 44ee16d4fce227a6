"""Signing in with the company's own directory: LDAP or Active Directory."""

from __future__ import annotations

import logging
import uuid

from ldap3.core.exceptions import LDAPException
from ldap3.operation.search import parse_filter
from pydantic import SecretStr

from assistant.errors import AccessDenied, AssistantError, ConfigError, SignInUnavailable
from assistant.parts.sign_in import SIGN_IN, Described, Identity, PasswordSignIn, WayState
from assistant.parts.sign_in.ldap_entries import Person, Questions, escaped, may_be_asked
from assistant.parts.sign_in.ldap_servers import DirectoryFault, Servers, Session
from assistant.settings_ldap import Ldap

_CERTIFICATE = ("certificate", "hostname", "host name", "ip address mismatch")

_log = logging.getLogger(__name__)


class Directory:
    """One directory. Nothing of one sign-in is kept for the next, but which servers failed."""

    def __init__(self, settings: Ldap) -> None:
        self.name = settings.name
        self.label = settings.label or settings.name
        self._settings = settings
        self._bind_password = _bind_password(settings)
        self._questions = Questions(settings)
        self._servers = Servers(settings)
        _check_filters(settings)

    def check(self, name: str, password: str) -> Identity | None:
        """None for a wrong name or password, or an account that is off. Raises `SignInUnavailable`, `AccessDenied`."""
        if not may_be_asked(name, password):
            return None
        try:
            return self._servers.run(lambda session: self._check(session, name, password))
        except AccessDenied as error:  # the page only says that there is something to ask an administrator about
            _log.warning("directory %s: %s", self.name, error)
            raise

    def look_up(self, subject: str) -> Identity | None:
        """The person as he is now; None when he is gone or off, or nobody may look him up. Raises `SignInUnavailable`."""
        if not self._can_look_up:
            return None
        try:
            return self._servers.run(lambda session: self._look_up(session, subject))
        except AccessDenied as error:  # of this person alone: his session ends, and at the next sign-in he is told
            _log.warning("directory %s: %s", self.name, error)
            return None

    def describe(self, name: str, password: str = "") -> Described:
        """What the directory says of a name, for administrators. Raises `SignInUnavailable`."""
        if not self._can_look_up and not password:
            raise SignInUnavailable(f"the directory {self.label} has no bind_dn: look people up with --password")
        return self._servers.run(lambda session: self._describe(session, name, password))

    def state(self) -> WayState:
        """By the last sign-ins, without asking."""
        servers = self._servers.all
        failed = [f"{server}: {server.problem}" for server in servers if server.problem]
        if not failed:
            asked = "answered" if any(server.answered for server in servers) else "not asked yet"
            return WayState(True, f"{', '.join(map(str, servers))}; {asked}")
        return WayState(False, "; ".join(failed), _advice(failed))

    def examine(self) -> WayState:
        """Asks each server: connection, certificate, service account, whether people are found and can be told apart."""
        good, failed = [], []
        for server in self._servers.all:
            try:
                good.append(f"{server}: {self._servers.ask(server, self._examine)}")
            except (AssistantError, DirectoryFault) as error:
                failed.append(f"{server}: {error}")
        return WayState(not failed, "; ".join(failed + good), _advice(failed))

    @property
    def _can_look_up(self) -> bool:
        """A direct sign-in needs no service account; then there is nobody to ask as, without the person's password."""
        return bool(self._settings.bind_dn or not self._settings.user_dn)

    def _check(self, session: Session, name: str, password: str) -> Identity | None:
        person = self._person(session, name, password)
        if person is None:
            return None
        self._as_reader(session)
        return self._identity(session, person)

    def _person(self, session: Session, name: str, password: str) -> Person | None:
        """Whose name and password these are: the password was taken for the entry that is returned, none else."""
        if self._settings.user_dn:
            return self._directly(session, self._settings.user_dn, name, password)
        self._as_reader(session)
        found = self._questions.people(session, name)
        if len(found) > 1:
            _log.warning("directory %s: several entries for one name, nobody is let in with it", self.name)
        if len(found) != 1:
            # The same steps as for a wrong password, so that they take as long.
            session.bind(f"cn={uuid.uuid4().hex},{self._settings.base_dn}", password)
            return None
        return found[0] if session.bind(found[0].dn, password) else None

    def _directly(self, session: Session, template: str, name: str, password: str) -> Person | None:
        is_dn = "=" in template
        who = template.replace("{name}", escaped(name) if is_dn else name)
        if not session.bind(who, password):
            return None
        self._as_reader(session)
        if is_dn:
            found = self._questions.at(session, who, name)
            return found[0] if len(found) == 1 else None
        found = self._questions.people(session, name)
        # `ivanov@corp` let him in, `user_filter` finds an entry: this makes sure that they are the same.
        return found[0] if len(found) == 1 and session.bind(found[0].dn, password) else None

    def _look_up(self, session: Session, subject: str) -> Identity | None:
        self._as_reader(session)
        found = self._questions.by_subject(session, subject)
        return self._identity(session, found[0]) if len(found) == 1 else None

    def _as_reader(self, session: Session) -> None:
        """As the service account; without one anonymously, or, after a direct sign-in, as the person himself."""
        if self._settings.bind_dn:
            if not session.bind(self._settings.bind_dn, self._bind_password.get_secret_value()):
                # A fault of the server, so that it rests: wrong passwords in a row would lock the account.
                raise DirectoryFault("it refuses the service account: bind_dn or bind_password is wrong")
        elif not self._settings.user_dn:
            session.bind_anonymously()

    def _identity(self, session: Session, person: Person) -> Identity | None:
        self._questions.check_subject(person)
        if not self._questions.is_enabled(session, person.dn):
            return None
        groups = self._questions.groups(session, person)
        return Identity(self.name, person.subject, person.name, person.display_name, person.email, groups)

    def _describe(self, session: Session, name: str, password: str) -> Described:
        accepted = self._person(session, name, password) is not None if may_be_asked(name, password) else None
        if not self._can_look_up and not accepted:
            return Described(accepted=accepted)
        self._as_reader(session)
        found = self._questions.people(session, name) if name.strip() else []
        if len(found) != 1:
            return Described(entries=tuple(person.dn for person in found), accepted=accepted)
        identity = self._identity(session, found[0])
        return Described((found[0].dn,), identity is not None, identity, accepted)

    def _examine(self, session: Session) -> str:
        encrypted = {"ldaps": "LDAPS", "starttls": "StartTLS", "none": "not encrypted"}[self._settings.tls]
        if not self._can_look_up:
            return f"{encrypted}; no bind_dn: sessions end after auth.recheck_minutes"
        self._as_reader(session)
        people = self._questions.anybody(session)
        if not people:
            raise ConfigError(f"nobody is found below base_dn {self._settings.base_dn} with user_filter")
        self._questions.check_subject(people[0])
        self._questions.is_enabled(session, people[0].dn)
        self._questions.groups(session, people[0])
        return f"{encrypted}, people are found"


def _advice(failed: list[str]) -> str:
    if not failed:
        return ""
    if any(word in line.casefold() for line in failed for word in _CERTIFICATE):
        return "set auth.ldap's ca_file to the company's certificates, and servers to the names in their certificate"
    if any("bind_dn" in line or "user_filter" in line or "base_dn" in line for line in failed):
        return "set auth.ldap right, then `assistant users look-up NAME`"
    return "start the server or take it out of auth.ldap's servers; the network must let this machine reach it"


def _bind_password(settings: Ldap) -> SecretStr:
    if settings.bind_password_file is None:
        return settings.bind_password or SecretStr("")
    try:
        found = settings.bind_password_file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"auth.ldap {settings.name}: bind_password_file can't be read: {error}") from error
    if not found:
        raise ConfigError(f"auth.ldap {settings.name}: bind_password_file {settings.bind_password_file} is empty")
    return SecretStr(found)


def _check_filters(settings: Ldap) -> None:
    for key in ("user_filter", "disabled_filter", "group_filter"):
        if not (query := getattr(settings, key)):
            continue
        filled = query.replace("{name}", "x").replace("{dn}", "x").replace("{filetime}", "1")
        try:
            parse_filter(filled, None, False, False, None, False)  # noqa: FBT003 - ldap3's order, without names
        except (LDAPException, IndexError) as error:
            raise ConfigError(f"auth.ldap {settings.name}: {key} is no filter: {query}") from error


@SIGN_IN.register("ldap")
def ldap(*, settings: Ldap) -> PasswordSignIn:
    return Directory(settings)
