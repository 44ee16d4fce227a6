"""The settings of one directory: LDAP or Active Directory. Checked here as far as they can be without asking it."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveInt, SecretStr, model_validator

from assistant.settings_block import Block


class LdapAttributes(Block):
    id: str | None = Field(
        default=None, description="It never changes: objectGUID of Active Directory, entryUUID of OpenLDAP."
    )
    name: str | None = Field(default=None, description="The name for lists: sAMAccountName, or uid of OpenLDAP.")
    display_name: str | None = Field(default=None, description="The person's name: displayName, or cn of OpenLDAP.")
    email: str = Field(default="mail", description="The address.")


class Ldap(Block):
    name: str = Field(
        pattern="^[a-z][a-z0-9_-]{0,39}$", description="Short name; accounts of this directory are known by it."
    )
    label: str = Field(default="", description="What people call it; by default its name.")
    kind: Literal["active_directory", "openldap"] = Field(description="Whose attributes and filters are the defaults.")
    servers: list[str] = Field(min_length=1, description="`host` or `host:port`, asked in this order.")
    tls: Literal["ldaps", "starttls", "none"] = Field(
        default="ldaps", description="`ldaps` (port 636), `starttls` (port 389); `none` only for this machine."
    )
    ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) that alone vouch for the servers; by default the system's."
    )
    base_dn: str = Field(min_length=1, description="Below it people are looked for.")
    bind_dn: str = Field(default="", description="The service account that looks for people; empty: anonymously.")
    bind_password: SecretStr | None = Field(default=None, description="Its password.")
    bind_password_file: Path | None = Field(default=None, description="A file with the password, instead.")
    user_dn: str | None = Field(
        default=None,
        description="Direct sign-in as `uid={name},ou=people,dc=corp` or `{name}@corp.example`.",
    )
    user_filter: str | None = Field(default=None, description="Finds the person by what he types, `{name}`.")
    attributes: LdapAttributes = Field(default=LdapAttributes(), description="What is read of a person.")
    disabled_filter: str | None = Field(
        default=None,
        description="Finds accounts that are off; `{filetime}` is now as Active Directory counts; empty: none.",
    )
    group_base: str | None = Field(
        default=None, description="Below it groups are looked for, and their plain names count too; by default base_dn."
    )
    group_filter: str | None = Field(
        default=None, description="Finds the groups of the member `{dn}`, or of the person's `{name}`."
    )
    nested: Literal["chain", "walk", "off"] | None = Field(
        default=None, description="Groups in groups: `chain` asks Active Directory at once, `walk` asks level by level."
    )
    nested_depth: PositiveInt = Field(default=10, description="Levels of groups in groups that `walk` goes up.")
    max_groups: PositiveInt = Field(default=1000, description="A person with more groups can't enter, and it is said.")
    connect_seconds: PositiveInt = Field(
        default=3, description="Time for a server's name, connection and certificate; then the next server is asked."
    )
    answer_seconds: PositiveInt = Field(default=10, description="Time for all that one server is asked at a sign-in.")
    rest_seconds: PositiveInt = Field(default=30, description="A server that failed is left alone for this long.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.name == "local":
            raise ValueError("`local` is the name of the accounts kept here: take another name")
        for server in self.servers:
            host, _ = host_and_port(server, 0)
            if self.tls == "none" and not _is_this_machine(host):
                raise ValueError(f"tls: `none` would send passwords to {host} for everybody to read: ldaps or starttls")
        written = bool(self.bind_password and self.bind_password.get_secret_value())
        if written and self.bind_password_file:
            raise ValueError("give bind_password or bind_password_file, not both")
        if bool(self.bind_dn) != (written or self.bind_password_file is not None):
            raise ValueError("bind_dn and bind_password (or bind_password_file) go together")
        for key, needed in (("user_dn", "{name}"), ("user_filter", "{name}"), ("group_filter", "{dn}")):
            value = getattr(self, key)
            if value is not None and needed not in value and not (key == "group_filter" and "{name}" in value):
                raise ValueError(f"{key}: {needed} is missing in it")
        return self


def host_and_port(server: str, default: int) -> tuple[str, int]:
    """`host`, `host:port`, `[::1]:port`. Raises `ValueError`."""
    if server.startswith("["):
        host, closed, port = server[1:].partition("]")
        port = port.removeprefix(":") if closed else "?"
    elif server.count(":") > 1:
        host, port = server, ""
    else:
        host, _, port = server.partition(":")
    if not host or "/" in host or not (port.isdecimal() or not port) or int(port or 1) not in range(1, 65536):
        raise ValueError(f"servers: '{server}' is no `host` or `host:port`")
    return host, int(port) if port else default


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
