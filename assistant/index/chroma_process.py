"""The `chroma run` process over a storage folder: found, started and stopped, whoever of its users started it.

The server holds run/chroma-server.lock from its first line to its last: two can never write to one store, not even
from two containers that share the folder. run/chroma.json only remembers process id and port; when it is stale or
garbage, the process list tells. Nothing here is safe to call twice at once: chroma_users.py has its callers take turns.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import ChromaUnavailable, ConfigError, StorageError
from assistant.index.chroma_config import write_config
from assistant.index.chroma_users import lock_file, replace_file, try_lock, unlock, unwritable

if TYPE_CHECKING:
    import psutil

logger = logging.getLogger(__name__)

# The `chroma` command calls this same function after 1 s of imports. -I: nothing from PYTHONPATH or the working folder.
_BOOT = (
    "import fcntl, os, sys; "
    "fcntl.flock(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX | fcntl.LOCK_NB); "
    "sys.path.append(sys.argv[2]); import chromadb_rust_bindings as binding; "
    "binding.cli(['chroma', *sys.argv[3:5]])"
)
_LOG_BYTES, _STOP_SECONDS, _PORT_SECONDS = 5_000_000, 5.0, 1.0


@dataclass(frozen=True)
class Running:
    """A server that was seen."""

    pid: int
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


class ChromaProcess:
    """Works on the one server of one storage folder; knows nothing of clients and users."""

    def __init__(self, storage: Path, host: str, port: int, start_seconds: float) -> None:
        if importlib.util.find_spec("fcntl") is None:
            raise ConfigError("chroma.mode: managed needs Linux or macOS; run Chroma yourself and set mode: server")
        self.storage = Path(os.path.realpath(storage))  # one name for the folder, however it was written
        self.store = self.storage / "chroma"
        self.run, self.log = self.storage / "run", self.storage / "logs" / "chroma.log"
        self._state = self.run / "chroma.json"
        self._lock = self.run / "chroma-server.lock"
        self._marker = self.store / "VERSION.assistant"
        self._host, self._port, self._start_seconds = host, port, start_seconds

    def prepare(self) -> None:
        """Folders that can be written to, and a store that is not from a newer Chroma."""
        for folder in (self.store, self.run, self.log.parent):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unwritable(folder, error.strerror) from error
            if not os.access(folder, os.W_OK | os.X_OK):
                raise unwritable(folder, "no right to write")
        if (database := self.store / "chroma.sqlite3").exists() and not os.access(database, os.W_OK):
            raise unwritable(database, "no right to write")
        made_by, installed = self.store_version(), importlib.metadata.version("chromadb")
        if _numbers(made_by) > _numbers(installed):
            raise StorageError(
                f"The store in {self.store} was made by a newer version (Chroma {made_by}; installed is {installed}): "
                "upgrade the assistant, or restore a backup"
            )

    def store_version(self) -> str:
        """The Chroma version that last opened the store, or an empty string."""
        try:
            text = self._marker.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""
        return text if re.fullmatch(r"\d+(\.\w+)+", text) else ""

    def find(self) -> Running | None:
        """The living server of this store, whatever the state file says."""
        import psutil

        remembered = self.remembered()
        if remembered and (found := self.seen(remembered.pid)):
            return self._unless_deleted(found)
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                command = process.cmdline()
                if found := self._parse(process.pid, command):
                    self._remember(found)
                    return self._unless_deleted(found)
                if self._foreign(process, command):
                    raise ChromaUnavailable(
                        f"A Chroma that the assistant did not start serves {self.store} (process {process.pid}): "
                        "stop it, or set chroma.mode to server and chroma.port to its port"
                    )
        if not self._gone_within(2):
            raise ChromaUnavailable(
                f"Chroma serves {self.store} from another container or computer: "
                "use one Chroma for all, with chroma.mode: server"
            )
        return None

    def _unless_deleted(self, found: Running) -> Running | None:
        """Somebody removed the storage folder under a running server: it can never write again."""
        if not (self.store / "chroma.sqlite3").exists():
            self.stop(found)
            return None
        return found

    def seen(self, pid: int) -> Running | None:
        """The server if this process is it: a number that now belongs to another program never passes."""
        import psutil

        try:
            return self._parse(pid, psutil.Process(pid).cmdline())
        except (psutil.Error, ValueError, OverflowError):
            return None

    def start(self, previous: Running | None = None) -> Running:
        """A server that answers. `previous` died while clients may hold its address, so its port comes first."""
        ports = [previous.port] if previous else []
        ports += [self._port] if self._port else [0, 0, 0]  # a free port may be gone when the server asks for it
        reason = ""
        for port in ports:
            if chosen := self._bindable(port):
                running, reason = self._launch(chosen)
                if running:
                    return running
                if self._bindable(chosen):  # it died of something else
                    break
            else:
                reason = (
                    f"Port {port} is taken by another program: set chroma.port in .env "
                    f"(ASSISTANT_CHROMA__PORT={port + 1}, or 0 for a free one) or stop that program"
                )
        raise ChromaUnavailable(reason)

    def wait_ready(self, running: Running, child: subprocess.Popen[bytes] | None = None) -> None:
        """Until it answers; a server whose starter died half-way is as good as any."""
        import httpx

        deadline = time.monotonic() + self._start_seconds
        with httpx.Client(trust_env=False, verify=False, timeout=min(self._start_seconds, 5.0)) as http:
            while time.monotonic() < deadline:
                with suppress(httpx.HTTPError):
                    # In this order: the answer counts only if our process is still there to have given it.
                    answered = http.get(running.url + "/api/v2/heartbeat").status_code == 200
                    if answered and self.seen(running.pid):
                        return
                # A child is asked itself: for a moment after its start the process list has no command line for it.
                if child.poll() is not None if child else not self.seen(running.pid):
                    raise ChromaUnavailable(f"Chroma ended while it started: see {self.log}")
                time.sleep(0.02)
        raise ChromaUnavailable(
            f"Chroma (process {running.pid}) has not answered for {self._start_seconds:.0f} s: see {self.log}, "
            "raise chroma.start_seconds, or end that process"
        )

    def stop(self, running: Running) -> None:
        """SIGTERM, after 5 s SIGKILL; psutil compares pid and creation time, so nobody else is ever hit."""
        import psutil

        try:
            process = psutil.Process(running.pid)
            for end in (process.terminate, process.kill):
                if self.seen(process.pid):
                    end()
                    self._gone_within(_STOP_SECONDS, process.pid)
        except psutil.AccessDenied:
            logger.warning("chroma: no right to stop process %s: another account's", running.pid)
            return
        except psutil.NoSuchProcess:
            pass
        with suppress(OSError):
            self._state.unlink()

    def remembered(self) -> Running | None:
        """What the state file says; it may be of another life of this computer."""
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
            return Running(int(state["pid"]), str(state["host"]), int(state["port"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _launch(self, port: int) -> tuple[Running | None, str]:
        binding = importlib.util.find_spec("chromadb_rust_bindings")
        if not (binding and binding.origin):
            return None, "Chroma is not installed: pip install chromadb"
        # CHROMA_*, OTEL_* and RUST_* of the caller must not change the server; its INFO level writes 1 KB a query.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CHROMA_", "OTEL_", "RUST_"))}
        command = [sys.executable, "-I", "-c", _BOOT, str(self._lock), str(Path(binding.origin).parent.parent)]
        command += ["run", str(write_config(self.run, self.store, self._host, port))]
        command += ["--path", str(self.store), "--host", self._host, "--port", str(port)]  # what it is known by
        try:
            if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
                self.log.replace(self.log.with_name("chroma.log.1"))
            with self.log.open("ab") as log:
                offset = log.tell()
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.store,
                    env=environment | {"RUST_LOG": "warn", "NO_COLOR": "1"},
                    start_new_session=True,  # Ctrl+C in one user's terminal is not meant for the others' server
                )
        except OSError as error:
            raise unwritable(self.log, error.strerror) from error
        threading.Thread(target=process.wait, name="chroma-reaper", daemon=True).start()  # no zombie when it dies
        running = Running(process.pid, self._host, port)
        try:
            self._remember(running)
            self.wait_ready(running, process)
            self._mark()
        except ChromaUnavailable as error:
            self.stop(running)
            last = self._last_line(offset)
            return None, f"Chroma did not start: {last} (log: {self.log})" if last else str(error)
        except BaseException:
            self.stop(running)
            raise
        return running, ""

    def _mark(self) -> None:
        """Only after the start: by now Chroma has brought an older store up to date."""
        made_by, installed = self.store_version(), importlib.metadata.version("chromadb")
        if made_by != installed:
            logger.info("chroma: opened a store of Chroma %s with %s", made_by or "(no mark)", installed)
            replace_file(self._marker, installed + "\n")

    def _remember(self, running: Running) -> None:
        replace_file(self._state, json.dumps(asdict(running)))

    def _parse(self, pid: int, command: Sequence[str]) -> Running | None:
        if _BOOT not in command or command[-6:-3] != ["--path", str(self.store), "--host"]:
            return None
        return Running(pid, command[-3], int(command[-1]))

    def _foreign(self, process: psutil.Process, command: Sequence[str]) -> bool:
        if "run" not in command or "--path" not in command[:-1] or _BOOT in command:
            return False
        path = command[command.index("--path") + 1]
        return os.path.realpath(os.path.join(process.cwd(), path)) == str(self.store)

    def _gone_within(self, seconds: float, pid: int = -1) -> bool:
        """Whether no server has the store open. A dying one leaves the process list just before it drops its lock."""
        descriptor = lock_file(self._lock)
        try:
            deadline = time.monotonic() + seconds
            while self.seen(pid) or not try_lock(descriptor):
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.02)
            return True
        finally:
            unlock(descriptor)

    def _bindable(self, port: int) -> int:
        """This port, or some free one for 0; 0 if it stays taken. A killed server's outlives its process and lock."""
        deadline = time.monotonic() + _PORT_SECONDS
        while True:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server: TIME_WAIT is no obstacle
                with suppress(OSError):
                    probe.bind((self._host, port))
                    return int(probe.getsockname()[1])
            if time.monotonic() > deadline:
                return 0
            time.sleep(0.02)

    def _last_line(self, offset: int) -> str:
        text = self.log.read_bytes()[offset:].decode("utf-8", errors="replace")
        lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines() if line.strip()]
        return lines[-1] if lines else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
