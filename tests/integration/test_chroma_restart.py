"""The shared Chroma server, with real processes: what survives a fork, a kill -9 and a freeze."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.errors import ChromaUnavailable
from assistant.index import chroma_process, chroma_server
from assistant.index.chroma_server import ChromaServer
from tests.integration.chroma_sites import MANAGED, Make, User, alive, fill, free_port, kill_9, pid_of, servers_of

pytestmark = MANAGED


# Forks


def test_a_forked_child_is_no_user_until_it_asks(make: Make, storage: Path) -> None:
    server = make()
    pid = pid_of(server)
    server.client()
    read, write = os.pipe()
    go_read, go_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(go_read, 1)
        try:
            os.write(write, str(pid_of(server)).encode())
            server.close()
        finally:
            os._exit(0)
    try:
        server.close()
        assert not alive(pid)  # although the child lives and has copies of all our files
        os.write(go_write, b"1")
        own = int(os.read(read, 20))
        assert own != pid
    finally:
        os.waitpid(child, 0)
        for end in (read, write, go_read, go_write):
            os.close(end)


def test_a_forked_child_that_closes_does_not_end_its_parents_place(make: Make) -> None:
    server = make()
    pid = pid_of(server)
    child = os.fork()
    if child == 0:
        try:
            server.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    with make() as second:
        assert pid_of(second) == pid
    assert alive(pid)
    assert pid_of(server) == pid


# Kill -9 of the server


def test_after_a_kill_the_next_call_restarts_it_on_its_port_with_its_data(make: Make) -> None:
    server = make()
    fill(server)
    old_client, pid, url = server.client(), pid_of(server), server.url
    kill_9(pid)
    with pytest.raises(ChromaUnavailable, match="does not answer"):
        server.heartbeat()
    assert server.restart_if_dead()
    assert not server.restart_if_dead()
    assert pid_of(server) != pid
    assert server.url == url
    for client in (server.client(), old_client):
        notes = client.get_collection("notes", embedding_function=None)
        assert notes.query(query_embeddings=[[0.9, 0.1]], n_results=1)["ids"] == [["a"]]


def test_of_many_users_one_restarts_it(make: Make, user: Callable[..., User], storage: Path) -> None:
    server = make()
    fill(server)
    before = pid_of(server)
    users = [user(free_port()) for _ in range(3)]
    for each in users:
        assert each.do("restart_if_dead count")["value"] == 2
    kill_9(before)
    time.sleep(1.1)  # an answer counts for a second
    for each in users:
        each.ask("count")
    answers = [each.answer() for each in users]
    assert [answer["value"] for answer in answers] == [2, 2, 2]
    assert {answer["pid"] for answer in answers} == {pid_of(server)}
    assert {answer["port"] for answer in answers} == {int(server.url.rpartition(":")[2])}
    assert len(servers_of(storage)) == 1


def test_a_newcomer_restarts_it_where_the_others_look_for_it(make: Make) -> None:
    server = make()
    fill(server)
    client, url = server.client(), server.url
    kill_9(pid_of(server))
    newcomer = make(port=free_port())
    assert newcomer.restart_if_dead()
    assert newcomer.url == url
    assert client.get_collection("notes", embedding_function=None).count() == 2


def test_another_program_on_the_dead_servers_port_is_not_taken_for_it(make: Make, tmp_path: Path) -> None:
    server = make()
    fill(server)
    port = int(server.url.rpartition(":")[2])
    kill_9(pid_of(server))
    with ChromaServer(mode="managed", host="127.0.0.1", port=port, path=tmp_path / "other") as other:
        other.client()  # a Chroma all right, but another store's
        assert server.restart_if_dead()
        assert server.url != other.url
        assert server.client().get_collection("notes", embedding_function=None).count() == 2


def test_a_port_that_is_about_to_be_free_is_waited_for(tmp_path: Path) -> None:
    """As that of a server killed a moment ago: the kernel takes it out of the process list before it closes its socket."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = int(holder.getsockname()[1])
        release = threading.Timer(0.3, holder.close)
        release.start()
        with ChromaServer(mode="managed", host="127.0.0.1", port=port, path=tmp_path / "other") as server:
            server.heartbeat()
            assert server.url == f"http://127.0.0.1:{port}"
        release.join()


def test_a_frozen_server_is_reported_not_doubled_and_killed_at_the_end(
    make: Make, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma_server, "_HEARTBEAT_SECONDS", 0.3)
    monkeypatch.setattr(chroma_process, "_STOP_SECONDS", 0.5)
    server = make(start_seconds=2)
    pid = pid_of(server)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ChromaUnavailable, match=f"process {pid}.*chroma.log"):
        server.restart_if_dead()
    assert [process.pid for process in servers_of(storage)] == [pid]
    os.kill(pid, signal.SIGCONT)
    assert not server.restart_if_dead()
    os.kill(pid, signal.SIGSTOP)  # SIGTERM waits for a process that is stopped
    server.close()
    assert not alive(pid)
