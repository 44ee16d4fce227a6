"""The shared Chroma server, with real processes: who starts it, who joins, and who ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.errors import ChromaUnavailable
from tests.integration.chroma_sites import MANAGED, ROOT, Make, User, alive, fill, free_port, pid_of, servers_of

pytestmark = MANAGED


def test_opens_nothing_until_asked_and_leaves_nothing_behind(make: Make, storage: Path) -> None:
    server = make()
    assert not storage.exists()
    fill(server)
    assert server.client() is server.client()
    assert 0 < server.heartbeat() < 5
    assert server.version() == (storage / "chroma" / "VERSION.assistant").read_text().strip()
    assert server.url.startswith("http://127.0.0.1:")
    pid = pid_of(server)
    server.close()
    server.close()
    assert not alive(pid)
    with pytest.raises(ChromaUnavailable, match="closed"):
        server.client()
    with make() as second:
        assert second.client().get_collection("notes", embedding_function=None).count() == 2


def test_heavy_modules_are_imported_at_first_use_only() -> None:
    code = "import sys, assistant.index.chroma_server; print({'chromadb', 'psutil', 'httpx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_second_process_joins_whatever_its_port_and_the_last_one_stops_it(
    make: Make, user: Callable[..., User]
) -> None:
    first, port = user(), free_port()
    started = first.do("restart_if_dead")
    second = user(port)
    assert second.do("restart_if_dead") | {"value": 0} == started | {"value": 0}
    first.do("close")
    assert second.do("heartbeat")["value"] < 5
    second.do("close")
    assert not alive(started["pid"])


def test_two_objects_of_one_process_are_two_users(make: Make) -> None:
    first, second = make(), make()
    assert pid_of(first) == pid_of(second)
    first.close()
    assert second.client().list_collections() == []


def test_processes_that_start_at_once_start_one(user: Callable[..., User], storage: Path) -> None:
    users = [user() for _ in range(6)]
    for each in users:
        each.ask("restart_if_dead")
    assert len({each.answer()["pid"] for each in users}) == 1
    assert len(servers_of(storage)) == 1
    for each in users:
        each.ask("close")
    for each in users:
        assert "error" not in each.answer()
    assert servers_of(storage) == []


def test_threads_that_start_at_once_share_one_client(make: Make, storage: Path) -> None:
    server, clients, gate = make(), [], threading.Barrier(8)

    def work() -> None:
        gate.wait()
        clients.append(server.client())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(clients) == 8
    assert len(set(map(id, clients))) == 1
    assert len(servers_of(storage)) == 1


def test_leaving_while_others_join_never_takes_the_server_from_them(user: Callable[..., User], storage: Path) -> None:
    """Each round ends with a heartbeat: were the server stopped under a user, that one would say so."""
    users = [user() for _ in range(4)]
    for each in users:
        each.ask("restart_if_dead heartbeat again " * 15 + "restart_if_dead heartbeat close")
    for each in users:
        assert "error" not in each.answer()
    assert servers_of(storage) == []


def test_a_killed_user_does_not_count_and_its_server_is_adopted(user: Callable[..., User], make: Make) -> None:
    first = user()
    started = first.do("restart_if_dead")
    first.end(signal.SIGKILL)
    assert alive(started["pid"])
    server = make()
    assert pid_of(server) == started["pid"]
    server.close()
    assert not alive(started["pid"])


def test_a_user_that_forgets_to_close_leaves_at_exit(user: Callable[..., User]) -> None:
    first = user()
    pid = first.do("restart_if_dead")["pid"]
    first.end()
    assert not alive(pid)


def test_ctrl_c_in_one_users_terminal_leaves_the_server_to_the_others(user: Callable[..., User], make: Make) -> None:
    first = user(start_new_session=True, stderr=subprocess.DEVNULL)
    pid = first.do("restart_if_dead")["pid"]
    server = make()
    assert pid_of(server) == pid
    os.killpg(first.process.pid, signal.SIGINT)  # what a terminal does: to the whole group
    first.end()
    assert pid_of(server) == pid
    assert server.client().list_collections() == []
