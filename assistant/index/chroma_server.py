"""Chroma is always a server. Page, command line and notebook share the one that serves their storage folder.

Two processes on one `PersistentClient` path lose vectors, so there is none here. Mode `managed`: the first user
starts `chroma run` on loopback, any user restarts it when it died, the last one stops it. Mode `server`: a given
host and port, where nothing is started.
"""

from __future__ import annotations

import atexit
import importlib.metadata
import ipaddress
import os
import threading
import time
import urllib.request
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from assistant.errors import AssistantError, ChromaUnavailable, ConfigError
from assistant.index.chroma_process import ChromaProcess, Running
from assistant.index.chroma_users import Users

if TYPE_CHECKING:
    import httpx
    from chromadb.api import ClientAPI

_TRUST_SECONDS = 1.0  # how long an answer counts, so that a burst of questions asks for one heartbeat
_HEARTBEAT_SECONDS = 5.0
QUESTION_SECONDS = 3.0  # somebody waits: less than a search's deadline, so that what is wrong is said
_REQUEST_SECONDS = 300.0  # chromadb sets none: a frozen server would hold its callers for ever


class ChromaServer:
    """The one Chroma server of a storage folder (`path`; its data is in `path/chroma`), as one user of it sees it.

    Opens nothing until it is asked for something. Safe to share between threads; several in one process count as
    several users. After a fork the child begins anew.
    """

    def __init__(
        self,
        *,
        mode: Literal["managed", "server"],
        host: str,
        port: int,
        path: Path,
        start_seconds: float = 30.0,
        ssl: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._process: ChromaProcess | None = None
        if mode == "managed":
            host, ssl, headers = _loopback(host), False, None
            self._process = ChromaProcess(path, host, port, start_seconds)
            self._users = Users(self._process.run, patience=start_seconds + 10)
        self._host, self._port, self._ssl, self._headers = host, port, ssl, dict(headers or {})
        self._closed = False
        self._begin()
        _open_servers.add(self)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._running: Running | None = None
        self._clients: dict[float, ClientAPI] = {}  # by how long a request of it may take
        self._http: httpx.Client | None = None
        self._checked = float("-inf")
        self._late = (float("-inf"), "")  # when and how it last let somebody wait

    @property
    def url(self) -> str:
        if running := self._running:
            return running.url
        return f"{'https' if self._ssl else 'http'}://{self._host}:{self._port}"

    def client(self, patience: float = _REQUEST_SECONDS) -> ClientAPI:
        """A client of a server that answers. Ask for it anew for each piece of work: that is what heals a dead one.

        `patience` is for one request of it; with less than an ingest has, a frozen server is not waited for either.
        """
        with self._lock:
            if patience < _REQUEST_SECONDS and time.monotonic() - self._late[0] < _TRUST_SECONDS:
                raise ChromaUnavailable(self._late[1])  # those who queued here need not each wait as long
            if patience not in self._clients or time.monotonic() - self._checked > _TRUST_SECONDS:
                self.restart_if_dead(patience)
                if patience not in self._clients:
                    self._clients[patience] = self._connect(patience)
                self._checked = time.monotonic()
            return self._clients[patience]

    def restart_if_dead(self, patience: float = _REQUEST_SECONDS) -> bool:
        """Joins or starts the server if need be; True when this user now works with another process than before."""
        with self._lock:
            self._refuse_when_closed()
            if self._process is None:
                self.heartbeat(min(patience, _HEARTBEAT_SECONDS))
                return False
            # The process first: on its old port may now answer the Chroma of another installation.
            if self._running and self._process.seen(self._running.pid):
                try:
                    self.heartbeat(min(patience, _HEARTBEAT_SECONDS))
                except ChromaUnavailable as error:
                    if patience < _REQUEST_SECONDS and _is_late(error):
                        self._late = (time.monotonic(), str(error))
                        raise
                else:
                    return False
            before, self._running = self._running, self._enter(self._process)
            if self._running == before:
                return False
            self._clients = {}  # not closed: somebody may be at work with them, and the port is most often the same
            return True

    def heartbeat(self, patience: float | None = None) -> float:
        """Seconds of one heartbeat. Starts nothing but at first use: that a server died is for /health to say."""
        import httpx

        with self._lock:
            self._refuse_when_closed()
            if self._process and not self._running:
                self.restart_if_dead()
            begun = time.perf_counter()
            try:
                answer = self._session().get(self.url + "/api/v2/heartbeat", timeout=patience or _HEARTBEAT_SECONDS)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise self._silent(str(error) or type(error).__name__) from error
            seconds = time.perf_counter() - begun
        if answer.status_code in (401, 403):
            raise ChromaUnavailable(f"Chroma at {self.url} refuses us (HTTP {answer.status_code}): set chroma.token")
        if answer.status_code != 200 or "nanosecond heartbeat" not in answer.text:
            raise self._silent(f"what answers there is no Chroma, HTTP {answer.status_code}")
        return seconds

    def version(self) -> str:
        """Managed: of the program that opened the store. Else what the server says, and `chroma run` says 1.0.0."""
        if self._process:
            return self._process.store_version() or importlib.metadata.version("chromadb")
        self.heartbeat()
        with self._lock:
            return self._session().get(self.url + "/api/v2/version").text.strip().strip('"')

    def close(self) -> None:
        """Leaves; the last user's leave stops a managed server. Clients that were handed out end with it."""
        with self._lock:
            self._closed = True
            for client in self._clients.values():
                client.close()
            if self._http is not None:
                self._http.close()
            self._clients, self._http = {}, None
            if self._process and self._users.joined:
                try:
                    with self._users.turn():
                        self._go(self._process)
                except AssistantError:  # the folder is gone, or somebody hangs: what is ours to end, ends all the same
                    with suppress(AssistantError):
                        self._go(self._process)
            _joined.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _enter(self, process: ChromaProcess) -> Running:
        """Joins the living server, or starts one; of many that find it dead, one starts it and the others join."""
        process.prepare()
        with self._users.turn():
            newcomer = not self._users.joined
            self._users.join()
            try:
                if found := process.find():
                    process.wait_ready(found)
                else:
                    # Others' clients hold the old address; with nobody left, what is configured counts.
                    known = self._running or (None if self._users.is_last() else process.remembered())
                    found = process.start(known)
            except BaseException:
                if newcomer:
                    self._users.leave()
                raise
            _joined.add(self)
            return found

    def _go(self, process: ChromaProcess) -> None:
        try:
            if self._users.is_last():
                for running in (process.remembered(), self._running):
                    if running:
                        process.stop(running)
        finally:
            self._users.leave()

    def _forget(self) -> None:
        """In a forked child: its parent's locks and sockets are not its own."""
        if self._process:
            self._users.forget()
        self._begin()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise ChromaUnavailable("The connection to Chroma was closed: the assistant is shutting down")

    def _silent(self, why: str) -> ChromaUnavailable:
        todo = f"see {self._process.log}" if self._process else "check chroma.host and chroma.port, and that it runs"
        return ChromaUnavailable(f"Chroma at {self.url} does not answer ({why}): {todo}")

    def _session(self) -> httpx.Client:
        import httpx

        if self._http is None:
            # A company's HTTP_PROXY is not for loopback. For a given host the environment decides, as in chromadb.
            ours = self._process is not None
            self._http = httpx.Client(
                timeout=_HEARTBEAT_SECONDS, headers=self._headers, trust_env=not ours, verify=not ours
            )
        return self._http

    def _connect(self, patience: float) -> ClientAPI:
        import chromadb
        import httpx
        from chromadb.config import Settings
        from chromadb.errors import ChromaError

        host, port = (self._running.host, self._running.port) if self._running else (self._host, self._port)
        if self._running:
            _no_proxy(host)
        # Everything named, and no env file: chromadb would read CHROMA_* and the .env of whatever folder we are in.
        settings = Settings(
            _env_file=None,
            anonymized_telemetry=False,
            chroma_otel_collection_endpoint="",
            chroma_client_auth_provider=None,
            chroma_server_host=host,
            chroma_server_http_port=port,
        )
        try:
            client: ClientAPI = chromadb.HttpClient(
                host=host, port=port, ssl=self._ssl, headers=dict(self._headers), settings=settings
            )
        except (ChromaError, ValueError, httpx.HTTPError) as error:
            raise self._silent(str(error)) from error
        session = getattr(getattr(client, "_server", None), "_session", None)
        if isinstance(session, httpx.Client):  # private, and there is no other way to set a limit
            session.timeout = httpx.Timeout(patience, connect=min(patience, _HEARTBEAT_SECONDS))
        return client


def _is_late(error: ChromaUnavailable) -> bool:
    import httpx

    return isinstance(error.__cause__, httpx.TimeoutException)


def _loopback(host: str) -> str:
    if host == "localhost":
        return "127.0.0.1"
    with suppress(ValueError):
        if ipaddress.IPv4Address(host).is_loopback:
            return host
    raise ConfigError(
        f"chroma.host: {host} would open the store, which asks for no password, to the network: "
        "leave 127.0.0.1, or run Chroma yourself and set chroma.mode: server"
    )


def _no_proxy(host: str) -> None:
    """chromadb's client takes HTTP_PROXY from the environment, and so would send loopback calls to the proxy."""
    if urllib.request.getproxies():
        hosts = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        if host not in [name.strip() for name in hosts.split(",")] and hosts.strip() != "*":
            os.environ["no_proxy"] = os.environ["NO_PROXY"] = f"{hosts},{host}".strip(",")


_open_servers: weakref.WeakSet[ChromaServer] = weakref.WeakSet()
_joined: set[ChromaServer] = set()  # kept alive until they leave


def _forget_after_fork() -> None:
    _joined.clear()
    for server in list(_open_servers):
        server._forget()


def _leave_at_exit() -> None:
    """For users that forget to close: the last one out stops the server."""
    for server in list(_joined):
        server.close()


atexit.register(_leave_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
