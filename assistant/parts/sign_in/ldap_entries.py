"""What is asked of a directory: filters whose values can't break out, people, whether they are off, their groups."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assistant.errors import AccessDenied
from assistant.parts.sign_in.ldap_servers import Session
from assistant.settings_ldap import Ldap

_BIT_AND, _IN_CHAIN = "1.2.840.113556.1.4.803", "1.2.840.113556.1.4.1941"
_BATCH = 40  # groups asked about at once
_NOBODY = "\\00"  # a user's name that no group of groups has
_ANY = "*"
_HIDDEN = re.compile(r"\\([0-9a-fA-F]{2})|\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Kind:
    """The defaults for one make of directory."""

    id: str
    name: str
    display_name: str
    user_filter: str
    disabled_filter: str
    group_filter: str
    nested: str


KINDS = {
    "active_directory": Kind(
        id="objectGUID",
        name="sAMAccountName",
        display_name="displayName",
        user_filter="(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={name})(userPrincipalName={name})))",
        # Switched off, or past the day on which it expires (0: never).
        disabled_filter=f"(|(userAccountControl:{_BIT_AND}:=2)(&(accountExpires>=1)(accountExpires<={{filetime}})))",
        # Security groups alone: into a mailing list people may often put themselves.
        group_filter=f"(&(objectClass=group)(groupType:{_BIT_AND}:=2147483648)(member{{chain}}={{dn}}))",
        nested="chain",
    ),
    "openldap": Kind(
        id="entryUUID",
        name="uid",
        display_name="cn",
        user_filter="(&(objectClass=person)(uid={name}))",
        # Switched off for good. A time there is of wrong passwords: that must not end the sessions of a colleague.
        disabled_filter="(pwdAccountLockedTime=000001010000Z)",
        group_filter="(|(member={dn})(uniqueMember={dn})(memberUid={name}))",
        nested="walk",
    ),
}


@dataclass(frozen=True)
class Person:
    dn: str
    subject: str  # empty when the directory does not show it
    name: str
    display_name: str
    email: str


def escaped(text: str | bytes) -> str:
    r"""As a value in a filter or a distinguished name: whatever is not a plain letter or digit is written as \xx.

    More than the standards want, so that it serves both: ldap3's own helpers differ, let spaces at the ends go, and fail
    on text that is no Unicode.
    """
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    return "".join(chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"\\{byte:02x}" for byte in data)


def may_be_asked(name: str, password: str) -> bool:
    """Whether it is worth asking: no directory is asked about an empty password, which many take for anybody's."""
    return bool(name.strip() and password.strip() and "\0" not in name + password and len(name) <= 256)


class Questions:
    """The filters of one directory, and what is asked with them."""

    def __init__(self, settings: Ldap) -> None:
        kind = KINDS[settings.kind]
        self._settings = settings
        self._id = settings.attributes.id or kind.id
        self._name = settings.attributes.name or kind.name
        self._display_name = settings.attributes.display_name or kind.display_name
        self._user_filter = settings.user_filter or kind.user_filter
        self._disabled = kind.disabled_filter if settings.disabled_filter is None else settings.disabled_filter
        self.nested = settings.nested or kind.nested
        chain = f":{_IN_CHAIN}:" if self.nested == "chain" else ""
        self._group_filter = (settings.group_filter or kind.group_filter).replace("{chain}", chain)

    @property
    def _attributes(self) -> list[str]:
        return [self._id, self._name, self._display_name, self._settings.attributes.email]

    def people(self, session: Session, name: str) -> list[Person]:
        """Two at most: with two of a name nobody can say who it is."""
        query = self._user_filter.replace("{name}", escaped(name))
        return self._people(session.search(self._settings.base_dn, query, attributes=self._attributes, limit=2))

    def at(self, session: Session, dn: str, name: str) -> list[Person]:
        """The person at this place, if he is what `user_filter` wants."""
        query = self._user_filter.replace("{name}", escaped(name))
        return self._people(session.read(dn, query, attributes=self._attributes))

    def by_subject(self, session: Session, subject: str) -> list[Person]:
        """Whoever has this id and still is what `user_filter` wants, by whatever name."""
        try:
            value = uuid.UUID(subject).bytes_le if self._is_guid else subject
        except ValueError:
            return []
        query = f"(&{self._user_filter.replace('{name}', _ANY)}({self._id}={escaped(value)}))"
        return self._people(session.search(self._settings.base_dn, query, attributes=self._attributes, limit=2))

    def anybody(self, session: Session) -> list[Person]:
        """One person or two, to see whether people are found at all."""
        query = self._user_filter.replace("{name}", _ANY)
        return self._people(session.search(self._settings.base_dn, query, attributes=self._attributes, limit=2))

    def check_subject(self, person: Person) -> None:
        """Raises `AccessDenied` when the directory does not say who this is for good."""
        if not person.subject:
            raise AccessDenied(
                f"the directory {self._settings.name} does not show {self._id} of people: an administrator is to let"
                " bind_dn read it, or to set auth.ldap's attributes.id"
            )

    def is_enabled(self, session: Session, dn: str) -> bool:
        """Raises `AccessDenied` when the directory can't say: nobody is let in on a guess."""
        if not self._disabled:
            return True
        filetime = int((time.time() + 11_644_473_600) * 10_000_000)  # 100 ns since 1601
        off = self._disabled.replace("{filetime}", str(filetime))
        if session.read(dn, f"(!{off})", attributes=[]):
            return True
        if session.read(dn, off, attributes=[]):
            return False
        raise AccessDenied(
            f"the directory {self._settings.name} does not say whether accounts are switched off: an administrator is to"
            " let bind_dn read what auth.ldap's disabled_filter names, or to change that filter"
        )

    def groups(self, session: Session, person: Person) -> tuple[str, ...]:
        """Their distinguished names; of those below `group_base`, if that is set, also the plain names."""
        base = self._settings.group_base or self._settings.base_dn
        found = dict.fromkeys(self._groups_of(session, base, [person.dn], escaped(person.name)))
        level = list(found)
        for _ in range(self._settings.nested_depth if self.nested == "walk" else 0):
            level = [dn for dn in self._groups_of(session, base, level, _NOBODY) if dn not in found]
            found |= dict.fromkeys(level)
            self._check_count(found)
            if not level:
                break
        self._check_count(found)
        plain = filter(None, map(_plain_name, found)) if self._settings.group_base else ()
        return tuple(dict.fromkeys([*found, *plain]))

    def _groups_of(self, session: Session, base: str, members: list[str], name: str) -> Iterator[str]:
        for start in range(0, len(members), _BATCH):
            each = [
                self._group_filter.replace("{dn}", escaped(dn)).replace("{name}", name)
                for dn in members[start : start + _BATCH]
            ]
            query = f"(|{''.join(each)})" if len(each) > 1 else each[0]
            for entry in session.search(base, query, attributes=[]):
                yield entry["dn"]

    def _check_count(self, found: Mapping[str, None]) -> None:
        if len(found) > self._settings.max_groups:
            raise AccessDenied(
                f"you are in more than {self._settings.max_groups} groups of the directory {self._settings.name}:"
                " an administrator is to set a narrower group_base or group_filter, or a larger max_groups"
            )

    @property
    def _is_guid(self) -> bool:
        return self._id.casefold() == "objectguid"

    def _people(self, entries: Iterable[Mapping[str, Any]]) -> list[Person]:
        return [self._person(entry) for entry in entries]

    def _person(self, entry: Mapping[str, Any]) -> Person:
        raw = {key.casefold(): values[0] for key, values in entry["raw_attributes"].items() if values}
        given = raw.get(self._id.casefold(), b"")
        subject = str(uuid.UUID(bytes_le=given)) if self._is_guid and len(given) == 16 else _text(given)  # noqa: PLR2004
        name = _text(raw.get(self._name.casefold(), b""))
        display_name = _text(raw.get(self._display_name.casefold(), b"")) or name
        email = _text(raw.get(self._settings.attributes.email.casefold(), b""))
        return Person(entry["dn"], subject, name or display_name or subject, display_name, email)


def _plain_name(dn: str) -> str | None:
    r"""`Отдел, кадры` of `cn=Отдел\, кадры,ou=groups,dc=corp`: the name by which it is filed, which members can't add to.

    None for one that reads like a distinguished name itself, and could pass for another group.
    """
    kind, _, rest = dn.partition("=")
    found = re.match(r"((?:\\.|[^,+\\])*),", rest, re.DOTALL)
    if kind.strip().casefold() != "cn" or found is None:
        return None
    name = _unhidden(found[1].strip())
    return None if "=" in name else name


def _unhidden(value: str) -> str:
    data = bytearray()
    end = 0
    for found in _HIDDEN.finditer(value):
        data += value[end : found.start()].encode()
        data += bytes.fromhex(found[1]) if found[1] else found[2].encode()
        end = found.end()
    return (bytes(data) + value[end:].encode()).decode("utf-8", "replace")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip()
