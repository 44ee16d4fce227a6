"""Signing in with a real OpenLDAP server: who gets in as whom, and what happens when the server is not as it should be."""

from __future__ import annotations

import logging
import socket
import ssl
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from assistant.errors import AccessDenied, SignInUnavailable
from assistant.parts.sign_in.ldap import Directory
from assistant.settings_ldap import Ldap
from tests.conftest import need
from tests.servers.ldap import (
    ACCOUNTS,
    BASE,
    FINANCE,
    GROUPS,
    IVANOVA,
    LOCKED,
    OTHER,
    PASSWORD,
    PEOPLE,
    PETROV,
    SERVICE_PASSWORD,
    Authority,
    Slapd,
    installed,
    slapd,
)
from tests.servers.ldap_script import IN_CHAIN, Script, scripted

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    need(installed(), "slapd")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with slapd(tmp_path_factory.mktemp("slapd") / "server", authority) as started:
        yield started


@contextmanager
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


# Who gets in


@pytest.mark.parametrize("tls", ["ldaps", "starttls"])
def test_search_and_bind(server: Slapd, tls: str) -> None:
    found = Directory(server.settings(tls=tls)).check("ivanova", PASSWORD)
    assert found is not None
    assert (found.source, found.name, found.display_name) == ("corp", "ivanova", "Иванова Анна")
    assert found.email == "ivanova@corp.example"
    assert len(found.subject) == 36
    session = server.log().rpartition("ACCEPT")[2]
    assert "TLS established" in session
    assert session.index("TLS established") < session.index("BIND dn")


@pytest.mark.parametrize("tls", ["ldaps", "starttls"])
def test_direct_bind(server: Slapd, tls: str) -> None:
    settings = server.settings(tls=tls, user_dn=f"uid={{name}},{PEOPLE}")
    found = Directory(settings).check("петров", "пароль-Петрова")
    assert found is not None
    assert found.display_name == "Пётр Петров"
    assert Directory(settings).look_up(found.subject) == found
    assert Directory(settings).check("петров", "другой") is None
    assert Directory(settings).check("nobody", "пароль-Петрова") is None


def test_direct_bind_without_service_account(server: Slapd) -> None:
    """People read their own entry; whether they still may nobody can ask later, so that their session ends."""
    directory = Directory(
        server.settings(user_dn=f"uid={{name}},{PEOPLE}", bind_dn="", bind_password=None, disabled_filter="")
    )
    found = directory.check("петров", "пароль-Петрова")
    assert found is not None
    assert found.name == "петров"
    assert directory.look_up(found.subject) is None
    assert directory.examine().ok


def test_whoever_is_let_in_directly_must_be_whom_the_filter_finds(server: Slapd) -> None:
    settings = server.settings(user_dn=f"uid={{name}},{PEOPLE}", user_filter="(&(employeeType=staff)(uid={name}))")
    assert Directory(settings).check("петров", "пароль-Петрова") is None


ANNA = "CN=Anna,OU=Staff,DC=corp,DC=example"


def by_mail_name(script: Script) -> Directory:
    """Direct sign-in as Active Directory has it."""
    return Directory(
        Ldap(
            name="corp",
            kind="active_directory",
            servers=[f"127.0.0.1:{script.port}"],
            tls="none",
            base_dn="DC=corp,DC=example",
            user_dn="{name}@corp.example",
            group_base="OU=Groups,DC=corp,DC=example",
        )
    )


def test_direct_sign_in_with_a_mail_name() -> None:
    person = {"objectGUID": bytes(range(16)), "sAMAccountName": b"anna", "displayName": "Анна".encode()}
    groups = ["CN=Finance,OU=Groups,DC=corp,DC=example"]
    with scripted(Script({"anna@corp.example": "a-1", ANNA: "a-1"}, ANNA, person, groups)) as script:
        found = by_mail_name(script).check("anna", "a-1")
        assert found is not None
        assert (found.name, found.display_name, found.groups) == ("anna", "Анна", (*groups, "Finance"))
        assert script.binds == ["anna@corp.example", ANNA]
        assert any(IN_CHAIN in query for query in script.queries), "groups in groups, at once"
        assert by_mail_name(script).check("anna", "a-2") is None


def test_a_mail_name_that_is_not_the_found_entrys() -> None:
    """`boris@corp.example` let Boris in with his password, but the filter finds Anna: nobody is let in as her."""
    with scripted(Script({"boris@corp.example": "b-1", ANNA: "a-1"}, ANNA, {"objectGUID": bytes(16)})) as script:
        assert by_mail_name(script).check("boris", "b-1") is None
        assert script.binds == ["boris@corp.example", ANNA]


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ivanova", "wrong"),
        ("ivanova", PASSWORD.lower()),
        ("ivanova", PASSWORD + "\0"),
        ("ivanova\0", PASSWORD),
        ("nobody", PASSWORD),
        ("sidorov", "sidorov-1"),  # off
        ("twin", "twin-1"),  # two of them
        ("assistant", SERVICE_PASSWORD),  # no person
    ],
)
def test_others_are_refused(server: Slapd, name: str, password: str) -> None:
    assert Directory(server.settings()).check(name, password) is None
    assert Directory(server.settings(user_dn=f"uid={{name}},{PEOPLE}")).check(name, password) is None


@pytest.mark.parametrize("password", ["", " ", "\t\n", "\0", "\u00a0"])
@pytest.mark.parametrize("direct", [False, True])
def test_an_empty_password_is_not_even_asked_about(server: Slapd, password: str, direct: bool) -> None:
    """This server lets anybody in with an empty password, as many do: it must not be asked."""
    with socket.create_connection(("127.0.0.1", server.port), 2) as raw:
        name = IVANOVA.encode()
        bind = b"\x02\x01\x03\x04" + bytes([len(name)]) + name + b"\x80\x00"
        message = b"\x02\x01\x01\x60" + bytes([len(bind)]) + bind
        raw.sendall(b"\x30" + bytes([len(message)]) + message)
        assert raw.recv(100)[7:10] == b"\x0a\x01\x00", "the test's server must accept it"
    before = server.log().count("BIND dn")
    settings = server.settings(user_dn=f"uid={{name}},{PEOPLE}") if direct else server.settings()
    assert Directory(settings).check("ivanova", password) is None
    assert server.log().count("BIND dn") == before


INJECTIONS = [
    "*",
    "ivanov*",
    "ivanova)(uid=*",
    "*)(objectClass=*",
    "ivanova)(|(uid=*))",
    "nobody)(|(cn=*",
    "\\2a",
    "ivanova\\",
    "x>=a",
    "x~=ivanova",
    "cn:=Иванова Анна",
    "dn:2.5.13.2:=ivanova",
    f"ivanova,{PEOPLE}",
    "ivanova+cn=x",
    '"ivanova"',
    "#04020500",
    "<ivanova>",
    "ivanova;x",
    "&",
    "(",
    ")",
    "ivanova\r\n",
    "{dn}",
    "{name}",
    "\ud800",
    "я" * 300,
]


@pytest.mark.parametrize("name", INJECTIONS)
def test_injection(server: Slapd, name: str) -> None:
    """With Ivanova's own password: a name that became a part of the filter would let it in."""
    assert Directory(server.settings()).check(name, PASSWORD) is None
    assert Directory(server.settings(user_dn=f"uid={{name}},{PEOPLE}")).check(name, PASSWORD) is None
    assert Directory(server.settings()).look_up(name) is None


def test_names_that_need_escaping_get_in(server: Slapd) -> None:
    """What must not break out must not be lost either."""
    for name in ("о(дин)*", "два, три", "a=b", "x>=y", "#hash", "back\\slash"):
        place = "cn=Escaped," + PEOPLE
        server.add(place, objectClass="inetOrgPerson", uid=name, sn="x", userPassword="escaped-1")
        try:
            found = Directory(server.settings()).check(name, "escaped-1")
            assert found is not None
            assert found.name == name
            assert Directory(server.settings()).look_up(found.subject) == found
        finally:
            server.remove(place)


def test_direct_names_that_need_escaping_get_in(server: Slapd) -> None:
    place = f"uid=два\\2C три\\3Dx,{PEOPLE}"
    server.add(place, objectClass="inetOrgPerson", cn="x", sn="x", userPassword="escaped-1")
    try:
        found = Directory(server.settings(user_dn=f"uid={{name}},{PEOPLE}")).check("два, три=x", "escaped-1")
        assert found is not None
        assert found.name == "два, три=x"
    finally:
        server.remove(place)


@pytest.mark.parametrize("password", ["пароль", "  spaces around  ", "emoji 🔑", "½ ﬁ Å", "a" * 200])
def test_passwords_reach_the_directory_as_they_are_typed(server: Slapd, password: str) -> None:
    server.change(PETROV, userPassword=password)
    try:
        assert Directory(server.settings()).check("петров", password) is not None
    finally:
        server.change(PETROV, userPassword="пароль-Петрова")


def test_unknown_name_and_wrong_password_take_the_same_steps(server: Slapd) -> None:
    """What is asked of the server is the same, and so is the time but for what the server takes."""
    directory = Directory(server.settings())

    def steps(name: str) -> list[str]:
        before = len(server.log())
        assert directory.check(name, "wrong") is None
        time.sleep(0.05)
        return [word for word in server.log()[before:].split() if word in ("BIND", "SRCH", "RESULT", "UNBIND")]

    assert steps("ivanova") == steps("nobody") == steps("twin")

    def seconds(name: str) -> float:
        start = time.perf_counter()
        directory.check(name, "wrong")
        return time.perf_counter() - start

    times = [(seconds("ivanova"), seconds("nobody")) for _ in range(15)]
    known, unknown = (statistics.median(column) for column in zip(*times, strict=True))
    assert abs(known - unknown) < 0.5 * max(known, unknown), (known, unknown)


# Groups


def test_nested_groups_with_a_ring(server: Slapd) -> None:
    found = Directory(server.settings()).check("ivanova", PASSWORD)
    assert found is not None
    assert {ACCOUNTS.replace("\\,", "\\2C"), FINANCE, f"cn=ring1,{GROUPS}", f"cn=ring2,{GROUPS}"} <= set(found.groups)
    assert {"Бухгалтерия, центральная", "finance", "ring1", "ring2", "unix"} <= set(found.groups)


def test_groups_elsewhere_and_names_that_pass_for_others_give_nothing(server: Slapd) -> None:
    found = Directory(server.settings()).check("ivanova", PASSWORD)
    assert found is not None
    assert "directors" not in found.groups  # of the same name, but not below group_base
    assert not [name for name in found.groups if name.startswith("cn=directors")]
    # Without a group_base of their own nobody knows who may make groups: no plain names.
    wide = Directory(server.settings(group_base=None)).check("ivanova", PASSWORD)
    assert wide is not None
    assert f"cn=directors,{OTHER}" in wide.groups
    assert all(name.endswith(BASE) for name in wide.groups)


@pytest.mark.parametrize(("changed", "expected"), [({"nested": "off"}, 3), ({"nested_depth": 1}, 4), ({}, 6)])
def test_depth_of_groups(server: Slapd, changed: dict[str, str | int], expected: int) -> None:
    found = Directory(server.settings(**changed)).check("ivanova", PASSWORD)
    assert found is not None
    assert len([name for name in found.groups if name.endswith(GROUPS)]) == expected


def test_too_many_groups_are_said(server: Slapd) -> None:
    with pytest.raises(AccessDenied, match="more than 3 groups of the directory corp"):
        Directory(server.settings(max_groups=3)).check("ivanova", PASSWORD)
    found = Directory(server.settings()).check("ivanova", PASSWORD)
    assert found is not None
    assert Directory(server.settings(max_groups=3)).look_up(found.subject) is None


def test_changes_are_seen_by_look_up(server: Slapd) -> None:
    directory = Directory(server.settings())
    before = directory.check("петров", "пароль-Петрова")
    assert before is not None
    assert before.groups == ()
    server.add(f"cn=кадры,{GROUPS}", objectClass="groupOfNames", member=PETROV)
    try:
        during = directory.look_up(before.subject)
        assert during is not None
        assert during.groups == (f"cn=кадры,{GROUPS}", "кадры")
    finally:
        server.remove(f"cn=кадры,{GROUPS}")
    assert directory.look_up(before.subject) == before
    server.change(PETROV, **LOCKED)
    assert directory.look_up(before.subject) is None
    assert directory.check("петров", "пароль-Петрова") is None
    server.change(PETROV, pwdAccountLockedTime=[])
    assert directory.look_up(before.subject) == before
    server.rename(PETROV, "uid=петров-2")
    try:
        renamed = directory.look_up(before.subject)
        assert renamed is not None
        assert (renamed.subject, renamed.name) == (before.subject, "петров-2")
    finally:
        server.rename(f"uid=петров-2,{PEOPLE}", "uid=петров")
    assert directory.look_up("00000000-0000-0000-0000-000000000000") is None


def test_whoever_no_longer_fits_the_filter_is_gone(server: Slapd) -> None:
    found = Directory(server.settings()).check("ivanova", PASSWORD)
    assert found is not None
    narrow = server.settings(user_filter="(&(objectClass=person)(employeeType=staff)(uid={name}))")
    assert Directory(narrow).look_up(found.subject) is None
    assert Directory(narrow).check("ivanova", PASSWORD) is None


def test_a_filter_that_the_directory_can_not_answer_lets_nobody_in(server: Slapd) -> None:
    directory = Directory(server.settings(disabled_filter="(noSuchAttribute=1)"))
    with pytest.raises(AccessDenied, match="does not say whether accounts are switched off"):
        directory.check("ivanova", PASSWORD)
    assert not directory.examine().ok


def test_references_to_other_servers_are_not_followed(server: Slapd) -> None:
    """With them the service account's password would go to whoever the reference names."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.3)
        target = f"ldap://127.0.0.1:{other.getsockname()[1]}/dc=elsewhere"
        server.add(f"ou=elsewhere,{BASE}", objectClass=["referral", "extensibleObject"], ou="elsewhere", ref=target)
        found = Directory(server.settings()).check("ivanova", PASSWORD)
        assert found is not None
        with pytest.raises(TimeoutError):
            other.accept()


def test_many_at_once(server: Slapd) -> None:
    """Nobody becomes somebody else, and a wrong password is wrong also beside right ones."""
    directory = Directory(server.settings())
    tries = [
        ("ivanova", PASSWORD),
        ("петров", "пароль-Петрова"),
        ("ivanova", "пароль-Петрова"),
        ("nobody", PASSWORD),
    ] * 8
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: directory.check(*one), tries))
    assert [who and who.name for who in found] == ["ivanova", "петров", None, None] * 8


# As Active Directory keeps people


def test_active_directory(server: Slapd) -> None:
    """Its ids, its switched-off bit and its expiry, in its own schema; nested groups at once need the real one."""
    place = f"cn=Ольга,{PEOPLE}"
    person = {"objectClass": "user", "sn": "О", "displayName": "Ольга Орлова", "userPassword": "ольга-1"}
    person |= {"sAMAccountName": "orlova", "userAccountControl": "512", "accountExpires": "0"}
    server.add(place, objectGUID=bytes.fromhex("33221100554477668899aabbccddeeff"), **person)
    directory = Directory(
        server.settings(
            kind="active_directory",
            user_filter="(&(objectClass=user)(sAMAccountName={name}))",
            group_filter="(member={dn})",
            nested="walk",
        )
    )
    try:
        found = directory.check("orlova", "ольга-1")
        assert found is not None
        assert found.subject == "00112233-4455-6677-8899-aabbccddeeff"
        assert (found.name, found.display_name) == ("orlova", "Ольга Орлова")
        assert directory.look_up(found.subject) == found
        assert directory.look_up("*") is None
        for change in ({"userAccountControl": "514"}, {"accountExpires": "132000000000000000"}):  # off; until 2019
            server.change(place, **change)
            assert directory.check("orlova", "ольга-1") is None
            assert directory.look_up(found.subject) is None
            server.change(place, userAccountControl="512", accountExpires="9223372036854775807")
            assert directory.look_up(found.subject) == found
    finally:
        server.remove(place)


# Servers that are not as they should be


@pytest.mark.parametrize("tls", ["ldaps", "starttls"])
def test_certificate_of_another_authority(server: Slapd, tls: str, tmp_path: Path) -> None:
    directory = Directory(server.settings(tls=tls, ca_file=Authority(tmp_path / "other").file))
    before = server.log().count("BIND dn")
    with pytest.raises(SignInUnavailable, match="Corp can't be asked now"):
        directory.check("ivanova", PASSWORD)
    assert "unable to get local issuer" in directory.state().detail
    assert "ca_file" in directory.state().advice
    assert server.log().count("BIND dn") == before, "no password was sent"


@pytest.mark.parametrize("tls", ["ldaps", "starttls"])
def test_the_system_does_not_vouch_for_it(server: Slapd, tls: str) -> None:
    with pytest.raises(SignInUnavailable):
        Directory(server.settings(tls=tls, ca_file=None)).check("ivanova", PASSWORD)


@pytest.mark.parametrize("tls", ["ldaps", "starttls"])
def test_certificate_for_another_host(server: Slapd, tls: str) -> None:
    port = server.tls_port if tls == "ldaps" else server.port
    directory = Directory(server.settings(tls=tls, servers=[f"127.0.0.1:{port}"]))
    with pytest.raises(SignInUnavailable):
        directory.check("ivanova", PASSWORD)
    assert "IP address mismatch" in directory.state().detail
    assert "servers to the names" in directory.state().advice


@pytest.mark.parametrize("tls", ["ldaps", "starttls"])
def test_expired_certificate(authority: Authority, tmp_path: Path, tls: str) -> None:
    with slapd(tmp_path / "expired", authority, certificate=authority.issue("localhost", days=-5)) as server:
        directory = Directory(server.settings(tls=tls))
        with pytest.raises(SignInUnavailable):
            directory.check("ivanova", PASSWORD)
        assert "expired" in directory.state().detail


def test_server_without_starttls(authority: Authority, tmp_path: Path) -> None:
    """Nothing is sent in the clear instead."""
    with slapd(tmp_path / "plain", authority, tls=False) as server:
        directory = Directory(server.settings(tls="starttls"))
        with pytest.raises(SignInUnavailable):
            directory.check("ivanova", PASSWORD)
        assert "startTLS failed" in directory.state().detail
        assert "BIND dn" not in server.log()


def test_without_encryption_on_this_machine(server: Slapd) -> None:
    assert Directory(server.settings(tls="none")).check("ivanova", PASSWORD) is not None


def test_anonymous_search(authority: Authority, tmp_path: Path) -> None:
    with slapd(tmp_path / "open", authority, anonymous=True) as server:
        settings = server.settings(bind_dn="", bind_password=None)
        found = Directory(settings).check("ivanova", PASSWORD)
        assert found is not None
        assert "finance" in found.groups
        assert Directory(settings).look_up(found.subject) == found
        assert Directory(settings).check("ivanova", "wrong") is None


def test_service_password_from_a_file(server: Slapd, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(SERVICE_PASSWORD + "\n", "utf-8")
    settings = server.settings(bind_password=None, bind_password_file=file)
    assert Directory(settings).check("ivanova", PASSWORD) is not None


def test_wrong_service_password(server: Slapd) -> None:
    directory = Directory(server.settings(bind_password="old"))
    with pytest.raises(SignInUnavailable, match="can't be asked now"):
        directory.check("ivanova", PASSWORD)
    assert "bind_dn" in directory.examine().detail


def test_wrong_base(server: Slapd) -> None:
    directory = Directory(server.settings(base_dn="dc=elsewhere"))
    with pytest.raises(SignInUnavailable):
        directory.check("ivanova", PASSWORD)
    assert "dc=elsewhere" in directory.state().detail


def test_a_server_that_is_down_or_silent_costs_its_time_once(server: Slapd) -> None:
    with silent() as hanging:
        servers = [f"localhost:{closed_port()}", f"localhost:{hanging}", f"localhost:{server.tls_port}"]
        directory = Directory(server.settings(servers=servers, connect_seconds=1, rest_seconds=2))

        def seconds() -> float:
            start = time.perf_counter()
            assert directory.check("ivanova", PASSWORD) is not None
            return time.perf_counter() - start

        assert 1.0 <= seconds() < 2.5
        assert seconds() < 0.9
        state = directory.state()
        assert not state.ok
        assert "no connection in 1 s" in state.detail
        time.sleep(2)
        assert seconds() >= 1.0  # it is tried again after its rest


@pytest.mark.parametrize("tls", ["ldaps", "starttls", "none"])
def test_all_servers_silent(server: Slapd, tls: str) -> None:
    with silent() as hanging:
        directory = Directory(
            server.settings(tls=tls, servers=[f"localhost:{hanging}"], connect_seconds=1, answer_seconds=1)
        )
        start = time.perf_counter()
        with pytest.raises(SignInUnavailable, match="try again in a minute"):
            directory.check("ivanova", PASSWORD)
        assert time.perf_counter() - start < 3
        start = time.perf_counter()
        with pytest.raises(SignInUnavailable):
            directory.look_up("x")
        assert time.perf_counter() - start < 0.2  # it rests


def test_a_server_that_goes_silent_after_its_certificate(server: Slapd, authority: Authority) -> None:
    """Also one that sends a byte now and then: the time is for the whole answer."""
    import threading

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("localhost"))
    stop = threading.Event()

    def serve(listening: socket.socket) -> None:
        plain, _ = listening.accept()
        with context.wrap_socket(plain, server_side=True) as shown:
            shown.recv(1000)
            try:
                shown.sendall(b"\x30\x84\x00\xff\xff\xff")  # the beginning of a long answer
                while not stop.wait(0.3):
                    shown.sendall(b"\x00")
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        servers = [f"localhost:{listening.getsockname()[1]}", f"localhost:{server.tls_port}"]
        directory = Directory(server.settings(servers=servers, answer_seconds=1))
        start = time.perf_counter()
        assert directory.check("ivanova", PASSWORD) is not None
        assert 1 <= time.perf_counter() - start < 3
        assert "no answer in 1 s" in directory.state().detail
        stop.set()
        thread.join(5)


def test_a_server_that_is_no_directory(server: Slapd) -> None:
    import threading

    def serve(listening: socket.socket) -> None:
        plain, _ = listening.accept()
        with plain:
            plain.recv(1000)
            plain.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        directory = Directory(
            server.settings(tls="none", servers=[f"localhost:{listening.getsockname()[1]}"], answer_seconds=2)
        )
        with pytest.raises(SignInUnavailable):
            directory.check("ivanova", PASSWORD)
        thread.join(5)


def test_passwords_are_in_no_log_and_no_error(server: Slapd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = server.settings()
    directory = Directory(settings)
    directory.check("ivanova", PASSWORD)
    directory.check("ivanova", "secret-typed-1")
    broken = Directory(server.settings(servers=[f"localhost:{closed_port()}"]))
    with pytest.raises(SignInUnavailable) as raised:
        broken.check("ivanova", "secret-typed-1")
    for text in (caplog.text, repr(raised.value), repr(settings), repr(directory.state())):
        assert "secret-typed-1" not in text
        assert SERVICE_PASSWORD not in text
        assert PASSWORD not in text
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
