"""HTTP to a provider of single sign-on: its certificate is checked, and no answer is waited for or read without end."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
from authlib.integrations.httpx_client import OAuth2Client

from assistant.errors import ConfigError, SignInUnavailable
from assistant.settings_oidc import Oidc

_MAX_BYTES = 1024 * 1024


class OidcHttp:
    """No redirect is followed: an address comes from the settings or from the provider's own discovery."""

    def __init__(self, settings: Oidc) -> None:
        self._settings = settings
        try:
            self._tls = ssl.create_default_context(cafile=settings.ca_file)
        except OSError as error:
            raise ConfigError(
                f"auth.oidc '{settings.name}': ca_file {settings.ca_file} can't be read: {error}"
            ) from error

    def get(self, url: str, what: str, *, token: str | None = None) -> dict[str, Any]:
        """A JSON object. Raises `SignInUnavailable`."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            with httpx2.Client(transport=self._transport(), timeout=self._settings.timeout_seconds) as client:
                answer = client.get(url, headers={"Accept": "application/json", **headers})
                found = answer.raise_for_status().json()
        except (httpx2.HTTPError, ValueError) as error:
            raise self.unavailable(what, error) from error
        if not isinstance(found, dict):
            raise self.unavailable(what, ValueError("not a JSON object"))
        return found

    def client(self, *, secret: str | None, auth_method: str) -> OAuth2Client:
        """Authlib's, to be closed."""
        return OAuth2Client(
            client_id=self._settings.client_id,
            client_secret=secret,
            token_endpoint_auth_method=auth_method,
            code_challenge_method="S256",
            scope=" ".join(self._settings.scopes),
            transport=self._transport(),
            timeout=self._settings.timeout_seconds,
        )

    def unavailable(self, what: str, error: Exception) -> SignInUnavailable:
        reason = f"{type(error).__name__}: {str(error)[:300]}"
        return SignInUnavailable(
            f"single sign-on '{self._settings.name}': no {what} from {self._settings.issuer} ({reason})"
        )

    def _transport(self) -> _Bounded:
        proxy = self._settings.proxy
        through = httpx2.HTTPTransport(verify=self._tls, proxy=proxy.get_secret_value() if proxy else None)
        return _Bounded(through, seconds=2 * self._settings.timeout_seconds)


class _Bounded(httpx2.BaseTransport):
    """httpx's timeouts are for each piece: one byte a second would be read for ever."""

    def __init__(self, through: httpx2.BaseTransport, *, seconds: float) -> None:
        self._through = through
        self._seconds = seconds

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        end = time.monotonic() + self._seconds
        answer = self._through.handle_request(request)
        assert isinstance(answer.stream, httpx2.SyncByteStream)
        stream = _BoundedStream(answer.stream, end, request)
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=stream, extensions=answer.extensions)

    def close(self) -> None:
        self._through.close()


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, end: float, request: httpx2.Request) -> None:
        self._stream = stream
        self._end = end
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for piece in self._stream:
            size += len(piece)
            if size > _MAX_BYTES:
                raise httpx2.ReadError(f"more than {_MAX_BYTES} bytes", request=self._request)
            if time.monotonic() > self._end:
                raise httpx2.ReadTimeout("the whole answer took too long", request=self._request)
            yield piece

    def close(self) -> None:
        self._stream.close()


def text_of(values: Mapping[str, Any], key: str) -> str | None:
    """A string that is not empty, or None."""
    found = values.get(key)
    return found if isinstance(found, str) and found else None
