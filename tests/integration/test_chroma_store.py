"""The shared Chroma server's ports, the files it finds (of a crash, of another version), and the ones it may not write."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

from assistant.errors import AssistantError, ChromaUnavailable, ConfigError, StorageError
from assistant.index.chroma_server import ChromaServer
from tests.integration.chroma_sites import MANAGED, ROOT, Make, free_port, pid_of, servers_of

pytestmark = MANAGED
OLD_STORE = ROOT / "tests" / "data" / "chroma-0.5-store.tar.gz"


# Ports


def test_a_taken_port_is_said_and_what_to_do(make: Make, storage: Path) -> None:
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", 0))
        foreign.listen()
        port = foreign.getsockname()[1]
        with pytest.raises(ChromaUnavailable, match=rf"Port {port} is taken.*ASSISTANT_CHROMA__PORT={port + 1}"):
            make(port=port).client()
        assert servers_of(storage) == []
    server = make(port=port)
    assert pid_of(server)
    assert server.url == f"http://127.0.0.1:{port}"


def test_only_loopback(make: Make) -> None:
    assert make(host="localhost").url == "http://127.0.0.1:0"
    for host in ("0.0.0.0", "192.168.1.5", "::", "chroma.example"):
        with pytest.raises(ConfigError, match="chroma.host"):
            make(host=host)


# What a crash leaves behind


@pytest.mark.parametrize(
    "state", ["", "{", "\x00\xff", "[1]", '{"pid": "x"}', '{"pid": -5, "host": "a", "port": 1}', None]
)
def test_a_stale_or_broken_state_file_is_repaired_and_nobody_else_is_killed(
    make: Make, storage: Path, state: str | None
) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (storage / "run").mkdir(parents=True)
        file = storage / "run" / "chroma.json"
        stale = json.dumps({"pid": bystander.pid, "host": "127.0.0.1", "port": free_port()})
        file.write_text(stale if state is None else state)
        server = make()
        pid = pid_of(server)
        assert pid != bystander.pid
        file.write_text(stale if state is None else state)  # and once more with the server alive
        with make() as second:
            assert pid_of(second) == pid
        assert pid_of(server) == pid
        server.close()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_deleted_run_folder_does_not_lead_to_a_second_server(make: Make, storage: Path) -> None:
    first, second = make(), make()
    pid = pid_of(first)
    shutil.rmtree(storage / "run")
    assert pid_of(second) == pid
    assert len(servers_of(storage)) == 1


def test_a_server_in_another_container_is_not_doubled(make: Make, storage: Path) -> None:
    """Its lock is seen through the shared folder, its process is not."""
    (storage / "run").mkdir(parents=True)
    code = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(1, flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(storage / "run" / "chroma-server.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(ChromaUnavailable, match="another container"):
            make().client()
    finally:
        holder.communicate()
    assert pid_of(make())


def test_a_chroma_started_by_hand_on_our_store_is_refused(make: Make, storage: Path) -> None:
    store, port = storage / "chroma", free_port()
    store.mkdir(parents=True)
    code = "import sys, chromadb_rust_bindings as b; b.cli(['chroma', *sys.argv[1:]])"
    command = [sys.executable, "-c", code, "run", "--path", "chroma", "--host", "127.0.0.1", "--port", str(port)]
    by_hand = subprocess.Popen(command, cwd=storage, stdout=subprocess.DEVNULL)
    try:
        with pytest.raises(ChromaUnavailable, match=f"did not start.*process {by_hand.pid}"):
            make().client()
        assert by_hand.poll() is None
    finally:
        by_hand.kill()
        by_hand.wait()


# The store


def test_a_store_of_chroma_0_5_is_opened_with_its_ids_and_vectors(make: Make, storage: Path) -> None:
    """The fixture was made with `pip install chromadb==0.5.23 "numpy<2"` and, with `random.seed(7)`,

    client = chromadb.PersistentClient("s5")
    notes = client.create_collection(
        "notes", metadata={"hnsw:space": "cosine", "hnsw:sync_threshold": 20, "hnsw:batch_size": 10})
    # 50 vectors of 8 random.uniform(-1, 1), added by tens: ids n0…n49, documents "note 0"…, metadata {"i": 0}…

    so 40 of the vectors are in the saved index and the rest in the log of unsaved writes; packed with `tar`.
    Chroma brings its tables up to date by itself. (0.4.24 and 0.6.3 were tried the same way, by hand.)
    """
    with tarfile.open(OLD_STORE) as archive:
        archive.extractall(storage / "chroma", filter="data")
    server = make()
    chance = random.Random(7)
    vectors = [[chance.uniform(-1, 1) for _ in range(8)] for _ in range(50)]
    notes = server.client().get_collection("notes", embedding_function=None)
    assert notes.count() == 50
    found = notes.query(query_embeddings=vectors, n_results=1, include=["distances", "documents", "metadatas"])
    assert [ids[0] for ids in found["ids"]] == [f"n{i}" for i in range(50)]
    assert found["documents"][7] == ["note 7"]
    assert found["metadatas"][7] == [{"i": 7}]
    kept = notes.get(ids=["n3"], include=["embeddings"])["embeddings"][0]
    assert list(kept) == pytest.approx(vectors[3], abs=1e-6)
    notes.add(ids=["new"], embeddings=[vectors[0]])
    assert notes.count() == 51
    assert (storage / "chroma" / "VERSION.assistant").read_text().strip() == server.version()


@pytest.mark.parametrize("mark", ["0.5.23", "1.5.8\n", "nonsense", ""])
def test_the_mark_of_an_older_store_is_brought_up_to_date(make: Make, storage: Path, mark: str) -> None:
    file = storage / "chroma" / "VERSION.assistant"
    file.parent.mkdir(parents=True)
    file.write_text(mark)
    server = make()
    assert pid_of(server)
    assert file.read_text().strip() == server.version() != mark


@pytest.mark.parametrize("mark", ["99.0.0", "1.99.0", "1.5.999"])
def test_a_store_of_a_newer_version_is_refused_untouched(make: Make, storage: Path, mark: str) -> None:
    file = storage / "chroma" / "VERSION.assistant"
    file.parent.mkdir(parents=True)
    file.write_text(mark)
    with pytest.raises(StorageError, match=f"newer version.*{mark}.*backup"):
        make().client()
    assert [path.name for path in file.parent.iterdir()] == ["VERSION.assistant"]


def test_a_start_that_fails_says_why_and_where_the_log_is(make: Make, storage: Path) -> None:
    (storage / "chroma").mkdir(parents=True)
    (storage / "chroma" / "chroma.sqlite3").write_bytes(b"not a database " * 500)
    (storage / "logs").mkdir()
    (storage / "logs" / "chroma.log").write_bytes(b"long ago\n" * 600_000)
    with pytest.raises(ChromaUnavailable, match=r"file is not a database.*chroma\.log") as caught:
        make().client()
    assert "\n" not in str(caught.value)
    assert "long ago" not in (storage / "logs" / "chroma.log").read_text()
    assert (storage / "logs" / "chroma.log.1").stat().st_size > 5_000_000
    (storage / "chroma" / "chroma.sqlite3").unlink()
    assert pid_of(make())


def test_a_folder_that_can_not_be_made_is_named(make: Make, storage: Path) -> None:
    storage.write_text("a file is in the way")
    with pytest.raises(StorageError, match="Хранилище 1.*storage.path"):
        make().client()


def test_a_read_only_folder_is_named() -> None:
    """Root may write everywhere, so the question is asked as another account, in a forked child."""
    folder = Path(tempfile.mkdtemp())
    for path in (folder / "chroma", folder / "run", folder / "logs", folder):
        path.mkdir(exist_ok=True)
        path.chmod(0o555)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            ChromaServer(mode="managed", host="127.0.0.1", port=0, path=folder).client()
        except AssistantError as error:
            os.write(write, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    folder.chmod(0o755)
    for path in sorted(folder.iterdir()):
        path.chmod(0o755)
    shutil.rmtree(folder)
    assert said.startswith("StorageError: Can't write to " + str(folder.resolve()))
