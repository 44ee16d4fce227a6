"""Settings of single sign-on: what would be unsafe can't be configured, and says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.account_wiring import make_single_sign_on
from assistant.errors import ConfigError
from assistant.parts.sign_in.oidc import OidcSignIn
from assistant.settings import Settings
from assistant.settings_loader import load_settings
from assistant.settings_oidc import Oidc

RIGHT = {"name": "corp", "issuer": "https://id.example/realms/company", "client_id": "assistant"}


def load(*blocks: dict[str, object], **environ: str) -> Settings:
    return load_settings(environ={"ASSISTANT_AUTH__OIDC": json.dumps(blocks), **environ})


def test_a_block_is_read_and_its_secret_is_not_shown() -> None:
    settings = load({**RIGHT, "client_secret": "s3cret-value", "proxy": "http://me:s3cret-value@proxy:3128"})
    (provider,) = settings.auth.oidc
    assert provider.client_secret is not None
    assert provider.client_secret.get_secret_value() == "s3cret-value"
    assert "s3cret-value" not in repr(settings) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"algorithms": []}, "algorithms"),
        ({"issuer": "http://id.example"}, "issuer"),
        ({"issuer": "http://127.0.0.1.evil.example"}, "issuer"),
        ({"issuer": "http://localhost@evil.example"}, "issuer"),
        ({"issuer": "https://user@id.example"}, "issuer"),
        ({"name": "Corp"}, "name"),
        ({"name": "../x"}, "name"),
        ({"clock_leeway_seconds": 3600}, "clock_leeway_seconds"),
        ({"redirect_uri": "https://evil.example"}, "redirect_uri"),
    ],
)
def test_what_would_be_unsafe_is_refused(changed: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        load({**RIGHT, **changed})


@pytest.mark.parametrize(
    ("blocks", "environ", "why"),
    [
        ([RIGHT], {}, "server.public_url"),
        ([RIGHT, RIGHT], {"ASSISTANT_SERVER__PUBLIC_URL": "https://a.example"}, "two ways in are called 'corp'"),
        ([{**RIGHT, "name": "local"}], {"ASSISTANT_SERVER__PUBLIC_URL": "https://a.example"}, "called 'local'"),
    ],
)
def test_ways_in_are_told_apart(blocks: list[dict[str, object]], environ: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        make_single_sign_on(load(*blocks, **environ), None, None)  # type: ignore[arg-type]


def test_the_secret_comes_from_a_file_as_well(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("\n", "utf-8")
    for changed, why in (
        ({"client_secret_file": tmp_path / "nothing"}, "can't be read"),
        ({"client_secret_file": file}, "is empty"),
        ({"client_secret_file": file, "client_secret": "x"}, "not both"),
        ({"ca_file": tmp_path / "nothing"}, "ca_file"),
        ({"scopes": ["profile"]}, "openid"),
    ):
        with pytest.raises(ConfigError, match=why):
            OidcSignIn(Oidc.model_validate({**RIGHT, **changed}))
    file.write_text("from a file\n", "utf-8")
    OidcSignIn(Oidc.model_validate({**RIGHT, "client_secret_file": file}))
