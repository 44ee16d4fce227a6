"""A model hub on loopback: the endpoints of huggingface.co that fetching a model uses, over folders; with faults to order.

`with hub({"acme/tiny": folder}) as server: ... server.url, server.requests, server.cut[...] = ...`
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = 4096  # bytes from which on a file lies in LFS, where its sha256 is known


@dataclass
class Hub:
    """Repositories by name, and by `name@revision`; each is a folder."""

    repositories: dict[str, Path]
    port: int = 0
    cut: dict[str, list[int]] = field(default_factory=dict)
    """Of a file: after how many bytes the connection breaks, request by request."""
    wrong: dict[str, bytes] = field(default_factory=dict)
    """Content that is sent in a file's place."""
    extra: list[dict[str, Any]] = field(default_factory=list)
    """Entries of the listing that no file stands behind."""
    status: int = 0
    """Answer everything with it."""
    knows_ranges: bool = True
    gate: threading.Event | None = None
    """Wait for it before the rest of a file that is cut."""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path, range."""
    tokens: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fetched(self) -> list[tuple[str, str]]:
        """Files and ranges that were asked for since the last time."""
        found = [
            (path.split("/resolve/")[1].partition("/")[2], r) for _, path, r in self.requests if "/resolve/" in path
        ]
        self.requests.clear()
        return found


def sha_of(folder: Path) -> str:
    """What stands for the commit: 40 hex digits of the folder's content."""
    digest = hashlib.sha1()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:  # noqa: N802 - the base class's name
        self.do_GET()

    def do_GET(self) -> None:  # noqa: N802 - the base class's name
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path, self.headers.get("Range") or ""))
        self.hub.tokens.append(self.headers.get("Authorization") or "")
        if self.hub.status:
            self._json({"error": "out of order"}, self.hub.status)
        elif path.startswith("/api/models/"):
            self._api(path.removeprefix("/api/models/"))
        elif "/resolve/" in path:
            name, _, rest = path.lstrip("/").partition("/resolve/")
            revision, _, file = rest.partition("/")
            if (folder := self._folder(name, revision)) is not None:
                self._file(folder, file)
        else:
            self._refuse(404, "EntryNotFound")

    def _api(self, path: str) -> None:
        name, _, rest = path.partition("/tree/") if "/tree/" in path else path.partition("/revision/")
        if (folder := self._folder(name, rest or "main")) is None:
            return
        if "/tree/" in path:
            self._json([_entry(folder, file) for file in sorted(folder.rglob("*")) if file.is_file()] + self.hub.extra)
        else:
            self._json(
                {"id": name, "modelId": name, "sha": sha_of(folder), "siblings": [], "private": False, "tags": []}
            )

    def _folder(self, name: str, revision: str) -> Path | None:
        """By branch, or by the commit that the branch has."""
        known = {key: folder for key, folder in self.hub.repositories.items() if key.partition("@")[0] == name}
        if not known:
            self._refuse(404, "RepoNotFound")
            return None
        for key, folder in known.items():
            if revision in ((key.partition("@")[2] or "main"), sha_of(folder)):
                return folder
        self._refuse(404, "RevisionNotFound")
        return None

    def _file(self, folder: Path, name: str) -> None:
        if not (folder / name).is_file():
            self._refuse(404, "EntryNotFound")
            return
        content = self.hub.wrong.get(name, (folder / name).read_bytes())
        start = 0
        if self.hub.knows_ranges and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        cuts = self.hub.cut.get(name, [])
        if self.command == "HEAD":
            return
        if not cuts:
            self.wfile.write(content[start:])
            return
        self.wfile.write(content[start : start + cuts.pop(0)])
        self.wfile.flush()
        if self.hub.gate is not None:
            self.hub.gate.wait(60)
        self.close_connection = True

    def _json(self, value: object, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def _entry(folder: Path, file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    git = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    entry = {"type": "file", "path": file.relative_to(folder).as_posix(), "size": len(content), "oid": git}
    if len(content) >= LARGE:
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return entry


@contextmanager
def hub(repositories: dict[str, Path]) -> Iterator[Hub]:
    running = Hub(repositories)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": running}))
    server.daemon_threads = True
    running.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
