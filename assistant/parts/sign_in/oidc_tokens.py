"""The tokens of a provider: each check that OpenID Connect asks for, before anything in them is believed.

Signatures and keys are joserfc's, which Authlib's own `jose` (deprecated) was made into; the claims are Authlib's.
"""

from __future__ import annotations

import time
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol
from joserfc.jws import JWSRegistry

from assistant.errors import SignInRefused
from assistant.parts.sign_in import LoggedOut
from assistant.parts.sign_in.oidc_discovery import Discovery, Key
from assistant.settings_oidc import Oidc

_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_LONGEST_LOGOUT_SECONDS = 86_400  # the specification recommends two minutes


class Tokens:
    """Checks those of one provider."""

    def __init__(self, settings: Oidc, discovery: Discovery) -> None:
        self._settings = settings
        self._discovery = discovery

    def id_token(self, token: str, *, nonce: str, access_token: str | None) -> dict[str, Any]:
        """Its claims. Raises `SignInRefused`."""
        signed = self._signed(token)
        params = {"nonce": nonce, "client_id": self._settings.client_id, "access_token": access_token}
        claims = CodeIDToken(signed.claims, signed.header, options=self._expected(), params=params)
        self._check(lambda: claims.validate(leeway=self._settings.clock_leeway_seconds))
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self._settings.client_id:
            raise _refused("it is for several programs, and not made for this one (azp)")
        if not 0 < len(claims["sub"]) <= 255:
            raise _refused("its sub is empty or too long")
        return dict(claims)

    def logout_token(self, token: str) -> LoggedOut:
        """OpenID Connect Back-Channel Logout 1.0, 2.6, but for its having been used before. Raises `SignInRefused`."""
        signed = self._signed(token)
        claims = signed.claims
        # Providers older than the type write "JWT"; what tells it from an ID token is the event, and that it has no nonce.
        if str(signed.header.get("typ", "logout+jwt")).lower().removeprefix("application/") not in (
            "logout+jwt",
            "jwt",
        ):
            raise _refused("its type is another's")
        options: dict[str, Any] = {**self._expected(), "jti": {"essential": True}}
        checks = jwt.JWTClaimsRegistry(leeway=self._settings.clock_leeway_seconds, **options)
        self._check(lambda: checks.validate(claims))
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(_LOGOUT_EVENT), dict):
            raise _refused("it does not say that a session has ended")
        if claims["exp"] > time.time() + _LONGEST_LOGOUT_SECONDS:
            raise _refused("it is good for too long: its number would have to be remembered as long")
        if "nonce" in claims:
            raise _refused("it has a nonce, as ID tokens have")
        sid, subject = claims.get("sid"), claims.get("sub")
        if not all(one is None or (isinstance(one, str) and one) for one in (sid, subject)) or not (sid or subject):
            raise _refused("it names neither a session nor a person")
        return LoggedOut(claims["jti"], claims["exp"] + self._settings.clock_leeway_seconds, sid, subject)

    def _expected(self) -> dict[str, Any]:
        """What both kinds need; Authlib's class adds `sub`."""
        return {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": self._settings.client_id},
            "exp": {"essential": True},
            "iat": {"essential": True},
        }

    def _signed(self, token: str) -> jwt.Token:
        """Signed by a key of the provider's, in one of the configured ways."""
        registry = JWSRegistry(algorithms=self._settings.algorithms, strict_check_header=False)
        try:
            return jwt.decode(token, self._key, registry=registry)
        except (JoseError, ValueError) as error:
            raise _refused(f"{type(error).__name__}: {error}") from error

    def _key(self, signature: GuestProtocol) -> Key:
        header = signature.headers()
        algorithm = header.get("alg")
        if algorithm not in self._settings.algorithms:
            raise _refused(
                f"it is signed with {str(algorithm)[:40]!r}, and auth.oidc allows {self._settings.algorithms}"
            )
        return self._discovery.key(header.get("kid"), str(algorithm))

    @staticmethod
    def _check(validate: Any) -> None:  # noqa: ANN401
        try:
            validate()
        except JoseError as error:
            raise _refused(f"{type(error).__name__}: {error}") from error


def _refused(reason: str) -> SignInRefused:
    return SignInRefused(f"a token of the provider is not accepted: {reason[:300]}", "invalid")
