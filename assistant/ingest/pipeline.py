"""Declarative pipelines: a YAML file, typed and checked before anything runs, compiled into parts."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

from pathspec import GitIgnoreSpec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from assistant import resources
from assistant.access.principal import AccessClass
from assistant.errors import ConfigError
from assistant.ingest.yaml_lines import Location, YamlFile
from assistant.registry import nearest

if TYPE_CHECKING:
    from llama_index.core.schema import TransformComponent

_Step = dict[str, dict[str, Any] | None]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SourceSpec(_Block):
    directory: str | None = Field(None, description="Folder of files; relative to the working directory.")
    reader: str | None = Field(None, description="Or a LlamaIndex reader by dotted path …")
    arguments: dict[str, Any] = Field({}, description="… the arguments of its constructor …")
    load: dict[str, Any] = Field({}, description="… and of its load_data.")


def _written_as_compared(extension: str) -> str:
    if not extension.startswith(".") or extension != extension.lower():
        raise ValueError(f"extension '{extension}' must be written '.{extension.lstrip('.').lower()}'")
    return extension


_Extension = Annotated[str, AfterValidator(_written_as_compared)]


class AccessRule(_Block):
    match: str = Field(description="Path pattern, as in .gitignore; the first rule that matches decides.")
    department: str = Field(min_length=1, max_length=200)
    level: int = Field(1, ge=1)


class PipelineSpec(_Block):
    """What a pipeline file may say."""

    name: str = Field(min_length=1, max_length=200)
    source: SourceSpec
    include: list[str] = ["**/*"]
    exclude: list[str] = []
    readers: dict[_Extension, str | _Step] = {}
    transformations: list[str | _Step] = Field(min_length=1)
    access: list[AccessRule] = Field(min_length=1)
    metadata: dict[str, str | int | float | bool] = {}


@dataclass(frozen=True)
class ReaderChoice:
    """A registered reader with its options; built in the worker process."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pipeline:
    """A checked pipeline, ready to run."""

    file: Path
    name: str
    source: SourceSpec
    readers: dict[str, ReaderChoice]
    transformations: list[TransformComponent]
    metadata: dict[str, str | int | float | bool]
    fingerprint_base: str
    _include: GitIgnoreSpec
    _exclude: GitIgnoreSpec
    _access: list[tuple[GitIgnoreSpec, AccessClass]]

    def includes(self, path: str) -> bool:
        return self._include.match_file(path) and not self.excludes(path)

    def excludes(self, path: str) -> bool:
        """Also of folders, which are written with a slash at the end."""
        return bool(self._exclude.match_file(path))

    def access_class(self, path: str) -> AccessClass | None:
        """The class of the first rule that matches, or None: then the document is refused."""
        return next((found for spec, found in self._access if spec.match_file(path)), None)

    def reader(self, path: str) -> ReaderChoice | None:
        return self.readers.get(PurePosixPath(path).suffix.lower())

    def fingerprint(self, path: str) -> str:
        """What decides the chunks of this file beside its content; a document whose fingerprint stands is not redone."""
        reader = self.reader(path)
        text = json.dumps([self.fingerprint_base, reader and [reader.name, reader.options]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_pipeline(
    file: str | Path, *, embedding_identity: str, tokenizer: Callable[[str], list[int]] | None = None
) -> Pipeline:
    """Read, check and compile a pipeline file. Raises `PipelineError` with file, line and the nearest right name."""
    from assistant.parts import readers as reader_parts

    path = resources.require(file, "the pipeline file")
    yaml_file = YamlFile(path)
    spec = _checked(yaml_file)
    known = reader_parts.READERS.names()
    readers = {}
    for extension, step in spec.readers.items():
        name, options = _name_and_options(step)
        if name not in known:
            raise yaml_file.error(("readers", extension), f"unknown reader '{name}'{nearest(name, known)}")
        try:
            reader_parts.READERS.build(name, **options)
        except ConfigError as error:
            raise yaml_file.error(("readers", extension), str(error)) from error
        readers[extension] = ReaderChoice(name, options)
    transformations = [
        _transformation(yaml_file, number, step, tokenizer) for number, step in enumerate(spec.transformations)
    ]
    _check_source(yaml_file, spec)
    base = [embedding_identity, reader_parts.VERSION, spec.transformations, spec.metadata]
    return Pipeline(
        file=path,
        name=spec.name,
        source=spec.source,
        readers=readers,
        transformations=transformations,
        metadata=spec.metadata,
        fingerprint_base=json.dumps(base, sort_keys=True, ensure_ascii=False),
        _include=_patterns(yaml_file, ("include",), spec.include),
        _exclude=_patterns(yaml_file, ("exclude",), spec.exclude),
        _access=[
            (_patterns(yaml_file, ("access", number), [rule.match]), AccessClass(rule.department, rule.level))
            for number, rule in enumerate(spec.access)
        ],
    )


def for_folder(pipeline: Pipeline, directory: Path, access_class: AccessClass | None) -> Pipeline:
    """The same recipe for another folder; with a class given, everything in it gets that class."""
    from dataclasses import replace

    rules = pipeline._access if access_class is None else [(GitIgnoreSpec.from_lines(["**/*"]), access_class)]
    source = SourceSpec.model_validate({"directory": str(directory)})
    return replace(pipeline, source=source, _access=rules)


def _patterns(yaml_file: YamlFile, location: Location, patterns: list[str]) -> GitIgnoreSpec:
    """Patterns and paths are compared in Unicode's composed form: macOS and some shares give the other one."""
    try:
        return GitIgnoreSpec.from_lines(unicodedata.normalize("NFC", pattern) for pattern in patterns)
    except (ValueError, re.error) as error:
        raise yaml_file.error(location, f"not a path pattern as in .gitignore: {error}") from error


def _checked(yaml_file: YamlFile) -> PipelineSpec:
    if not isinstance(yaml_file.data, dict):
        raise yaml_file.error((), "a pipeline is written as `key: value` (name, source, readers, …)")
    try:
        return PipelineSpec.model_validate(yaml_file.data)
    except ValidationError as error:
        # a misspelled key comes first: what is "missing" then is what was meant
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        location: Location = tuple(first["loc"])
        if first["type"] == "missing":
            raise yaml_file.error(location, f"'{location[-1]}' is missing") from error
        if first["type"] == "extra_forbidden":
            known = _known_keys(location[:-1])
            raise yaml_file.error(
                location, f"unknown key '{location[-1]}'{nearest(str(location[-1]), known)}"
            ) from error
        keys = ".".join(str(part) for part in location if part != "[key]")
        raise yaml_file.error(location, f"{keys}: {first['msg'].removeprefix('Value error, ')}") from error


def _known_keys(parents: Location) -> list[str]:
    models: dict[str, type[_Block]] = {"source": SourceSpec, "access": AccessRule}
    return list(models.get(str(parents[0]) if parents else "", PipelineSpec).model_fields)


def _name_and_options(step: str | _Step) -> tuple[str, dict[str, Any]]:
    if isinstance(step, str):
        return step, {}
    ((name, options),) = step.items() if len(step) == 1 else (("", None),)
    return name, options or {}


def _transformation(
    yaml_file: YamlFile, number: int, step: str | _Step, tokenizer: Callable[[str], list[int]] | None
) -> TransformComponent:
    from assistant.parts.node_parsers import build_transformation

    name, arguments = _name_and_options(step)
    if not name:
        raise yaml_file.error(("transformations", number), "write one class name with its arguments under it")
    try:
        return build_transformation(name, arguments, tokenizer)
    except ConfigError as error:
        named = next((argument for argument in arguments if f"'{argument}'" in str(error)), None)
        location = ("transformations", number, name, named) if named else ("transformations", number)
        raise yaml_file.error(location, str(error)) from error


def _check_source(yaml_file: YamlFile, spec: PipelineSpec) -> None:
    from llama_index.core.readers.base import BaseReader

    from assistant.parts.node_parsers import llama_index_class

    source = spec.source
    if (source.directory is None) == (source.reader is None):
        raise yaml_file.error(("source",), "source needs either `directory` or `reader`")
    if source.reader is not None:
        try:
            llama_index_class(source.reader, BaseReader)
        except ConfigError as error:
            raise yaml_file.error(("source", "reader"), str(error)) from error
    elif not spec.readers:
        raise yaml_file.error((), "a directory needs `readers` by extension, such as `.pdf: pdf`")
