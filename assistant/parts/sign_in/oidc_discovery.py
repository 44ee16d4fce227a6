"""What a provider says of itself: its addresses and its keys, fetched when they are needed and kept for an hour."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from authlib.oidc.discovery import get_well_known_url
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from pydantic import TypeAdapter, ValidationError

from assistant.errors import SignInRefused, SignInUnavailable
from assistant.parts.sign_in.oidc_http import OidcHttp, text_of
from assistant.settings_oidc import Address, Oidc

_KEPT_SECONDS = 3600.0  # a key that the provider withdrew is believed for no longer
_REST_SECONDS = (
    5.0  # of a provider that did not answer: who waited meanwhile would wait for its time limit too, one by one
)
_REFETCH_SECONDS = 60.0  # tokens with made-up key ids don't make us ask at every one of them
_ADDRESS = TypeAdapter(Address)
_KINDS = {"RSA": ("RS", "PS"), "EC": ("ES",)}

Key = RSAKey | ECKey
_CLASSES: dict[str, type[Key]] = {"RSA": RSAKey, "EC": ECKey}


@dataclass(frozen=True)
class Provider:
    """Of its discovery what this program uses."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    auth_methods: tuple[str, ...]
    names_itself: bool  # in its answers (RFC 9207)


class Discovery:
    """For one provider, shared by all threads."""

    def __init__(self, settings: Oidc, http: OidcHttp) -> None:
        self._settings = settings
        self._http = http
        self._lock = threading.Lock()
        self._provider: tuple[float, Provider] | None = None
        self._keys: tuple[float, list[Key]] | None = None
        self._failed: tuple[float, str] | None = None

    def provider(self) -> Provider:
        """Raises `SignInUnavailable`: also for a discovery that does not fit the settings."""
        with self._lock:
            if self._provider is None or time.monotonic() - self._provider[0] > _KEPT_SECONDS:
                url = get_well_known_url(self._settings.issuer, external=True)
                self._provider = (time.monotonic(), self._read(self._get(url, "discovery")))
            return self._provider[1]

    def key(self, key_id: object, algorithm: str) -> Key:
        """The one that signed with this id. Raises `SignInRefused` when the provider has none, `SignInUnavailable`."""
        jwks_uri = self.provider().jwks_uri
        with self._lock:
            if self._keys is None or time.monotonic() - self._keys[0] > _KEPT_SECONDS:
                self._fetch_keys(jwks_uri)
            found = self._fitting(key_id, algorithm)
            if not found and self._keys and time.monotonic() - self._keys[0] > _REFETCH_SECONDS:
                self._fetch_keys(jwks_uri)
                found = self._fitting(key_id, algorithm)
        if len(found) != 1:
            raise SignInRefused(
                f"{len(found)} keys of the provider fit kid {str(key_id)[:80]!r}, {algorithm}", "invalid"
            )
        return found[0]

    def _fitting(self, key_id: object, algorithm: str) -> list[Key]:
        """A token without an id is fine where only one key can have signed it."""
        return [
            key
            for key in (self._keys[1] if self._keys else [])
            if (key_id is None or key.get("kid") == key_id)
            and algorithm.startswith(_KINDS[key.key_type])
            and key.get("alg") in (None, algorithm)
        ]

    def _fetch_keys(self, url: str) -> None:
        """Keys of other kinds, such as those for encryption, are nobody's fault and left out."""
        listed = self._get(url, "keys").get("keys")
        keys: list[Key] = []
        for one in listed if isinstance(listed, list) else []:
            if not isinstance(one, dict) or one.get("use", "sig") != "sig" or one.get("kty") not in _CLASSES:
                continue
            try:
                keys.append(_CLASSES[one["kty"]].import_key(one))
            except (JoseError, ValueError):
                continue
        self._keys = (time.monotonic(), keys)

    def _get(self, url: str, what: str) -> dict[str, Any]:
        """Under the lock. Raises `SignInUnavailable`, at once while the provider rests."""
        if self._failed is not None and time.monotonic() - self._failed[0] < _REST_SECONDS:
            raise SignInUnavailable(self._failed[1])
        try:
            found = self._http.get(url, what)
        except SignInUnavailable as error:
            self._failed = (time.monotonic(), str(error))
            raise
        self._failed = None
        return found

    def _read(self, found: dict[str, Any]) -> Provider:
        if found.get("issuer") != self._settings.issuer:
            raise self._wrong(f"it says issuer {str(found.get('issuer'))[:200]!r}: write that, if it is the right one")
        challenges = found.get("code_challenge_methods_supported")
        if isinstance(challenges, list) and "S256" not in challenges:
            raise self._wrong("it does not know PKCE with S256")
        methods = found.get("token_endpoint_auth_methods_supported")
        return Provider(
            authorization_endpoint=self._address(found, "authorization_endpoint"),
            token_endpoint=self._address(found, "token_endpoint"),
            jwks_uri=self._address(found, "jwks_uri"),
            userinfo_endpoint=self._address(found, "userinfo_endpoint") if found.get("userinfo_endpoint") else None,
            end_session_endpoint=self._address(found, "end_session_endpoint")
            if found.get("end_session_endpoint")
            else None,
            auth_methods=tuple(methods) if isinstance(methods, list) else ("client_secret_basic",),
            names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        )

    def _address(self, found: dict[str, Any], name: str) -> str:
        """Secrets go there: HTTPS, or this machine."""
        try:
            return _ADDRESS.validate_python(text_of(found, name))
        except ValidationError as error:
            raise self._wrong(f"its {name} is no https address") from error

    def _wrong(self, reason: str) -> SignInUnavailable:
        return SignInUnavailable(
            f"single sign-on '{self._settings.name}': the discovery of {self._settings.issuer} is not usable: {reason}"
        )
