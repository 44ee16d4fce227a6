"""What a pipeline file may say, typed; what the names in it mean is checked where they are built."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from assistant.access.principal import MAX_LEVEL

Step = dict[str, dict[str, Any] | None]
Value = str | int | float | bool


class Block(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SourceSpec(Block):
    """Where documents come from: exactly one of `directory`, `url`, `reader`."""

    directory: str | None = Field(None, description="Folder of files; relative to the working directory.")
    url: str | None = Field(None, description="Or a server's folder: webdav://, s3://, smb://, sftp://, file:// …")
    options: dict[str, Any] = Field({}, repr=False, description="… and how to get in there; `${NAME}` is a secret.")
    reader: str | None = Field(None, description="Or a LlamaIndex reader by short name or dotted path …")
    arguments: dict[str, Any] = Field({}, repr=False, description="… the arguments of its constructor …")
    load: dict[str, Any] = Field({}, repr=False, description="… and of its load_data.")


def _written_as_compared(extension: str) -> str:
    if not extension.startswith(".") or extension != extension.lower():
        raise ValueError(f"extension '{extension}' must be written '.{extension.lstrip('.').lower()}'")
    return extension


def _regular_expression(text: str) -> str:
    try:
        found = re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    if not found.groupindex:
        raise ValueError("it needs named groups, such as (?P<number>[0-9-]+)")
    return text


class AccessRule(Block):
    match: str = Field(description="Path pattern, as in .gitignore; the first rule that matches decides.")
    department: str = Field(min_length=1, max_length=200)
    level: int = Field(1, ge=1, le=MAX_LEVEL)


class MetadataRule(Block):
    match: str = Field(
        "**/*", description="Path pattern, as in .gitignore; a key comes from the first rule that gives it."
    )
    pattern: Annotated[str, AfterValidator(_regular_expression)] | None = Field(
        None, description="Regular expression searched in the path; its named groups become values."
    )
    values: dict[str, Value] = Field({}, description="Values for every file that matches.")


class PipelineSpec(Block):
    """A pipeline file."""

    name: str = Field(min_length=1, max_length=200)
    source: SourceSpec
    include: list[str] = ["**/*"]
    exclude: list[str] = []
    readers: dict[Annotated[str, AfterValidator(_written_as_compared)], str | Step] = {}
    transformations: list[str | Step] = Field(min_length=1)
    access: list[AccessRule] = Field(description="[] where `.access.yaml` beside the documents names all of them.")
    metadata: dict[str, Value] = {}
    metadata_rules: list[MetadataRule] = []
    trust_metadata: bool = False


# The models of a pipeline file by the key that they are below, for the nearest right key.
BLOCKS: dict[str, type[Block]] = {"source": SourceSpec, "access": AccessRule, "metadata_rules": MetadataRule}


def name_and_options(step: str | Step) -> tuple[str, dict[str, Any]]:
    """`name` or `{name: {option: …}}`; an empty name when it is neither."""
    if isinstance(step, str):
        return step, {}
    ((name, options),) = step.items() if len(step) == 1 else (("", None),)
    return name, options or {}
