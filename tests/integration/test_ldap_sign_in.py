"""A person of a real directory on the page: what his groups open, and how the directory's changes reach his session."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from assistant.settings_security import Access, Auth
from tests.conftest import need
from tests.integration.test_command_line import Commands
from tests.integration.web_site import PASSWORD as LOCAL_PASSWORD
from tests.integration.web_site import Web, site
from tests.servers.ldap import GROUPS, LOCKED, PASSWORD, PETROV, Authority, Slapd, installed, slapd

pytestmark = pytest.mark.server

RECHECK = 0.4  # seconds
PERSONNEL = f"cn=кадры,{GROUPS}"
ACCESS = f"""
groups:
  "{PERSONNEL.upper().replace(",", ", ")}":
    departments: {{hr: 1}}
  finance:
    departments: {{sales: 1}}
    roles: [engineer]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    need(installed(), "slapd")
    place = tmp_path_factory.mktemp("directory")
    with slapd(place / "server", Authority(place / "authority")) as started:
        yield started


@pytest.fixture(scope="module")
def web(server: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    place = tmp_path_factory.mktemp("web")
    file = place / "access.yaml"
    file.write_text(ACCESS, "utf-8")
    auth = Auth(ldap=[server.settings()], recheck_minutes=RECHECK / 60)
    with site(place, auth=auth, access=Access(file=file)) as found:
        yield found


def sign_in(client: httpx.Client, name: str, password: str) -> httpx.Response:
    return client.post("/login", data={"name": name, "password": password})


def found(client: httpx.Client, query: str) -> set[str]:
    answer = client.post("/api/search", json={"query": query})
    assert answer.status_code == 200, answer.text
    return {result["document"] for result in answer.json()["results"]}


def soon(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_person_of_the_directory(web: Web, server: Slapd) -> None:
    with web.client() as client:
        assert sign_in(client, "петров", "не тот").status_code == 401
        assert sign_in(client, "петров", "пароль-Петрова").status_code == 303
        hr = web.document("hr/leave.md")
        assert hr not in found(client, "отпуск двадцать восемь дней")

        server.add(PERSONNEL, objectClass="groupOfNames", member=PETROV)
        try:
            soon(lambda: hr in found(client, "отпуск двадцать восемь дней"))
            assert web.document("hr/managers/grades.md") not in found(client, "salary grade nine")
        finally:
            server.remove(PERSONNEL)
        soon(lambda: hr not in found(client, "отпуск двадцать восемь дней"))

        server.change(PETROV, **LOCKED)
        try:
            soon(lambda: client.post("/api/search", json={"query": "пропуск"}).status_code == 401)
            assert sign_in(client, "петров", "пароль-Петрова").status_code == 401
        finally:
            server.change(PETROV, pwdAccountLockedTime=[])
        assert client.post("/api/search", json={"query": "пропуск"}).status_code == 401, "the session is over for good"
        assert sign_in(client, "петров", "пароль-Петрова").status_code == 303
        assert found(client, "пропуск выдаёт охрана")


def test_what_nested_groups_give(web: Web) -> None:
    """Ivanova is in `finance` through the accounts department; a role comes with it."""
    with web.client() as client:
        assert sign_in(client, "ivanova", PASSWORD).status_code == 303
        assert web.document("sales/prices.md") in found(client, "скидка без согласования")
        assert web.document("hr/leave.md") not in found(client, "отпуск двадцать восемь дней")
    (who,) = [who for who in web.assistant.users.list() if who.name == "ivanova"]
    assert "engineer" in who.roles


def test_local_accounts_stay_beside_it(web: Web) -> None:
    with web.client("hr") as client:
        assert web.document("hr/leave.md") in found(client, "отпуск двадцать восемь дней")
    with web.client() as client:
        assert sign_in(client, "ivanova", LOCAL_PASSWORD).status_code == 401
        assert sign_in(client, "ivanova", "").status_code == 401


def test_a_directory_that_is_away(server: Slapd, tmp_path: Path) -> None:
    """It says so to who would sign in with it; local accounts and documents go on; health names it, and does not wait."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        away = server.settings(servers=[f"localhost:{silent.getsockname()[1]}"], connect_seconds=1)
        with site(tmp_path, auth=Auth(ldap=[away])) as web, web.client() as client:
            answer = sign_in(client, "ivanova", PASSWORD)
            assert answer.status_code == 503
            assert "каталог" in answer.text.lower()
            assert sign_in(client, "hr", LOCAL_PASSWORD).status_code == 303
            web.forget_health()
            begun = time.monotonic()
            check = client.get("/health").json()["checks"]["directory corp"]
            assert check["state"] == "degraded"
            assert time.monotonic() - begun < 5


# Commands


@pytest.fixture
def commands(server: Slapd, tmp_path: Path) -> Commands:
    (tmp_path / "access.yaml").write_text(ACCESS, "utf-8")
    return Commands(
        tmp_path,
        ASSISTANT_AUTH__LDAP=json.dumps([server.written()]),
        ASSISTANT_ACCESS__FILE=str(tmp_path / "access.yaml"),
    )


def test_users_look_up(commands: Commands) -> None:
    (said,) = commands.json("users", "look-up", "ivanova")["directories"]
    assert said["entries"] == ["cn=Иванова Анна,ou=Сотрудники,dc=corp,dc=example"]
    assert (said["enabled"], said["password"], said["problem"]) == (True, None, "")
    assert "finance" in said["groups"]
    assert said["grants"] == [{"department": "sales", "level": 1}]
    assert said["roles"] == ["engineer"]
    for name, reason in (("sidorov", "switched off"), ("twin", "two entries"), ("nobody", "nobody of this name")):
        done = commands.run("users", "look-up", name)
        assert done.returncode == 1
        assert reason in done.stdout


def test_doctor_asks_the_directories(commands: Commands, server: Slapd) -> None:
    wrong = server.written(name="branch", servers=[f"127.0.0.1:{server.tls_port}"])
    old = server.written(name="old", bind_password="old")
    commands.environment["ASSISTANT_AUTH__LDAP"] = json.dumps([server.written(), wrong, old])
    checks = json.loads(commands.run("doctor", "--json").stdout)["checks"]
    parts = {name: checks[f"directory {name}"] for name in ("corp", "branch", "old")}
    assert {name: part["state"] for name, part in parts.items()} == {
        "corp": "ok",
        "branch": "degraded",
        "old": "degraded",
    }
    assert "LDAPS, people are found" in parts["corp"]["detail"]
    assert "IP address mismatch" in parts["branch"]["detail"]
    assert "ca_file" in parts["branch"]["advice"]
    assert "refuses the service account" in parts["old"]["detail"]
    assert "auth.ldap" in parts["old"]["advice"]
