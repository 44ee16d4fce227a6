"""Secrets of a source: `${NAME}` in a pipeline file stands for a variable, and no library's message shows its value."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from assistant.errors import ConfigError

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SECRET = re.compile("pass|secret|token|key|auth", re.IGNORECASE)
_IN_ADDRESS = re.compile(
    rf"(?<=://)[^/\s'\"]+@|(?<=[?&])(?:[\w-]*(?:{_SECRET.pattern})[\w-]*)=[^&\s'\"]+", re.IGNORECASE
)


def expanded(value: Any) -> Any:  # noqa: ANN401 - any YAML
    """The value with `${NAME}` replaced in all its strings. Raises `ConfigError` that names a missing variable."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _variable(found[1]), value)
    if isinstance(value, dict):
        return {key: expanded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [expanded(inner) for inner in value]
    return value


def without_secrets(text: str, *options: Mapping[str, Any]) -> str:
    """A library's message without the secret values of what it was given, and without those in addresses."""
    for secret in (found for block in options for found in _secrets(block)):
        text = text.replace(secret, "…")
    return _IN_ADDRESS.sub("…", text)


def _secrets(options: Mapping[str, Any]) -> Iterator[str]:
    """A very short one would garble the text."""
    for key, value in options.items():
        if isinstance(value, dict):
            yield from _secrets(value)
        elif isinstance(value, str) and len(value) > 3 and _SECRET.search(str(key)):
            yield value


def _variable(name: str) -> str:
    """From the environment, or from `.env` where the settings are too."""
    found = os.environ.get(name) or _dotenv(str(Path.cwd() / ".env")).get(name)
    if not found:
        raise ConfigError(f"the variable {name} is not set: set it in the environment or in .env")
    return found


def _dotenv(file: str) -> dict[str, str | None]:
    from dotenv import dotenv_values

    try:
        return dotenv_values(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} can't be read: {error}") from error
