"""What a reading worker can't do, tried in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from multiprocessing.connection import Connection

import pytest

from assistant.ingest.isolation import isolate


def attempt(answer: Connection, port: int) -> None:
    outcome = {"apart": str(isolate(1024))}
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        outcome["network"] = "connected"
    except OSError as error:
        outcome["network"] = type(error).__name__
    try:
        outcome["memory"] = str(len(bytearray(2 << 30)))
    except MemoryError:
        outcome["memory"] = "refused"
    print("printed by a library")
    os.write(2, b"and by another one")
    outcome["user"] = str(os.getuid())
    answer.send(outcome)


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
def test_a_worker_has_no_network_no_output_and_little_memory(capfd: pytest.CaptureFixture[str]) -> None:
    context = multiprocessing.get_context("spawn")
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours, theirs = context.Pipe()
        process = context.Process(target=attempt, args=(theirs, server.getsockname()[1]))
        process.start()
        assert ours.poll(30), "the worker did not answer"
        outcome = ours.recv()
        process.join(30)
    assert (outcome["network"] == "OSError") == (outcome["apart"] == "True"), "some containers forbid namespaces"
    assert (outcome["memory"], outcome["user"]) == ("refused", str(os.getuid()))
    assert capfd.readouterr() == ("", "")
