"""Secrets in settings: taken from a file or the environment, warned of where others can read them, refused where weak."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

from assistant.errors import ConfigError

log = logging.getLogger("assistant.settings")

_FILE = "file:"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_IN_ADDRESS = re.compile(r"://[^/:\s]*:([^/\s]+)@")  # up to the last @, as those who connect read it
_LEAST_CHARS = 8
# What examples, guides and images have, and what people type who mean to come back to it.
_KNOWN = frozenset(
    """
    admin administrator assistant change-me change_me changeit changeme default demo example guest letmein local
    mysecretpassword none null p@ssw0rd pass passw0rd password password1 password123 please-change postgres qwerty qwerty123
    redis replace-me root sample secret secretpassword supersecret test test1234 token welcome your-secret yoursecret
    12345678 123456789 1234567890 пароль секрет
    """.split()  # noqa: SIM905 - a list of words is read more easily so
)
# What servers are given that want a key and check none. Taken out of a log it would garble it.
_NO_SECRET = frozenset(
    {"", "-", "empty", "none", "null", "na", "n/a", "no-key", "not-needed", "dummy", "ollama", "vllm", "lm-studio"}
)
_NOT_OURS = "ingest.passwords"  # of documents that others have encrypted


def taken(tree: Any, model: type[BaseModel], variables: Mapping[str, str]) -> Any:  # noqa: ANN401 - any YAML
    """The settings with `file:/run/secrets/NAME` and `${NAME}` replaced where a secret is wanted. Raises `ConfigError`."""
    return _changed(tree, model, "", lambda place, value: _taken(place, value, variables))


def _changed(tree: Any, annotation: Any, place: str, work: Callable[[str, str], str]) -> Any:  # noqa: ANN401
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not isinstance(tree, dict):
            return tree
        fields = annotation.model_fields
        return {
            key: _changed(value, fields[key].annotation, f"{place}.{key}".strip("."), work) if key in fields else value
            for key, value in tree.items()
        }
    if isinstance(tree, list):
        inside = next(iter(get_args(annotation)), None)
        return [_changed(value, inside, f"{place}.{number}", work) for number, value in enumerate(tree)]
    is_secret = annotation is SecretStr or SecretStr in get_args(annotation)
    if isinstance(tree, dict):
        block = next(
            (one for one in get_args(annotation) if isinstance(one, type) and issubclass(one, BaseModel)), None
        )
        return _changed(tree, block, place, work) if block else tree
    return work(place, tree) if is_secret and isinstance(tree, str) else tree


def _taken(place: str, value: str, variables: Mapping[str, str]) -> str:
    if value.startswith(_FILE):
        file = Path(value.removeprefix(_FILE)).expanduser()
        try:
            value = file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"setting '{place}': {file} can't be read: {error}") from error
        if not value:
            raise ConfigError(f"setting '{place}': {file} is empty")
        return value
    return _VARIABLE.sub(lambda found: _variable(place, found[1], variables), value)


def _variable(place: str, name: str, variables: Mapping[str, str]) -> str:
    if not variables.get(name):
        raise ConfigError(f"setting '{place}': the variable {name} is not set: set it in the environment or in .env")
    return variables[name]


def warn_of_open_file(file: Path, tree: Any, model: type[BaseModel]) -> None:  # noqa: ANN401 - any YAML
    """A secret that stands in a file which other accounts of the machine may read is named in the log."""
    found: list[str] = []
    _changed(tree, model, "", partial(_noted, found))
    with_others = stat.S_IRGRP | stat.S_IROTH
    if found and os.name == "posix" and file.stat().st_mode & with_others:
        log.warning(
            "%s holds a secret (%s), and other accounts may read it: chmod 600, or write file:PATH or ${NAME} instead",
            file,
            ", ".join(found),
        )


def _noted(found: list[str], place: str, value: str) -> str:
    if value and not value.startswith(_FILE) and not _VARIABLE.search(value) and _password(value) is not None:
        found.append(place)
    return value


def secrets_of(settings: BaseModel, place: str = "") -> Iterator[tuple[str, str]]:
    """Every secret with the name of its setting; of `bind_password_file` and the like what the file holds."""
    for name in type(settings).model_fields:
        value, inside = getattr(settings, name), f"{place}.{name}".strip(".")
        if isinstance(value, Path) and name.removesuffix("_file") in type(settings).model_fields.keys() - {name}:
            with contextlib.suppress(OSError, UnicodeDecodeError):  # whoever needs it says so
                yield inside, value.read_text("utf-8").strip()
        yield from _secrets(value, inside)


def _secrets(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, SecretStr):
        yield place, value.get_secret_value()
    elif isinstance(value, BaseModel):
        yield from secrets_of(value, place)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _secrets(one, f"{place}.{number}")


def masked(secrets: Iterable[str]) -> Callable[[str], str]:
    """Takes these secrets out of a text, also the passwords inside addresses and what is quoted as JSON or Python does.

    Very short ones, and those that are none, would garble it.
    """
    words: set[str] = set()
    for secret in secrets:
        inside = _IN_ADDRESS.search(secret)
        words |= {secret, *([inside[1], unquote(inside[1])] if inside else [])}
    words = {word for word in words if len(word) > 3 and word.lower() not in _NO_SECRET}
    words |= {repr(word)[1:-1] for word in words}
    words |= {json.dumps(word, ensure_ascii=False)[1:-1] for word in words}
    longest = sorted(words, key=len, reverse=True)
    if not longest:
        return str
    pattern = re.compile("|".join(map(re.escape, longest)))
    return lambda text: pattern.sub("**********", text)


def check_published(settings: Any) -> None:  # noqa: ANN401 - `Settings`, which this module must not import
    """What is served to others needs TLS and real secrets. Raises `ConfigError`; on loopback everything may be."""
    server = settings.server
    if _is_loopback(server.host):
        return
    if not (server.secure_cookies or server.plain_http):
        raise ConfigError(
            f"server.host is {server.host}, so passwords and sessions would cross the network unencrypted: put a proxy "
            "with TLS before it and set server.secure_cookies: true, or in a network that you trust server.plain_http: true"
        )
    for place, secret in secrets_of(settings):
        if not place.startswith(_NOT_OURS) and (why := _weakness(secret, place)):
            raise ConfigError(
                f"server.host is {server.host}, and {place} {why}: set a long random one, such as from "
                '`python -c "import secrets; print(secrets.token_urlsafe(32))"`'
            )


def _weakness(secret: str, place: str) -> str:
    password = _password(secret)
    if password is None or (place.startswith("llms.") and password.lower() in _NO_SECRET):
        return ""
    if password.lower() in _KNOWN:
        return "is a password that everybody knows"
    if len(password) < _LEAST_CHARS:
        return f"is shorter than {_LEAST_CHARS} characters"
    return "is the same character over and over" if len(set(password)) < 3 else ""


def _password(secret: str) -> str | None:
    """The secret itself, or the password in an address; None for an address without one."""
    if "://" not in secret:
        return secret
    found = _IN_ADDRESS.search(secret)
    return unquote(found[1]) if found else None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
