"""The shared Chroma server, with real processes: who starts it, who joins, who ends it, and what survives a kill -9."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from assistant.errors import AssistantError, ChromaUnavailable, ConfigError, StorageError
from assistant.index import chroma_process, chroma_server
from assistant.index.chroma_process import _BOOT
from assistant.index.chroma_server import ChromaServer

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform == "win32", reason="managed Chroma needs Linux or macOS"),
]
ROOT = Path(__file__).parents[2]
OLD_STORE = ROOT / "tests" / "data" / "chroma-0.5-store.tar.gz"

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


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Path]:
    """A name as people give them; and nothing may be left running over it."""
    folder = tmp_path / "Хранилище 1"
    yield folder
    left = servers_of(folder)
    for process in left:
        process.kill()
    assert not left


@pytest.fixture
def make(storage: Path) -> Iterator[Make]:
    made: list[ChromaServer] = []

    def _make(**changes: Any) -> ChromaServer:
        options: dict[str, Any] = {"mode": "managed", "host": "127.0.0.1", "port": 0, "path": storage}
        made.append(ChromaServer(**options | changes))
        return made[-1]

    yield _make
    for server in made:
        server.close()


@pytest.fixture
def user(storage: Path) -> Iterator[Callable[..., User]]:
    made: list[User] = []

    def _user(port: int = 0, **popen: Any) -> User:
        made.append(User(storage, port, **popen))
        return made[-1]

    yield _user
    for each in made:
        if each.process.poll() is None:
            each.end()


def pid_of(server: ChromaServer) -> int:
    server.restart_if_dead()
    assert server._running
    return server._running.pid


def fill(server: ChromaServer) -> None:
    notes = server.client().create_collection("notes", embedding_function=None)
    notes.add(ids=["a", "b"], embeddings=[[1.0, 0.0], [0.0, 1.0]])


# Starting, joining, leaving


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


# Surroundings


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
