"""Secrets of a source: `${NAME}` in a pipeline file stands for a variable, so that no password is written into it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from assistant.errors import ConfigError

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def expanded(value: Any) -> Any:  # noqa: ANN401 - any YAML
    """The value with `${NAME}` replaced in all its strings. Raises `ConfigError` that names a missing variable."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _variable(found[1]), value)
    if isinstance(value, dict):
        return {key: expanded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [expanded(inner) for inner in value]
    return value


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
