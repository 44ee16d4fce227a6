"""A real OpenLDAP server with certificates and people of its own, on free loopback ports, ended with its test."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ldap3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from assistant.settings_ldap import Ldap

BASE = "dc=corp,dc=example"
PEOPLE, GROUPS, OTHER = f"ou=Сотрудники,{BASE}", f"ou=groups,{BASE}", f"ou=teams,{BASE}"
SERVICE, SERVICE_PASSWORD = f"cn=assistant,{BASE}", "служебный-пароль"
ROOT, ROOT_PASSWORD = f"cn=root,{BASE}", "root-password"
IVANOVA, PETROV, SIDOROV = f"cn=Иванова Анна,{PEOPLE}", f"uid=петров,{PEOPLE}", f"uid=sidorov,{PEOPLE}"
PASSWORD = "Пароль-Ивановой 1"
ACCOUNTS, FINANCE = f"cn=Бухгалтерия\\, центральная,{GROUPS}", f"cn=finance,{GROUPS}"
LOCKED = {"pwdAccountLockedTime": "000001010000Z"}  # as an administrator switches an account off

_CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
include {folder}/ad.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile {folder}/slapd.pid
{tls}
# What companies' servers do, and what we must not fall for: any name with an empty password is let in.
allow bind_anon_dn
database mdb
suffix "{base}"
rootdn "{root}"
rootpw "{root_password}"
directory {folder}/data
index objectClass,uid,cn,member,entryUUID eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read by {everybody} read by * auth
overlay ppolicy
"""

# Of Active Directory's schema what is asked for; Debian's msuser.schema has no rules to compare by.
_AD_SCHEMA = """
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch ORDERING integerOrderingMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY integerMatch ORDERING integerOrderingMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP organizationalPerson STRUCTURAL
  MAY ( displayName $ mail $ sAMAccountName $ objectGUID $ userAccountControl $ accountExpires ) )
"""


def installed() -> bool:
    return shutil.which("slapd", path=f"{os.environ['PATH']}:/usr/sbin") is not None


@dataclass
class Authority:
    """Makes certificates as a company does for itself."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Company CA")])
        built = self._builder(self._name, self._key, days=30).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        signed = built.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.file = self.folder / "ca.pem"
        self.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def issue(self, *hosts: str, days: int = 30) -> tuple[Path, Path]:
        """Certificate and key for these hosts; with negative `days` one that is over."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
        names = [_general_name(host) for host in hosts]
        built = self._builder(name, key, days=days).add_extension(x509.SubjectAlternativeName(names), critical=False)
        built = built.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)
        signed = built.sign(self._key, hashes.SHA256())
        certificate, private = self.folder / f"{hosts[0]}{days}.pem", self.folder / f"{hosts[0]}{days}.key"
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, private

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        begin, end = sorted((now + datetime.timedelta(days=days), now - datetime.timedelta(days=1)))
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@dataclass
class Slapd:
    """A running server."""

    port: int
    tls_port: int
    authority: Authority
    log_file: Path

    def settings(self, **changed: Any) -> Ldap:  # noqa: ANN401 - any setting
        return Ldap.model_validate(self.written(**changed))

    def written(self, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - any setting
        """Search and bind over LDAPS, as an administrator of this company would write it."""
        chosen: dict[str, Any] = {
            "name": "corp",
            "label": "Corp",
            "kind": "openldap",
            "servers": [f"localhost:{self.port if changed.get('tls', 'ldaps') != 'ldaps' else self.tls_port}"],
            "ca_file": str(self.authority.file),
            "base_dn": BASE,
            "bind_dn": SERVICE,
            "bind_password": SERVICE_PASSWORD,
            "group_base": GROUPS,
            "connect_seconds": 2,
            "answer_seconds": 5,
        }
        return {**chosen, **changed}

    def change(self, dn: str, **values: str | list[str]) -> None:
        """Set these attributes; an empty list takes one away."""
        each = {
            name: [(ldap3.MODIFY_REPLACE, [value] if isinstance(value, str) else value)]
            for name, value in values.items()
        }
        self._as_root(lambda root: root.modify(dn, each))

    def add(self, dn: str, **values: str | bytes | list[str]) -> None:
        self._as_root(lambda root: root.add(dn, attributes=values))

    def remove(self, dn: str) -> None:
        self._as_root(lambda root: root.delete(dn))

    def rename(self, dn: str, rdn: str) -> None:
        self._as_root(lambda root: root.modify_dn(dn, rdn))

    def log(self) -> str:
        """What was asked so far."""
        return self.log_file.read_text("utf-8", "replace")

    def _as_root(self, do: Any) -> None:  # noqa: ANN401 - ldap3 has no types
        server = ldap3.Server("127.0.0.1", self.port, get_info=ldap3.NONE)
        with ldap3.Connection(server, ROOT, ROOT_PASSWORD, client_strategy=ldap3.SAFE_SYNC) as root:
            done, result, _, _ = do(root)
            assert done, result


@contextmanager
def slapd(
    folder: Path,
    authority: Authority,
    *,
    certificate: tuple[Path, Path] | None = None,
    tls: bool = True,
    anonymous: bool = False,
) -> Iterator[Slapd]:
    """The server with the people of `_people`; by default with a certificate for `localhost` alone."""
    folder.mkdir(parents=True)
    (folder / "data").mkdir()
    shown, private = certificate or authority.issue("localhost")
    config = folder / "slapd.conf"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            base=BASE,
            root=ROOT,
            root_password=ROOT_PASSWORD,
            service=SERVICE,
            tls=f"TLSCertificateFile {shown}\nTLSCertificateKeyFile {private}" if tls else "",
            everybody="*" if anonymous else "users",
        )
    )
    (folder / "ad.schema").write_text(_AD_SCHEMA)
    people = folder / "people.ldif"
    people.write_text(_ldif(_people()))
    path = {"PATH": f"{os.environ['PATH']}:/usr/sbin", "LC_ALL": "C.UTF-8"}
    added = subprocess.run(
        ["slapadd", "-q", "-f", config, "-l", people], env=path, check=False, capture_output=True, text=True
    )
    assert added.returncode == 0, added.stderr
    port, tls_port = _free_port(), _free_port()
    urls = f"ldap://127.0.0.1:{port}" + (f" ldaps://127.0.0.1:{tls_port}" if tls else "")
    log_file = folder / "slapd.log"
    with log_file.open("wb") as log:
        server = subprocess.Popen(["slapd", "-f", config, "-h", urls, "-d", "stats"], env=path, stdout=log, stderr=log)
        try:
            _wait(server, port, log_file)
            yield Slapd(port, tls_port, authority, log_file)
        finally:
            server.terminate()
            server.wait(20)


def _people() -> list[tuple[str, dict[str, str | list[str]]]]:
    person = {"objectClass": ["inetOrgPerson"]}
    group = {"objectClass": ["groupOfNames"]}
    ivanova = {**person, "uid": "ivanova", "sn": "Иванова", "mail": "ivanova@corp.example", "userPassword": PASSWORD}
    return [
        (BASE, {"objectClass": ["dcObject", "organization"], "o": "Corp", "dc": "corp"}),
        (PEOPLE, {"objectClass": "organizationalUnit", "ou": "Сотрудники"}),
        (GROUPS, {"objectClass": "organizationalUnit", "ou": "groups"}),
        (OTHER, {"objectClass": "organizationalUnit", "ou": "teams"}),
        (
            SERVICE,
            {
                "objectClass": ["organizationalRole", "simpleSecurityObject"],
                "cn": "assistant",
                "userPassword": SERVICE_PASSWORD,
            },
        ),
        (IVANOVA, {**ivanova, "cn": "Иванова Анна"}),
        (PETROV, {**person, "uid": "петров", "cn": "Пётр Петров", "sn": "Петров", "userPassword": "пароль-Петрова"}),
        (
            SIDOROV,
            {**person, "uid": "sidorov", "cn": "Сидоров", "sn": "Сидоров", "userPassword": "sidorov-1", **LOCKED},
        ),
        *(
            (
                f"cn=Двойник {n},{PEOPLE}",
                {**person, "uid": "twin", "cn": f"Двойник {n}", "sn": "x", "userPassword": "twin-1"},
            )
            for n in (1, 2)
        ),
        (ACCOUNTS, {**group, "cn": "Бухгалтерия, центральная", "member": IVANOVA}),
        (FINANCE, {**group, "cn": "finance", "member": ACCOUNTS}),
        # A ring: whoever is in one of them is in both.
        (f"cn=ring1,{GROUPS}", {**group, "cn": "ring1", "member": [FINANCE, f"cn=ring2,{GROUPS}"]}),
        (f"cn=ring2,{GROUPS}", {**group, "cn": "ring2", "member": f"cn=ring1,{GROUPS}"}),
        (f"cn=unix,{GROUPS}", {"objectClass": "posixGroup", "cn": "unix", "gidNumber": "7", "memberUid": "ivanova"}),
        # Elsewhere, where others make groups: the same plain name as a group that gives rights.
        (f"cn=directors,{OTHER}", {**group, "cn": "directors", "member": IVANOVA}),
        # A plain name that reads like another group's distinguished name.
        (
            f"cn=cn\\3Ddirectors\\2Cou\\3Dgroups,{GROUPS}",
            {**group, "cn": "cn=directors,ou=groups", "member": IVANOVA},
        ),
    ]


def _ldif(entries: list[tuple[str, dict[str, str | list[str]]]]) -> str:
    def line(name: str, value: str) -> str:
        return f"{name}:: {base64.b64encode(value.encode()).decode()}\n"

    return "\n".join(
        line("dn", dn)
        + "".join(
            line(name, one) for name, value in values.items() for one in ([value] if isinstance(value, str) else value)
        )
        for dn, values in entries
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(server: subprocess.Popen[bytes], port: int, log_file: Path) -> None:
    for _ in range(200):
        assert server.poll() is None, log_file.read_text()
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(log_file.read_text())
