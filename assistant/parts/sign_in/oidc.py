"""Single sign-on by OpenID Connect: the authorization code flow with PKCE, and the two ways to sign out.

Whatever a provider answers, people see a sentence of ours: nothing of its text is shown.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx2
from authlib.common.errors import AuthlibBaseError

from assistant.errors import ConfigError, SignInRefused
from assistant.parts.sign_in import SINGLE_SIGN_ON, Arrived, Begun, LoggedOut, SingleSignOn
from assistant.parts.sign_in.oidc_discovery import Discovery, Provider
from assistant.parts.sign_in.oidc_http import OidcHttp, text_of
from assistant.parts.sign_in.oidc_people import identity_of, is_complete
from assistant.parts.sign_in.oidc_tokens import Tokens
from assistant.settings_oidc import Oidc


class OidcSignIn:
    """One provider. Holds nothing of any sign-in."""

    def __init__(self, settings: Oidc) -> None:
        self.name = settings.name
        self.label = settings.label or settings.name
        self.issuer = settings.issuer
        self.session_hours = settings.session_hours
        if "openid" not in settings.scopes:
            raise ConfigError(f"auth.oidc '{self.name}': scopes need `openid`")
        self._settings = settings
        self._secret = _secret(settings)
        self._http = OidcHttp(settings)
        self._discovery = Discovery(settings, self._http)
        self._tokens = Tokens(settings, self._discovery)

    def begin(self, back_to: str) -> Begun:
        provider = self._discovery.provider()
        begun = Begun("", secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
        prompt = {"prompt": self._settings.prompt} if self._settings.prompt else {}
        with self._client(provider) as client:
            url, _ = client.create_authorization_url(
                provider.authorization_endpoint,
                state=begun.state,
                code_verifier=begun.verifier,
                nonce=begun.nonce,
                redirect_uri=back_to,
                **prompt,
            )
        return Begun(url, begun.state, begun.nonce, begun.verifier)

    def finish(self, answer: Mapping[str, str], begun: Begun, back_to: str) -> Arrived:
        provider = self._discovery.provider()
        issuer = answer.get("iss")
        if issuer != self.issuer and (issuer is not None or provider.names_itself):
            raise SignInRefused(f"the answer comes from another provider: {str(issuer)[:200]!r}", "invalid")
        if "error" in answer:
            case = "denied" if answer["error"] == "access_denied" else "failed"
            raise SignInRefused(
                f"the provider refused: {answer['error'][:80]!r} {answer.get('error_description', '')[:200]!r}", case
            )
        if not answer.get("code"):
            raise SignInRefused("the provider sent no code", "failed")
        token = self._redeem(provider, answer["code"], begun.verifier, back_to)
        id_token, access_token = text_of(token, "id_token"), text_of(token, "access_token")
        if id_token is None:
            raise SignInRefused("the provider sent no id_token: does its client allow the scope openid?", "failed")
        claims = self._tokens.id_token(id_token, nonce=begun.nonce, access_token=access_token)
        if (
            self._settings.userinfo
            and provider.userinfo_endpoint
            and access_token
            and not is_complete(self._settings, claims)
        ):
            claims = self._with_userinfo(provider.userinfo_endpoint, access_token, claims)
        return Arrived(identity_of(self._settings, claims), text_of(claims, "sid"), id_token)

    def goodbye(self, id_token: str, back_to: str) -> str | None:
        address = self._discovery.provider().end_session_endpoint
        if address is None:
            return None
        parts = urlsplit(address)
        query = {"id_token_hint": id_token, "client_id": self._settings.client_id, "post_logout_redirect_uri": back_to}
        return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *query.items()])))

    def logged_out(self, token: str) -> LoggedOut:
        return self._tokens.logout_token(token)

    def _client(self, provider: Provider) -> Any:  # noqa: ANN401 - Authlib has no types
        """Basic is what every provider has to know; some know only the other one."""
        basic = "client_secret_basic" in provider.auth_methods
        method = "none" if self._secret is None else "client_secret_basic" if basic else "client_secret_post"
        return self._http.client(secret=self._secret, auth_method=method)

    def _redeem(self, provider: Provider, code: str, verifier: str, back_to: str) -> Mapping[str, Any]:
        """The code for tokens. Raises `SignInRefused` when the provider does not take it, `SignInUnavailable`."""
        try:
            with self._client(provider) as client:
                found: Mapping[str, Any] = client.fetch_token(
                    provider.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=verifier,
                    redirect_uri=back_to,
                )
        except AuthlibBaseError as error:
            raise SignInRefused(f"the provider does not take the code: {str(error)[:300]!r}", "failed") from error
        except (httpx2.HTTPError, ValueError) as error:
            raise self._http.unavailable("tokens", error) from error
        return found

    def _with_userinfo(self, url: str, access_token: str, claims: dict[str, Any]) -> dict[str, Any]:
        """What the signed token says goes first."""
        found = self._http.get(url, "userinfo", token=access_token)
        if not isinstance(found.get("sub"), str) or not hmac.compare_digest(
            found["sub"].encode(), claims["sub"].encode()
        ):
            raise SignInRefused("the provider's userinfo is about another person", "invalid")
        return {**found, **claims}


@SINGLE_SIGN_ON.register("oidc")
def oidc(*, settings: Oidc) -> SingleSignOn:
    return OidcSignIn(settings)


def _secret(settings: Oidc) -> str | None:
    if settings.client_secret is not None and settings.client_secret_file is not None:
        raise ConfigError(f"auth.oidc '{settings.name}': give client_secret or client_secret_file, not both")
    if settings.client_secret_file is None:
        return settings.client_secret.get_secret_value() if settings.client_secret else None
    try:
        found = settings.client_secret_file.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"auth.oidc '{settings.name}': client_secret_file can't be read: {error}") from error
    if not found:
        raise ConfigError(f"auth.oidc '{settings.name}': client_secret_file {settings.client_secret_file} is empty")
    return found
