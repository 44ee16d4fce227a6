"""Nearest-neighbour queries to a Chroma server, straight over its HTTP API.

chromadb's client takes 0.9 ms of CPU for a query (models, validation, two HTTP libraries), this 0.2, and a question asks
one collection for each access class.
"""

from __future__ import annotations

import http.client
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import orjson
from chromadb.errors import InternalError, NotFoundError

_KEPT = 16  # open connections; more are made while more are needed

Near = list[tuple[str, float]]
"""Chunk id and cosine similarity, best first."""


def request_of(vector: Sequence[float], k: int) -> bytes:
    """The body of a query for the `k` nearest: a question makes it once for all its collections."""
    single = np.asarray(vector, dtype=np.float32)  # as Chroma keeps them: half the digits to write and to read
    wanted = {"query_embeddings": [single], "n_results": k, "include": ["distances"]}
    return orjson.dumps(wanted, option=orjson.OPT_SERIALIZE_NUMPY)


class ChromaQueries:
    """Queries to the server of a chromadb client (`server` is its `ServerAPI`), with its address, headers and limits.

    TLS and proxies are left to the client's own session. Safe to share between threads.
    """

    def __init__(self, server: Any) -> None:  # noqa: ANN401 - chromadb names no type that has a session
        self.server = server
        self._session: httpx.Client = server._session
        self._url: str = server.get_api_url()
        address = urlsplit(self._url)
        self._host, self._port, self._root = address.hostname or "", address.port or 80, address.path
        self._is_direct = address.scheme == "http" and not _is_proxied(self._host)
        ours = {"content-type": "application/json"}
        given = {name.lower(): value for name, value in server.get_request_headers().items()}
        hops = ("accept-encoding", "connection", "content-type")  # each library's own
        self._headers = {name: value for name, value in given.items() if name not in hops} | ours
        self._idle: list[http.client.HTTPConnection] = []  # its append and pop are atomic

    def nearest(self, path: str, request: bytes) -> Near:
        """What the collection at that path below the API's root answers.

        Raises `NotFoundError` when it is gone, `InternalError` when the server refuses, `httpx.HTTPError` when none answers.
        """
        if self._is_direct:
            status, content = self._post(path, request)
        else:
            response = self._session.post(self._url + path, content=request, headers=self._headers)
            status, content = response.status_code, response.content
        if status == http.HTTPStatus.NOT_FOUND:
            raise NotFoundError(_reason(content))
        if status != http.HTTPStatus.OK:
            raise InternalError(f"HTTP {status}: {_reason(content)}")
        found = orjson.loads(content)
        return [(key, 1.0 - far) for key, far in zip(found["ids"][0], found["distances"][0], strict=True)]

    def close(self) -> None:
        while connection := self._taken():
            connection.close()

    def _post(self, path: str, request: bytes) -> tuple[int, bytes]:
        try:
            while connection := self._taken():
                try:
                    return self._exchange(connection, path, request)
                except (ConnectionError, http.client.BadStatusLine):
                    continue  # the server closed it while it was idle
            limit = self._session.timeout.read
            return self._exchange(http.client.HTTPConnection(self._host, self._port, timeout=limit), path, request)
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise httpx.NetworkError(str(error) or type(error).__name__) from error

    def _exchange(self, connection: http.client.HTTPConnection, path: str, request: bytes) -> tuple[int, bytes]:
        try:
            connection.request("POST", self._root + path, request, self._headers)
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < _KEPT and not response.will_close:
            self._idle.append(connection)
        else:
            connection.close()
        return response.status, content

    def _taken(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None


def _is_proxied(host: str) -> bool:
    return "http" in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)


def _reason(content: bytes) -> str:
    return content[:200].decode(errors="replace")
