"""Settings from their four places, each error with the key, its place and the nearest right name.

Environment (`ASSISTANT_…`, nested with `__`) over `.env` over `configs/<profile>.yaml` over `configs/default.yaml`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeGuard, get_args

import yaml
from dotenv import dotenv_values
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from assistant import resources
from assistant.errors import ConfigError
from assistant.registry import nearest
from assistant.settings import Settings
from assistant.settings_secrets import taken, warn_of_open_file

PREFIX = "ASSISTANT_"
# Names with the prefix that are not settings: which profile to load, and the tests' own switch.
RESERVED = {"ASSISTANT_PROFILE", "ASSISTANT_TEST_ALL"}
NO_PROFILES = {"access", "glossary"}  # other files in configs/

Tree = dict[str, Any]
Source = tuple[str, Tree]
Blocks = Iterator[tuple[type[BaseModel], Tree, tuple[str, ...]]]  # model, values, place


def load_settings(profile: str | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Merge the four places into `Settings`. Raises `ConfigError` that names key, place and nearest right key."""
    environ = dict(os.environ if environ is None else environ)
    sources = list(_sources(profile, environ))
    merged: Tree = {}
    for label, tree in sources:
        _refuse_unknown(tree, Settings, label, ())
        merged = _merge(merged, tree)
        if label.endswith(".yaml"):
            warn_of_open_file(Path(label), tree, Settings)
    merged = taken(merged, Settings, {**_dotenv_here(), **environ})
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_explain(error, sources)) from error


def shipped_profiles() -> dict[str, Settings]:
    """Every profile in `configs/` as its files say, without `.env` and the environment; one that is wrong is left out."""
    default = _yaml("default")[1]
    found = {}
    for name in _profiles():
        with suppress(ConfigError, ValidationError):
            found[name] = Settings.model_validate(_merge(default, _yaml(name)[1]))
    return found


def _profiles() -> list[str]:
    found = {found.stem for root in resources.roots() for found in (root / "configs").glob("*.yaml")}
    return sorted(found - NO_PROFILES)


def _sources(profile: str | None, environ: dict[str, str]) -> Iterator[Source]:
    dotenv = _dotenv_here()
    profile = profile or environ.get("ASSISTANT_PROFILE") or dotenv.get("ASSISTANT_PROFILE") or "default"
    yield _yaml("default")
    if profile != "default":
        yield _yaml(profile)
    yield ".env", _from_variables(dotenv, ".env")
    yield "the environment", _from_variables(environ, "the environment")


def _dotenv_here() -> dict[str, str]:
    path = Path.cwd() / ".env"
    return _dotenv(path) if path.is_file() else {}


def _dotenv(path: Path) -> dict[str, str]:
    try:
        found = dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from error
    return {key: value or "" for key, value in found.items()}


def _yaml(profile: str) -> Source:
    path = resources.locate(f"configs/{profile}.yaml")
    if path is None:
        searched = ", ".join(str(root / "configs") for root in resources.roots())
        raise ConfigError(f"no profile '{profile}'{nearest(profile, _profiles())} (searched in {searched})")
    try:
        tree = yaml.safe_load(path.read_text("utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold settings as `key: value`, not {type(tree).__name__}")
    return str(path), tree


def _from_variables(variables: Mapping[str, str], label: str) -> Tree:
    tree: Tree = {}
    for name, raw in sorted(variables.items()):
        if not name.upper().startswith(PREFIX) or name.upper() in RESERVED:
            continue
        keys = name[len(PREFIX) :].lower().split("__")
        model: Any = Settings
        branch = tree
        for depth, key in enumerate(keys):
            if not _is_block(model):
                raise ConfigError(f"{name} in {label}: {'.'.join(keys[:depth])} has no parts")
            if key not in model.model_fields:
                raise ConfigError(f"unknown setting {name} in {label}{nearest(name.upper(), _variables(Settings))}")
            model = model.model_fields[key].annotation
            if depth == len(keys) - 1:
                branch[key] = _value(raw, model, name, label)
                continue
            branch = branch.setdefault(key, {})
            if not isinstance(branch, dict):
                whole = PREFIX + "__".join(keys[: depth + 1]).upper()
                raise ConfigError(f'{whole} in {label} must be a JSON object, such as {{"key": "value"}}')
    return tree


def _variables(block: type[BaseModel], before: str = PREFIX) -> list[str]:
    """The names of all variables, those of blocks before those inside them."""
    names: list[str] = []
    for key, field in block.model_fields.items():
        name = before + key.upper()
        names.append(name)
        if _is_block(field.annotation):
            names += _variables(field.annotation, f"{name}__")
    return names


def _value(raw: str, annotation: Any, name: str, label: str) -> Any:  # noqa: ANN401 - a setting's own type
    """Lists and blocks are written as JSON in a variable; everything else as it is."""
    if TypeAdapter(annotation).json_schema().get("type") not in ("array", "object"):
        return None if raw == "" and type(None) in get_args(annotation) else raw
    try:
        return json.loads(raw)
    except json.JSONDecodeError as error:
        raise ConfigError(f'{name} in {label} must be JSON, such as ["a", "b"]: {error}') from error


def _refuse_unknown(tree: Tree, model: type[BaseModel], label: str, path: tuple[str, ...]) -> None:
    for key, value in tree.items():
        if key not in model.model_fields:
            known = [".".join((*path, name)) for name in model.model_fields]
            wanted = ".".join((*path, str(key)))
            raise ConfigError(f"unknown setting '{wanted}' in {label}{nearest(wanted, known)}")
        for block, inner, place in _blocks(value, model.model_fields[key].annotation, (*path, key)):
            _refuse_unknown(inner, block, label, place)


def _blocks(value: object, annotation: object, path: tuple[str, ...]) -> Blocks:
    """A block, or the blocks of a list of them, with their models and places."""
    if isinstance(value, list) and get_args(annotation):
        for number, item in enumerate(value):
            yield from _blocks(item, get_args(annotation)[0], (*path, str(number)))
    elif isinstance(value, dict) and _is_block(annotation):
        yield annotation, value, path


def _is_block(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _merge(under: Tree, over: Tree) -> Tree:
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _explain(error: ValidationError, sources: list[Source]) -> str:
    first = error.errors()[0]
    keys = [str(part) for part in first["loc"]]
    place = next((label for label, tree in reversed(sources) if _has(tree, keys)), "the defaults")
    got = f" (got {first['input']!r})" if _may_be_shown(keys) and first["type"] != "missing" else ""
    more = f"; and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    return f"setting '{'.'.join(keys)}' in {place}: {first['msg']}{got}{more}"


def _may_be_shown(keys: list[str]) -> bool:
    """Whether a wrong value of this setting can't hold a secret: it is neither one itself nor made of settings."""
    annotation: Any = Settings
    for key in keys:
        inside = annotation.model_fields[key].annotation if _is_block(annotation) else None
        annotation = inside or next(iter(get_args(annotation)), None)
    kinds = (annotation, *get_args(annotation))
    return SecretStr not in kinds and not any(map(_is_block, kinds))


def _has(tree: Any, keys: list[str]) -> bool:  # noqa: ANN401 - any YAML value
    for key in keys:
        if isinstance(tree, list) and key.isdigit() and int(key) < len(tree):
            tree = tree[int(key)]
        elif isinstance(tree, dict) and key in tree:
            tree = tree[key]
        else:
            return isinstance(tree, dict) and key == keys[-1] and len(keys) > 1
    return True
