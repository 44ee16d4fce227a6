"""The settings of single sign-on by OpenID Connect. No behaviour."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, SecretStr

from assistant.settings_block import Block

# The provider's key checks them: `none` and HS* (whose key is no secret of the provider's) can't be configured at all.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
Address = Annotated[
    str, Field(pattern=r"^(https://[^/?#\s@]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?)(/[^\s#]*)?$")
]


class OidcClaims(Block):
    name: str = Field(
        default="preferred_username", min_length=1, description="The name that lists show; not what tells people apart."
    )
    display_name: str = Field(default="name", description="The person's full name; empty: none is taken.")
    email: str = Field(default="email", description="His address; empty: none is taken.")
    groups: str = Field(
        default="groups",
        description="His groups, a list or one name; dots lead into an object (realm_access.roles); empty: none are taken.",
    )


class Oidc(Block):
    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$",
        description="Part of its addresses (/auth/oidc/NAME) and of its people's accounts: never give it to another one.",
    )
    label: str = Field(
        default="", max_length=80, description="What the button of the sign-in page says; by default the name."
    )
    issuer: Address = Field(description="The provider's issuer, letter for letter as its discovery says it.")
    client_id: str = Field(min_length=1, description="As the provider knows this assistant.")
    client_secret: SecretStr | None = Field(default=None, description="From the provider; none for a public client.")
    client_secret_file: Path | None = Field(default=None, description="A file with the secret, instead.")
    scopes: list[str] = Field(
        default=["openid", "profile", "email"], description="What is asked for; `openid` has to be among it."
    )
    algorithms: list[Algorithm] = Field(
        default=["RS256"], min_length=1, description="How its tokens may be signed; all others are refused."
    )
    claims: OidcClaims = Field(default=OidcClaims(), description="Where its tokens say who somebody is.")
    userinfo: bool = Field(
        default=True, description="Ask the provider's userinfo for a name, full name or groups that the ID token lacks."
    )
    prompt: Literal["login", "select_account", "consent"] | None = Field(
        default=None, description="login: the provider asks for the password every time; select_account: which account."
    )
    session_hours: PositiveFloat = Field(
        default=10.0, description="A session ends after this long: until then only the provider's sign-out ends it."
    )
    clock_leeway_seconds: int = Field(default=60, ge=0, le=300, description="How far the two clocks may be apart.")
    timeout_seconds: PositiveFloat = Field(default=5.0, le=60, description="How long the provider may take to answer.")
    ca_file: Path | None = Field(
        default=None, description="Certificates (PEM) that the provider's own is checked with; by default the system's."
    )
    proxy: SecretStr | None = Field(default=None, description="HTTP proxy on the way to the provider; by default none.")
