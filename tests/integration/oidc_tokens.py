"""Tokens as a provider would never make them: each wrong in one way, and signed by the right key but for that."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.servers.oidc_provider import SECRET

Claims = dict[str, Any]
Make = Callable[[Claims, RSAKey], str]  # from the claims of a right token and the provider's key

ATTACKER = RSAKey.generate_key(2048, {"kid": "attacker", "use": "sig", "alg": "RS256"})
ALL = ["RS256", "RS512", "PS256", "HS256"]


def claims_of(token: str) -> Claims:
    part = token.split(".")[1]
    found: Claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def sign(claims: Claims, key: RSAKey | OctKey, **header: Any) -> str:
    """As the provider does, but for what the header says otherwise."""
    return jwt.encode({"alg": "RS256", "kid": "first", **header}, claims, key, algorithms=ALL)


def bare(header: dict[str, Any], claims: Claims, signature: str = "") -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    return ".".join([*parts, signature])


def _with(**changed: Any) -> Make:
    """A claim that is None is left out."""
    return lambda claims, key: sign(
        {name: value for name, value in {**claims, **changed}.items() if value is not None}, key
    )


def _plain(key: RSAKey) -> RSAKey:
    """Without the word for which algorithm it is."""
    return RSAKey.import_key({name: value for name, value in key.as_dict(private=True).items() if name != "alg"})


def _hmac(claims: Claims, secret: bytes) -> str:
    """By hand: joserfc refuses to take a public key for a secret."""
    signed = bare({"alg": "HS256", "kid": "first"}, claims).removesuffix(".")
    digest = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _broken_signature(claims: Claims, key: RSAKey) -> str:
    body, _, signature = sign(claims, key).rpartition(".")
    return f"{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _other_claims(claims: Claims, key: RSAKey) -> str:
    header, _, signature = sign(claims, key).split(".")
    return f"{header}.{bare({}, {**claims, 'groups': ['hr-staff', 'directors']}).split('.')[1]}.{signature}"


def in_hours(hours: float) -> int:
    return int(time.time() + hours * 3600)


WRONG: dict[str, Make] = {
    "alg none": lambda claims, key: bare({"alg": "none", "kid": "first"}, claims),
    "alg None": lambda claims, key: bare({"alg": "None", "kid": "first"}, claims),
    "no alg": lambda claims, key: bare({"kid": "first"}, claims, sign(claims, key).split(".")[2]),
    "HS256 by the public key": lambda claims, key: _hmac(claims, key.as_pem(private=False)),
    "HS256 by the client secret": lambda claims, key: sign(claims, OctKey.import_key(SECRET), alg="HS256"),
    "RS512 by the right key": lambda claims, key: sign(claims, _plain(key), alg="RS512"),
    "PS256 by the right key": lambda claims, key: sign(claims, _plain(key), alg="PS256"),
    "another's key under the right id": lambda claims, key: sign(claims, ATTACKER),
    "another's key under its own id": lambda claims, key: sign(claims, ATTACKER, kid="attacker"),
    "another's key in the token": lambda claims, key: sign(claims, ATTACKER, jwk=ATTACKER.as_dict(private=False)),
    "another's key by address": lambda claims, key: sign(claims, ATTACKER, jku="http://127.0.0.1:9/keys"),
    "a broken signature": _broken_signature,
    "claims changed after signing": _other_claims,
    "another issuer": _with(iss="http://localhost:1"),
    "no issuer": _with(iss=None),
    "another audience": _with(aud="another"),
    "two audiences, no azp": _with(aud=["assistant", "another"], azp=None),
    "made for another (azp)": _with(azp="another"),
    "no audience": _with(aud=None),
    "expired": _with(exp=in_hours(-1)),
    "no expiry": _with(exp=None),
    "an expiry that is no number": _with(exp="never"),
    "from the future": _with(iat=in_hours(1)),
    "no time of issue": _with(iat=None),
    "not valid yet": _with(nbf=in_hours(1)),
    "another nonce": _with(nonce="another"),
    "no nonce": _with(nonce=None),
    "another access token (at_hash)": _with(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "no subject": _with(sub=None),
    "an empty subject": _with(sub=""),
    "a subject that is no text": _with(sub=["f3a1"]),
    "a subject without end": _with(sub="x" * 256),
    "no token at all": lambda claims, key: "eyJ.not.a-token",
}

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def logout_claims(issuer: str, **claims: Any) -> Claims:
    """Of a right logout token, but for what is given."""
    right = {
        "iss": issuer,
        "aud": "assistant",
        "iat": int(time.time()),
        "exp": int(time.time()) + 120,
        "jti": f"jti-{time.monotonic_ns()}",
        "events": {EVENT: {}},
    }
    return {name: value for name, value in {**right, **claims}.items() if value is not None}


WRONG_LOGOUT: dict[str, Make] = {
    "alg none": lambda claims, key: bare({"alg": "none", "typ": "logout+jwt"}, claims),
    "HS256 by the client secret": lambda claims, key: sign(claims, OctKey.import_key(SECRET), alg="HS256"),
    "another's key": lambda claims, key: sign(claims, ATTACKER, typ="logout+jwt"),
    "another kind of token": lambda claims, key: sign(claims, key, typ="at+jwt"),
    "another issuer": _with(iss="http://localhost:1"),
    "another audience": _with(aud="another"),
    "expired": _with(exp=in_hours(-1)),
    "no expiry": _with(exp=None),
    "good for a year": _with(exp=in_hours(8760)),
    "good for ever": _with(exp=10**400),
    "from the future": _with(iat=in_hours(1)),
    "no number": _with(jti=None),
    "no events": _with(events=None),
    "another event": _with(events={"http://schemas.openid.net/secevent/risc/event-type/account-disabled": {}}),
    "an event that is no object": _with(events={EVENT: True}),
    "a nonce": _with(nonce="n"),
    "neither session nor person": _with(sid=None, sub=None),
    "a session that is no text": _with(sid=["s"]),
    "nothing": lambda claims, key: "",
}
