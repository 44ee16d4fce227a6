"""The shared Chroma server's surroundings: variables, the network, a server given by address, other programs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from assistant.errors import ChromaUnavailable
from assistant.index.chroma_process import _BOOT
from tests.integration.chroma_sites import MANAGED, Make, User, fill, free_port, pid_of

pytestmark = MANAGED


def test_proxy_and_chroma_variables_of_the_caller_do_no_harm(user: Callable[..., User], tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    environment = {"HTTP_PROXY": dead, "http_proxy": dead, "ALL_PROXY": dead, "NO_PROXY": "intranet.example"}
    environment |= {"CHROMA_SERVER_HOST": "elsewhere", "CHROMA_SERVER_HTTP_PORT": "1", "RUST_LOG": "trace"}
    (tmp_path / ".env").write_text("CHROMA_SERVER_API_DEFAULT_PATH=/api/v1\nCHROMA_CLIENT_AUTH_PROVIDER=nonsense\n")
    someone = user(env=environment, cwd=tmp_path)
    assert "error" not in someone.do("heartbeat client heartbeat")
    log = (tmp_path / "Хранилище 1" / "logs" / "chroma.log").read_text()
    assert "TRACE" not in log


def test_the_server_connects_to_nothing(make: Make) -> None:
    server = make()
    fill(server)
    connections = psutil.Process(pid_of(server)).net_connections(kind="inet")
    assert {connection.laddr.ip for connection in connections} == {"127.0.0.1"}
    assert {connection.raddr.ip for connection in connections if connection.raddr} <= {"127.0.0.1"}


def test_given_server_is_used_and_never_stopped(make: Make) -> None:
    managed = make()
    fill(managed)
    host, _, port = managed.url.removeprefix("http://").partition(":")
    given = make(mode="server", host=host, port=int(port), path=Path("/nonexistent"), headers={"X-Any": "1"})
    assert given.client().get_collection("notes", embedding_function=None).count() == 2
    assert given.heartbeat() < 5
    assert given.version()
    assert not given.restart_if_dead()
    given.close()
    assert managed.heartbeat() < 5


def test_given_server_that_is_away_or_is_no_chroma(make: Make) -> None:
    server = make(mode="server", port=free_port())
    for call in (server.client, server.heartbeat, server.version):
        with pytest.raises(ChromaUnavailable, match="chroma.host and chroma.port"):
            call()
    port = free_port()
    web = subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        with pytest.raises(ChromaUnavailable, match="no Chroma, HTTP 404"):
            make(mode="server", port=port).client()
    finally:
        web.kill()
        web.wait()


def test_the_server_is_recognised_by_its_whole_command_line(make: Make, storage: Path) -> None:
    """Not by a number, and not by a program that merely mentions our folder."""
    server = make()
    command = psutil.Process(pid_of(server)).cmdline()
    assert _BOOT in command
    assert command[-6:-4] == ["--path", str(storage.resolve() / "chroma")]
    assert server._process
    assert server._process.seen(os.getpid()) is None
    assert server._process.seen(-1) is None
