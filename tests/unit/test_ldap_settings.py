"""What of a directory's settings is refused before anything is asked, and how values are written into filters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ldap3.operation.search import MATCH_EQUAL, parse_filter
from pydantic import ValidationError

from assistant.errors import ConfigError
from assistant.parts.sign_in.ldap import Directory
from assistant.parts.sign_in.ldap_entries import KINDS, Questions, _plain_name, escaped, may_be_asked
from assistant.settings_ldap import Ldap, host_and_port
from assistant.settings_security import Auth

GIVEN: dict[str, Any] = {
    "name": "corp",
    "kind": "active_directory",
    "servers": ["dc1.corp.example"],
    "base_dn": "DC=corp,DC=example",
    "bind_dn": "CN=assistant,DC=corp,DC=example",
    "bind_password": "secret-of-the-service",
}


def made(**changed: object) -> Ldap:
    return Ldap.model_validate({**GIVEN, **changed})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tls": "none"}, "for everybody to read"),
        ({"tls": "none", "servers": ["localhost", "10.0.0.1"]}, "10.0.0.1"),
        ({"tls": "none", "servers": ["localhost.evil.example"]}, "localhost.evil.example"),
        ({"name": "local"}, "take another name"),
        ({"name": "Две"}, "pattern"),
        ({"servers": []}, "at least 1"),
        ({"servers": ["ldaps://dc1"]}, "is no `host`"),
        ({"servers": ["dc1:ldaps"]}, "is no `host`"),
        ({"servers": ["dc1:70000"]}, "is no `host`"),
        ({"bind_password": None}, "go together"),
        ({"bind_password": ""}, "go together"),
        ({"bind_dn": ""}, "go together"),
        ({"bind_password_file": "/etc/password"}, "not both"),
        ({"user_dn": "uid=x,dc=corp"}, "user_dn: {name} is missing"),
        ({"user_filter": "(uid=x)"}, "user_filter: {name} is missing"),
        ({"group_filter": "(member=x)"}, "group_filter: {dn} is missing"),
        ({"validate": False}, "Extra inputs"),
    ],
)
def test_refused(changed: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match="(?s)" + words.replace("{", r"\{")):
        made(**changed)


@pytest.mark.parametrize("server", ["localhost", "127.0.0.1:3389", "[::1]:3389", "::1"])
def test_unencrypted_on_this_machine(server: str) -> None:
    made(tls="none", servers=[server])


def test_the_secret_is_masked() -> None:
    for text in (repr(made()), str(Auth(ldap=[made()])), made().model_dump_json()):
        assert "secret-of-the-service" not in text


def test_wrong_filter_and_ca_file_name_their_key() -> None:
    with pytest.raises(ConfigError, match=r"auth.ldap corp: disabled_filter is no filter: \(off=1"):
        Directory(made(disabled_filter="(off=1"))
    with pytest.raises(ConfigError, match="auth.ldap corp: ca_file /nowhere/ca.pem can't be used"):
        Directory(made(ca_file="/nowhere/ca.pem"))


def test_a_password_file_must_be_there_and_hold_something(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for file, words in ((empty, "is empty"), (tmp_path / "none", "can't be read")):
        with pytest.raises(ConfigError, match=words):
            Directory(made(bind_password=None, bind_password_file=file))


def test_host_and_port() -> None:
    assert host_and_port("dc1", 636) == ("dc1", 636)
    assert host_and_port("dc1:1636", 636) == ("dc1", 1636)
    assert host_and_port("[fe80::1]", 636) == ("fe80::1", 636)
    assert host_and_port("[fe80::1]:1636", 636) == ("fe80::1", 1636)


@pytest.mark.parametrize(
    "text", ["*", ")(uid=*", "\\2a", "a>=b", "a:=b", "a~=b", " lead", "Я", "\ud800", "\0", "#", "a=*"]
)
def test_an_escaped_value_stays_one_equality(text: str) -> None:
    """By ldap3's own reading of the filter."""
    (node,) = parse_filter(f"(uid={escaped(text)})", None, False, False, None, False).elements
    assert node.tag == MATCH_EQUAL
    assert node.assertion == {"attr": "uid", "value": escaped(text).encode()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_defaults_are_filters(kind: str) -> None:
    Directory(made(kind=kind))
    questions = Questions(made(kind=kind))
    for query in (questions._user_filter, questions._disabled, questions._group_filter):
        assert "chain" not in query
        parse_filter(query.replace("{filetime}", "1"), None, False, False, None, False)


def test_active_directory_is_asked_for_groups_in_groups_at_once() -> None:
    assert "(member:1.2.840.113556.1.4.1941:={dn})" in Questions(made())._group_filter
    assert "(member={dn})" in Questions(made(nested="off"))._group_filter


@pytest.mark.parametrize(
    ("dn", "name"),
    [
        ("CN=Finance,OU=Groups,DC=corp", "Finance"),
        (r"cn=Отдел\2C кадры,ou=groups", "Отдел, кадры"),
        (r"cn=\D0\9A\D0\B0\D0\B4\D1\80\D1\8B,ou=groups", "Кадры"),
        (r"cn=a\,b\\,ou=groups", "a,b\\"),
        (r"cn=cn\3Dadmins\2Cou\3Dgroups,ou=groups", None),  # would read like another group's place
        (r"cn=a+uid=b,ou=groups", None),
        ("ou=Finance,dc=corp", None),
        ("cn=alone", None),
    ],
)
def test_plain_names_of_groups(dn: str, name: str | None) -> None:
    assert _plain_name(dn) == name


@pytest.mark.parametrize(
    ("name", "password"), [("a", ""), ("a", " \t"), ("", "b"), (" ", "b"), ("a\0", "b"), ("a", "b\0"), ("a" * 257, "b")]
)
def test_never_asked(name: str, password: str) -> None:
    assert not may_be_asked(name, password)
