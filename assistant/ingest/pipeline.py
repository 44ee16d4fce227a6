"""Declarative pipelines: a YAML file, typed and checked when it is loaded; its parts are built when there is work.

Importing LlamaIndex takes seconds, and most runs find nothing to do. So `load_pipeline` checks what the file says, and
`Pipeline.compile` the names in it, before anything is changed.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pathspec import GitIgnoreSpec

from assistant import resources
from assistant.access.principal import AccessClass
from assistant.errors import ConfigError
from assistant.ingest import metadata
from assistant.ingest.secrets import expanded
from assistant.ingest.sources.names import protocol_problem, reader_path, reader_problem
from assistant.ingest.spec import BLOCKS, MetadataRule, PipelineSpec, SourceSpec, Step, Value, name_and_options
from assistant.parts import versions
from assistant.yaml_lines import Location, YamlFile

if TYPE_CHECKING:
    from llama_index.core.readers.base import BaseReader
    from llama_index.core.schema import TransformComponent


@dataclass(frozen=True)
class ReaderChoice:
    """A registered reader with its options; built in the worker process."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pipeline:
    """A checked pipeline. Its heavy parts are built at their first use, or all at once by `compile`."""

    file: Path
    name: str
    source: SourceSpec
    readers: dict[str, ReaderChoice]
    metadata: dict[str, Value]
    trust_metadata: bool
    fingerprint_base: str
    _yaml: YamlFile = field(repr=False)
    _steps: list[str | Step] = field(repr=False)
    _tokenizer: Callable[[str], list[int]] | None = field(repr=False)
    _include: GitIgnoreSpec = field(repr=False)
    _exclude: GitIgnoreSpec = field(repr=False)
    _access: list[tuple[GitIgnoreSpec, AccessClass]] = field(repr=False)
    _rules: list[tuple[GitIgnoreSpec, MetadataRule]] = field(repr=False)

    def compile(self) -> Pipeline:
        """Build every part that the file names. Raises `PipelineError` with file, line and the nearest right name."""
        from assistant.parts.readers import READERS

        for extension, reader in self.readers.items():
            try:
                READERS.build(reader.name, **reader.options)
            except ConfigError as error:
                raise self._yaml.error(("readers", extension), str(error)) from error
        _ = self.transformations
        if self.source.reader is not None:
            _ = self.source_reader
        return self

    @cached_property
    def transformations(self) -> list[TransformComponent]:
        """Built at first use. Raises `PipelineError`."""
        return [self._transformation(number, step) for number, step in enumerate(self._steps)]

    @cached_property
    def source_reader(self) -> type[BaseReader]:
        """The class of a source that is a LlamaIndex reader. Raises `PipelineError`."""
        from llama_index.core.readers.base import BaseReader

        from assistant.parts.node_parsers import llama_index_class

        assert self.source.reader is not None
        try:
            return llama_index_class(reader_path(self.source.reader), BaseReader)
        except ConfigError as error:
            raise self._yaml.error(("source", "reader"), str(error)) from error

    def _transformation(self, number: int, step: str | Step) -> TransformComponent:
        from assistant.parts.node_parsers import build_transformation

        name, arguments = name_and_options(step)
        try:
            return build_transformation(name, arguments, self._tokenizer)
        except ConfigError as error:
            named = next((argument for argument in arguments if f"'{argument}'" in str(error)), None)
            location = ("transformations", number, name, named) if named else ("transformations", number)
            raise self._yaml.error(location, str(error)) from error

    def includes(self, path: str) -> bool:
        return self._include.match_file(path) and not self.excludes(path)

    def excludes(self, path: str) -> bool:
        """Also of folders, which are written with a slash at the end."""
        return bool(self._exclude.match_file(path))

    @cached_property
    def excludes_whole_folders(self) -> bool:
        """Whether an excluded folder holds nothing that is included: not so where a pattern takes something back."""
        return all(pattern.include is not False for pattern in self._exclude.patterns)

    def access_class(self, path: str) -> AccessClass | None:
        """The class of the first rule that matches, or None: then the document is refused."""
        return next((found for spec, found in self._access if spec.match_file(path)), None)

    def access_line(self, path: str) -> int | None:
        """The line of that rule in the pipeline's file."""
        matching = (number for number, (spec, _) in enumerate(self._access) if spec.match_file(path))
        number = next(matching, None)
        return None if number is None else self._yaml.line(("access", number))

    def rule_metadata(self, path: str) -> dict[str, Value]:
        """What `metadata_rules` say of this path; a key comes from the first rule that gives it."""
        found: dict[str, Value] = {}
        for spec, rule in self._rules:
            if not spec.match_file(path):
                continue
            groups = re.search(rule.pattern, path) if rule.pattern else None
            if rule.pattern and groups is None:
                continue
            given = {**rule.values, **(groups.groupdict() if groups else {})}
            found = {**{key: value for key, value in given.items() if value is not None}, **found}
        return found

    def reader(self, path: str) -> ReaderChoice | None:
        return self.readers.get(PurePosixPath(path).suffix.lower())

    def fingerprint(self, path: str, beside: Mapping[str, Any] | None = None) -> str:
        """What decides the chunks of this file beside its content; a document whose fingerprint stands is not redone.

        `beside` is what metadata files say (`SourceItem.metadata`). Who may read it is no part: that moves a document.
        """
        known = {**self.rule_metadata(path), **metadata.descriptive(beside or {})}
        if known:
            return _digest(self.fingerprint_base, self.reader(path), known)
        suffix = PurePosixPath(path).suffix.lower()
        if suffix not in self._plain_fingerprints:
            self._plain_fingerprints[suffix] = _digest(self.fingerprint_base, self.reader(path), {})
        return self._plain_fingerprints[suffix]

    @cached_property
    def _plain_fingerprints(self) -> dict[str, str]:
        """By extension, of files without metadata: most of a large source."""
        return {}


def _digest(base: str, reader: ReaderChoice | None, known: dict[str, Any]) -> str:
    parts: list[Any] = [base, reader and [reader.name, reader.options]]
    text = json.dumps([*parts, known] if known else parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_pipeline(
    file: str | Path, *, embedding_identity: str, tokenizer: Callable[[str], list[int]] | None = None
) -> Pipeline:
    """Read and check a pipeline file. Raises `PipelineError` with file, line and the nearest right name.

    The names of readers and transformations are checked by `Pipeline.compile`.
    """
    path = resources.require(file, "the pipeline file")
    yaml_file = YamlFile(path)
    spec = _checked(yaml_file)
    _check_steps(yaml_file, spec)
    _check_metadata(yaml_file, spec)
    base = [embedding_identity, versions.READERS, spec.transformations, spec.metadata]
    return Pipeline(
        file=path,
        name=spec.name,
        source=_source(yaml_file, spec),
        readers={extension: ReaderChoice(*name_and_options(step)) for extension, step in spec.readers.items()},
        metadata=spec.metadata,
        trust_metadata=spec.trust_metadata,
        fingerprint_base=json.dumps(base, sort_keys=True, ensure_ascii=False),
        _yaml=yaml_file,
        _steps=spec.transformations,
        _tokenizer=tokenizer,
        _include=_patterns(yaml_file, ("include",), spec.include),
        _exclude=_patterns(yaml_file, ("exclude",), spec.exclude),
        _access=[
            (_patterns(yaml_file, ("access", number), [rule.match]), AccessClass(rule.department, rule.level))
            for number, rule in enumerate(spec.access)
        ],
        _rules=[
            (_patterns(yaml_file, ("metadata_rules", number, "match"), [rule.match]), rule)
            for number, rule in enumerate(spec.metadata_rules)
        ],
    )


def file_of(pipeline: str | Path) -> str:
    """A pipeline's file by its path or by name: `hr` is pipelines/hr.yaml."""
    return str(pipeline) if str(pipeline).endswith((".yaml", ".yml")) else f"pipelines/{pipeline}.yaml"


def for_folder(pipeline: Pipeline, directory: Path, access_class: AccessClass | None) -> Pipeline:
    """The same recipe for another folder; a class given holds for everything in it, and metadata may only narrow it."""
    rules = pipeline._access if access_class is None else [(GitIgnoreSpec.from_lines(["**/*"]), access_class)]
    source = SourceSpec.model_validate({"directory": str(directory)})
    trusts = pipeline.trust_metadata and access_class is None
    return replace(pipeline, source=source, trust_metadata=trusts, _access=rules)


def _patterns(yaml_file: YamlFile, location: Location, patterns: list[str]) -> GitIgnoreSpec:
    """Patterns and paths are compared in Unicode's composed form: macOS and some shares give the other one."""
    try:
        return GitIgnoreSpec.from_lines(unicodedata.normalize("NFC", pattern) for pattern in patterns)
    except (ValueError, re.error) as error:
        raise yaml_file.error(location, f"not a path pattern as in .gitignore: {error}") from error


def _checked(yaml_file: YamlFile) -> PipelineSpec:
    if not isinstance(yaml_file.data, dict):
        raise yaml_file.error((), "a pipeline is written as `key: value` (name, source, readers, …)")
    return yaml_file.checked(PipelineSpec, BLOCKS)


def _check_steps(yaml_file: YamlFile, spec: PipelineSpec) -> None:
    for number, step in enumerate(spec.transformations):
        if not name_and_options(step)[0]:
            raise yaml_file.error(("transformations", number), "write one class name with its arguments under it")
    for extension, step in spec.readers.items():
        if not name_and_options(step)[0]:
            raise yaml_file.error(("readers", extension), "write one reader's name with its options under it")


def _check_metadata(yaml_file: YamlFile, spec: PipelineSpec) -> None:
    places: list[tuple[Location, Mapping[str, Value]]] = [(("metadata",), spec.metadata)]
    for number, rule in enumerate(spec.metadata_rules):
        places.append((("metadata_rules", number, "values"), rule.values))
        if rule.pattern:
            names = dict.fromkeys(re.compile(rule.pattern).groupindex, "")
            places.append((("metadata_rules", number, "pattern"), names))
    for location, values in places:
        for key, value in values.items():
            if key in metadata.ACCESS:
                raise yaml_file.error((*location, key), f"'{key}' is given by the rules under `access`, not here")
            if problem := value != "" and metadata.problem(key, value):
                raise yaml_file.error((*location, key), problem)


def _source(yaml_file: YamlFile, spec: PipelineSpec) -> SourceSpec:
    source = spec.source
    given = [kind for kind in ("directory", "url", "reader") if getattr(source, kind) is not None]
    if len(given) != 1:
        raise yaml_file.error(("source",), "source needs exactly one of `directory`, `url` and `reader`")
    if given != ["reader"] and not spec.readers:
        raise yaml_file.error((), f"a {given[0]} needs `readers` by extension, such as `.pdf: pdf`")
    if source.url is not None and (problem := protocol_problem(source.url)):
        raise yaml_file.error(("source", "url"), problem)
    if source.reader is not None and (problem := reader_problem(source.reader)):
        raise yaml_file.error(("source", "reader"), problem)
    secrets: dict[str, Any] = {}
    for block in ("options", "arguments", "load"):
        try:
            secrets[block] = expanded(getattr(source, block))
        except ConfigError as error:
            raise yaml_file.error(("source", block), str(error)) from error
    return source.model_copy(update=secrets)
