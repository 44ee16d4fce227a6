"""Nearest-neighbour queries to a Chroma server, straight over its HTTP API.

chromadb's client takes 0.9 ms of CPU for a query (models, validation, two HTTP libraries), this 0.2, and a question asks
one collection for each access class.
"""

from __future__ import annotations

import http.client
import urllib.request
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import orjson
from chromadb.errors import InternalError

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

_IN_FLIGHT = 8  # requests of one question
_KEPT = 32  # open connections; more are made while more are needed

Near = list[tuple[str, float]]
"""Chunk id and cosine similarity, best first."""


def request_of(vector: Sequence[float], k: int) -> bytes:
    """The body of a query for the `k` nearest: a question makes it once for all its collections."""
    single = np.asarray(vector, dtype=np.float32)  # as Chroma keeps them: half the digits to write and to read
    wanted = {"query_embeddings": [single], "n_results": k, "include": ["distances"]}
    return orjson.dumps(wanted, option=orjson.OPT_SERIALIZE_NUMPY)


def path_of(collection: Collection) -> str:
    """Of its queries, below the API's root."""
    return f"/tenants/{collection.tenant}/databases/{collection.database}/collections/{collection.id}/query"


@dataclass
class _Sent:
    path: str
    connection: http.client.HTTPConnection
    was_idle: bool


class ChromaQueries:
    """Queries to the server of a chromadb client (`server` is its `ServerAPI`), with its address, headers and limits.

    A question's requests are sent one behind the other and answered side by side, from one thread: a thread for each
    costs more than it waits. Safe to share between threads. Proxies are left to the client's own session.
    """

    def __init__(self, server: Any) -> None:  # noqa: ANN401 - chromadb names no type that has a session
        self.server = server
        self._session: httpx.Client = server._session
        self._url: str = server.get_api_url()
        self._address = urlsplit(self._url)
        self._is_proxied = _is_proxied(self._address.scheme, self._address.hostname or "")
        self._tls = httpx.create_ssl_context() if self._address.scheme == "https" else None
        given = {name.lower(): value for name, value in server.get_request_headers().items()}
        hops = ("accept-encoding", "connection")  # each library's own
        self._headers = {name: value for name, value in given.items() if name not in hops}
        self._idle: list[http.client.HTTPConnection] = []  # its append and pop are atomic

    def nearest(self, paths: Iterable[str], request: bytes) -> dict[str, Near | None]:
        """What the collections at those paths below the API's root answer; None for one that is not there.

        Raises `InternalError` when the server refuses, `httpx.HTTPError` when it does not answer.
        """
        if self._is_proxied:
            posted = ((path, self._session.post(self._url + path, content=request)) for path in paths)
            return {path: _read(answer.status_code, answer.content) for path, answer in posted}
        found: dict[str, Near | None] = {}
        sent: deque[_Sent] = deque()
        try:
            for path in paths:
                if len(sent) == _IN_FLIGHT:
                    self._take(sent, found, request)
                sent.append(self._send(path, request))
            while sent:
                self._take(sent, found, request)
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise httpx.NetworkError(str(error) or type(error).__name__) from error
        finally:
            for one in sent:  # an answer that nobody waited for must not be taken for the next one's
                one.connection.close()
        return found

    def close(self) -> None:
        while connection := self._taken():
            connection.close()

    def _send(self, path: str, request: bytes) -> _Sent:
        while connection := self._taken():
            with suppress(ConnectionError):  # the server closed it while it was idle
                self._post(connection, path, request)
                return _Sent(path, connection, was_idle=True)
        return self._send_anew(path, request)

    def _send_anew(self, path: str, request: bytes) -> _Sent:
        host, limit = self._address.hostname or "", self._session.timeout.read
        if self._tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, self._address.port, timeout=limit, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(host, self._address.port, timeout=limit)
        self._post(connection, path, request)
        return _Sent(path, connection, was_idle=False)

    def _post(self, connection: http.client.HTTPConnection, path: str, request: bytes) -> None:
        try:
            connection.request("POST", self._address.path + path, request, self._headers)
        except BaseException:
            connection.close()
            raise

    def _take(self, sent: deque[_Sent], found: dict[str, Near | None], request: bytes) -> None:
        """The answer of the first one, which leaves the row."""
        one = sent[0]
        try:
            response = one.connection.getresponse()
            content = response.read()
        except (ConnectionError, http.client.BadStatusLine):
            if not one.was_idle:
                raise
            one.connection.close()
            sent[0] = self._send_anew(one.path, request)
            return self._take(sent, found, request)
        sent.popleft()
        if len(self._idle) < _KEPT and not response.will_close:
            self._idle.append(one.connection)
        else:
            one.connection.close()
        found[one.path] = _read(response.status, content)
        return None

    def _taken(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None


def _read(status: int, content: bytes) -> Near | None:
    if status == http.HTTPStatus.NOT_FOUND:
        return None
    if status != http.HTTPStatus.OK:
        raise InternalError(f"HTTP {status}: {content[:200].decode(errors='replace')}")
    try:
        found = orjson.loads(content)
        return [(key, 1.0 - far) for key, far in zip(found["ids"][0], found["distances"][0], strict=True)]
    except (ValueError, LookupError, TypeError) as error:  # a proxy's page, say
        raise InternalError(f"no answer of Chroma's: {content[:200].decode(errors='replace')}") from error


def _is_proxied(scheme: str, host: str) -> bool:
    return bool({scheme, "all"} & urllib.request.getproxies().keys()) and not urllib.request.proxy_bypass(host)
