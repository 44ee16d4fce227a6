"""Secrets: from files and the environment, masked in logs, warned of where others read them, refused where weak."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from assistant.errors import ConfigError
from assistant.operations.logs import configure_logs
from assistant.settings import Chroma, Database, Limits, Llm, Server, Settings, Storage
from assistant.settings_loader import load_settings
from assistant.settings_secrets import check_published, masked, secrets_of

GOOD = "kV9-2fXq_81mZr7Pw0"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    return tmp_path


def profile(place: Path, text: str, mode: int = 0o600) -> Path:
    file = place / "configs" / "own.yaml"
    file.write_text(text, "utf-8")
    file.chmod(mode)
    return file


def secret(settings: Settings, name: str) -> str:
    return dict(secrets_of(settings))[name]


def test_a_secret_comes_from_a_file(place: Path) -> None:
    (place / "token").write_text(f"{GOOD}\n", "utf-8")
    profile(
        place, f"chroma: {{token: 'file:{place}/token'}}\nllms: [{{provider: echo, api_key: 'file:{place}/token'}}]\n"
    )
    settings = load_settings("own", environ={})
    assert secret(settings, "chroma.token") == secret(settings, "llms.0.api_key") == GOOD
    by_variable = load_settings(environ={"ASSISTANT_CHROMA__TOKEN": f"file:{place}/token"})
    assert secret(by_variable, "chroma.token") == GOOD


def test_a_secret_comes_from_a_variable_also_in_an_address(place: Path) -> None:
    profile(place, 'database: {url: "postgresql+psycopg://assistant:${DB_PASSWORD}@db/assistant"}\n')
    assert f":{GOOD}@db" in secret(load_settings("own", environ={"DB_PASSWORD": GOOD}), "database.url")
    (place / ".env").write_text(f"DB_PASSWORD={GOOD}\n", "utf-8")
    assert f":{GOOD}@db" in secret(load_settings("own", environ={}), "database.url")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chroma: {token: 'file:/nowhere/token'}", "setting 'chroma.token': /nowhere/token can't be read"),
        ("chroma: {token: 'file:empty'}", "setting 'chroma.token': empty is empty"),
        ("chroma: {token: '${NO_SUCH_NAME}'}", "setting 'chroma.token': the variable NO_SUCH_NAME is not set"),
    ],
)
def test_a_secret_that_is_not_there_is_named(place: Path, text: str, said: str) -> None:
    (place / "empty").touch()
    profile(place, text)
    with pytest.raises(ConfigError) as refused:
        load_settings("own", environ={})
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_no_secret_is_taken_as_it_is_written(place: Path) -> None:
    profile(place, "llms: [{provider: echo, model: '${NAME}', url: 'file:x'}]\n")
    (model,) = load_settings("own", environ={}).llms
    assert (model.model, model.url) == ("${NAME}", "file:x")


@pytest.mark.parametrize(
    ("text", "mode", "is_warned"),
    [
        (f"chroma: {{token: {GOOD}}}", 0o644, True),
        (f"chroma: {{token: {GOOD}}}", 0o640, True),
        (f"chroma: {{token: {GOOD}}}", 0o600, False),
        ("chroma: {token: '${TOKEN}'}", 0o644, False),
        ("database: {url: 'postgresql+psycopg://assistant@db/assistant'}", 0o644, False),
        (f"database: {{url: 'postgresql+psycopg://assistant:{GOOD}@db/assistant'}}", 0o644, True),
        ("server: {port: 8080}", 0o644, False),
    ],
)
def test_a_secret_that_others_can_read_is_warned_of(
    place: Path, caplog: pytest.LogCaptureFixture, text: str, mode: int, is_warned: bool
) -> None:
    file = profile(place, text, mode)
    with caplog.at_level(logging.WARNING, "assistant.settings"):
        load_settings("own", environ={"TOKEN": GOOD})
    warned = [one.getMessage() for one in caplog.records if one.name == "assistant.settings"]
    assert len(warned) == int(is_warned)
    assert all(str(file) in one and "chmod 600" in one and GOOD not in one for one in warned)


def test_no_error_of_settings_shows_a_secret(place: Path) -> None:
    profile(place, f"chroma: {{token: [{GOOD}]}}\n")
    with pytest.raises(ConfigError) as refused:
        load_settings("own", environ={})
    assert GOOD not in str(refused.value)


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield tmp_path / "logs" / "assistant.log"
    root.handlers[:], root.level = before, level
    structlog.reset_defaults()


def test_logs_show_no_secret(tmp_path: Path, logs: Path) -> None:
    url = f"postgresql+psycopg://assistant:{GOOD}%21@db/assistant"
    settings = Settings(
        storage=Storage(path=tmp_path),
        database=Database(url=url),
        chroma=Chroma(token="tok-91-xyz"),
        llms=[Llm(provider="echo", api_key="key-77-abc")],
    )
    configure_logs(settings, console=False)
    log = structlog.get_logger("assistant.test")
    log.info("connecting", url=url, headers={"Authorization": "Bearer tok-91-xyz"})
    logging.getLogger("httpx").warning("GET /v1 with %s", "key-77-abc")
    try:
        raise RuntimeError(f"password {GOOD}! was refused")
    except RuntimeError as error:
        log.error("failed", exc_info=error)
    written = logs.read_text("utf-8")
    assert len([json.loads(line) for line in written.splitlines()]) == 3
    assert "RuntimeError: password **********" in written
    assert not [one for one in (GOOD, "tok-91-xyz", "key-77-abc") if one in written]


def test_a_secret_is_masked_also_where_it_is_quoted(tmp_path: Path, logs: Path) -> None:
    secret = "a\"b\\c'd-91-xyz"
    url = "redis://:long@password-91@cache/0"
    configure_logs(
        Settings(storage=Storage(path=tmp_path), chroma=Chroma(token=secret), limits=Limits(storage=url)), console=False
    )
    log = structlog.get_logger("assistant.test")
    log.info("connecting", header=f"Bearer {secret}", headers=repr([secret]), password="long@password-91")
    log.info("connecting", headers=[secret])
    written = logs.read_text("utf-8")
    assert len([json.loads(line) for line in written.splitlines()]) == 2
    assert not [one for one in ("xyz", "long@", "password-") if one in written]


def test_what_a_named_file_holds_is_a_secret_too(tmp_path: Path) -> None:
    file = tmp_path / "bind"
    file.write_text("Password1\n", "utf-8")
    directory = {"name": "corp", "kind": "openldap", "servers": ["ldap.corp"], "base_dn": "dc=corp", "bind_dn": "cn=a"}
    blocks = {"auth": {"ldap": [{**directory, "bind_password_file": str(file)}]}}
    assert list(secrets_of(Settings.model_validate(blocks))) == [("auth.ldap.0.bind_password_file", "Password1")]
    with pytest.raises(ConfigError, match="bind_password_file is a password that everybody knows"):
        check_published(published(**blocks))
    file.unlink()
    check_published(published(**blocks))


def test_what_is_given_instead_of_a_key_garbles_no_log() -> None:
    assert masked(["ollama", "EMPTY", "none", "key"])("ollama: none of EMPTY, key") == "ollama: none of EMPTY, key"


def published(**blocks: object) -> Settings:
    return Settings.model_validate({"server": {"host": "0.0.0.0", "secure_cookies": True}, **blocks})


WEAK = [
    ({"database": {"url": "postgresql+psycopg://assistant:changeme@db/assistant"}}, "database.url"),
    ({"database": {"url": "postgresql+psycopg://assistant:p%40ssw0rd@db/assistant"}}, "database.url"),
    ({"chroma": {"token": "secret"}}, "chroma.token"),
    ({"chroma": {"token": "short"}}, "chroma.token"),
    ({"chroma": {"token": "xxxxxxxxxxxxxxxx"}}, "chroma.token"),
    ({"llms": [{"provider": "echo", "api_key": "PASSWORD"}]}, "llms.0.api_key"),
    ({"limits": {"storage": "redis://:redis@cache/0"}}, "limits.storage"),
]


@pytest.mark.parametrize(("blocks", "place"), WEAK)
def test_nothing_is_published_with_a_weak_secret(blocks: dict[str, object], place: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_published(published(**blocks))
    said = str(refused.value)
    assert place in said
    assert "token_urlsafe" in said
    assert "\n" not in said
    check_published(Settings.model_validate(blocks))  # on loopback it may be


@pytest.mark.parametrize(
    "blocks",
    [
        {"database": {"url": f"postgresql+psycopg://assistant:{GOOD}@db/assistant"}, "chroma": {"token": GOOD}},
        {"database": {"url": "postgresql+psycopg://assistant@db/assistant"}, "limits": {"storage": "redis://cache/0"}},
        {"limits": {"storage": "redis://:l0ng@password@cache/0"}, "llms": [{"provider": "echo", "api_key": "ollama"}]},
        {"llms": [{"provider": "echo", "api_key": "EMPTY"}], "ingest": {"passwords": ["123"]}},
        {},
    ],
)
def test_good_secrets_are_published(blocks: dict[str, object]) -> None:
    check_published(published(**blocks))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "assistant.company.ru", ""])
def test_other_machines_are_not_served_without_tls_unless_somebody_says_so(host: str) -> None:
    with pytest.raises(ConfigError, match="plain_http"):
        check_published(Settings(server=Server(host=host)))
    check_published(Settings(server=Server(host=host, secure_cookies=True)))
    check_published(Settings(server=Server(host=host, plain_http=True)))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_is_served_as_it_is(host: str) -> None:
    check_published(Settings(server=Server(host=host), limits=Limits(storage="redis://:x@h/0")))
