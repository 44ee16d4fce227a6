"""Users of the shared Chroma server: in this process and in processes of their own; and what is left running."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from assistant.index.chroma_server import ChromaServer

MANAGED = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform == "win32", reason="managed Chroma needs Linux or macOS"),
]
ROOT = Path(__file__).parents[2]

# A user in a process of its own: reads a method's name a line, answers with a line of JSON.
USER = """
import json, sys
from pathlib import Path
from assistant.errors import AssistantError
from assistant.index.chroma_server import ChromaServer
server = ChromaServer(mode="managed", host="127.0.0.1", port=int(sys.argv[2]), path=Path(sys.argv[1]))
for line in sys.stdin:
    try:
        for step in line.split():
            if step == "count":
                value = server.client().get_collection("notes", embedding_function=None).count()
            elif step == "again":
                server.close()
                server = ChromaServer(mode="managed", host="127.0.0.1", port=int(sys.argv[2]), path=Path(sys.argv[1]))
            else:
                value = getattr(server, step)()
        seen = server._running
        print(json.dumps({"pid": seen and seen.pid, "port": seen and seen.port, "value": value}), flush=True)
    except AssistantError as error:
        print(json.dumps({"error": str(error)}), flush=True)
"""


class User:
    def __init__(self, storage: Path, port: int = 0, **popen: Any) -> None:
        environment = dict(os.environ, PYTHONPATH=str(ROOT)) | popen.pop("env", {})
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(storage), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            **popen,
        )

    def ask(self, steps: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(steps + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def do(self, steps: str) -> dict[str, Any]:
        self.ask(steps)
        return self.answer()

    def end(self, number: int = 0) -> None:
        """With a signal, or, without one, as a program does that reaches its last line."""
        assert self.process.stdin
        assert self.process.stdout
        if number:
            self.process.send_signal(number)
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


def servers_of(storage: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "run" in command and str(storage.resolve() / "chroma") in command and alive(process.pid):
            found.append(process)
    return found


def alive(pid: int) -> bool:
    """A zombie has ended; it only waits for its parent, which may be process 1 of a container."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kill_9(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and alive(pid):
        time.sleep(0.01)


Make = Callable[..., ChromaServer]


def pid_of(server: ChromaServer) -> int:
    server.restart_if_dead()
    assert server._running
    return server._running.pid


def fill(server: ChromaServer) -> None:
    notes = server.client().create_collection("notes", embedding_function=None)
    notes.add(ids=["a", "b"], embeddings=[[1.0, 0.0], [0.0, 1.0]])
