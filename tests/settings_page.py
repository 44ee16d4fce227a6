"""Writes docs/settings.md from the settings' own sentences: `make docs`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from assistant.settings import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
HEAD = """# Settings

Made from `assistant/settings.py` by `make docs`. A value is taken from the first of these that has it: the environment
(`ASSISTANT_` + the name in capitals, parts joined by `__`: `ASSISTANT_SERVER__PORT=8080`), `.env` (the same names), the
profile (`configs/NAME.yaml`, chosen by `--profile NAME` or `ASSISTANT_PROFILE`), `configs/default.yaml`. Lists and blocks
are written as JSON in variables. `assistant config show` prints what is in force, secrets masked. Unknown names are errors.
Defaults below are the program's own; `configs/default.yaml` sets some of them.
"""


def page() -> str:
    return HEAD + "".join(_block(name, field) for name, field in Settings.model_fields.items())


def _block(name: str, field: FieldInfo) -> str:
    model = _model(field)
    assert model is not None, name
    many = "a list; each with" if model is not field.annotation else ""
    lines = [
        f"\n## {name}\n\n{field.description} {many}".rstrip() + "\n\n| setting | default | meaning |\n|---|---|---|\n"
    ]
    return "".join([*lines, *_rows(name, model)])


def _rows(prefix: str, model: type[BaseModel]) -> list[str]:
    rows = []
    for name, field in model.model_fields.items():
        inner = _model(field)
        if inner is not None:
            rows += _rows(f"{prefix}.{name}", inner)
        else:
            default = "required" if field.is_required() else f"`{_shown(field.default)}`"
            rows.append(f"| `{prefix}.{name}` | {default} | {field.description} |\n")
    return rows


def _shown(value: object) -> str:
    return "none" if value is None or value == "" else str(value).lower() if isinstance(value, bool) else str(value)


def _model(field: FieldInfo) -> type[BaseModel] | None:
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
