"""Access files (`.access.yaml`) beside documents: who may read what lies in their folder and everything below it.

They name a class where the pipeline names none, and narrow it where it does: whoever may write into a folder of a source
must not be able to open what the company has closed. With `trust_metadata` the one nearest to the document decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import yaml
from pathspec import GitIgnoreSpec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from assistant.access.principal import MAX_LEVEL, AccessClass
from assistant.errors import AssistantError, DocumentError
from assistant.ingest.sources.item import clean
from assistant.yaml_lines import YamlFile

NAMES = (".access.yaml", ".access.yml")  # the second one would else be overlooked, and what it closes be open
SAYS = "its access file "
_NOTHING = "it says nothing: write `department`, `level` or `rules`"
_MAX_DEPTH = 5
_STARS = 4  # in one pattern: with many of them matching a long name takes hours


class _Refused(AssistantError):
    """What is wrong with the file's content, with its line."""


def _name(text: str) -> str:
    if not clean(text):
        raise ValueError("a department needs a name")
    return clean(text)


def _pattern(text: str) -> str:
    if len(re.findall(r"\*+", text)) > _STARS:
        raise ValueError(f"a pattern has {_STARS} stars at most")
    text = clean(text)
    try:
        spec = GitIgnoreSpec.from_lines([text])
    except (ValueError, re.error) as error:
        raise ValueError(f"not a path pattern as in .gitignore: {error}") from error
    if not any(pattern.include for pattern in spec.patterns):
        raise ValueError("the pattern matches nothing: `!` and `#` have a meaning at its start, `\\!` and `\\#` none")
    return text


class _Class(BaseModel):
    model_config = ConfigDict(extra="forbid")

    department: Annotated[str, AfterValidator(_name), Field(max_length=200)] | None = None
    level: Annotated[int, Field(ge=1, le=MAX_LEVEL)] | None = None


class _Rule(_Class):
    match: Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_pattern)]

    @model_validator(mode="after")
    def _says_something(self) -> _Rule:
        if self.department is None and self.level is None:
            raise ValueError("a rule gives `department`, `level` or both")
        return self


class _File(_Class):
    rules: Annotated[list[_Rule], Field(max_length=500)] = []

    @model_validator(mode="after")
    def _says_something(self) -> _File:
        if self.department is None and self.level is None and not self.rules:
            raise ValueError(_NOTHING)
        return self


@dataclass(frozen=True)
class Said:
    """What one access file says of a document."""

    place: str  # the file and its line
    department: str | None
    level: int | None


@dataclass(frozen=True)
class AccessFile:
    """A checked file; `rules` before what holds for the rest of its folder."""

    folder: str
    rest: Said | None
    rules: list[tuple[GitIgnoreSpec, Said]] = field(default_factory=list)

    def of(self, path: str) -> Said | None:
        """What it says of a document below its folder: the first rule that matches."""
        inside = path[len(self.folder) :].lstrip("/")
        return next((said for spec, said in self.rules if spec.match_file(inside)), self.rest)


def parse(text: str, path: str) -> AccessFile:
    """Raises `DocumentError` with file and line: then nobody may read what is below it."""
    try:
        _refuse_references(text, path)
        file = YamlFile(Path(path), text=text, loader=yaml.BaseLoader, refusal=_Refused)
        if file.data is None:
            raise file.error((), _NOTHING)
        spec = file.checked(_File, {"rules": _Rule})
    except _Refused as error:
        raise DocumentError(f"{SAYS}{error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else path
        raise DocumentError(f"{SAYS}{place}: not valid YAML") from error
    rest = None
    if spec.department is not None or spec.level is not None:
        line = file.line(("department",) if spec.department is not None else ("level",))
        rest = Said(f"{path}, line {line}", spec.department, spec.level)
    rules = []
    for number, rule in enumerate(spec.rules):
        place = f"{path}, line {file.line(('rules', number))}"
        rules.append((GitIgnoreSpec.from_lines([rule.match]), Said(place, rule.department, rule.level)))
    return AccessFile(path.rpartition("/")[0], rest, rules)


def _refuse_references(text: str, path: str) -> None:
    """They, and nesting without end, would keep us busy for long."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > _MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise _Refused(f"{path}, line {line}: it has references (&, *) or is nested too deep")


def settled(rule: AccessClass | None, layers: Sequence[Said], *, trusted: bool) -> AccessClass | None:
    """The class by the pipeline's rule and by what access files say, the outermost first; None if none names one.

    Raises `DocumentError` when one of them would widen what stands above it and is not trusted.
    """
    department, level = (rule.department, rule.level) if rule is not None else (None, None)
    above = "the pipeline's rule"
    for said in layers:
        is_other = None not in (said.department, department) and said.department != clean(str(department))
        if is_other and not trusted:
            raise DocumentError(
                f"{SAYS}{said.place}: says department {said.department}, {above} says {department}: it may only "
                "narrow who reads it, unless the pipeline has trust_metadata: true"
            )
        if said.level is not None and level is not None and said.level < level and not trusted:
            raise DocumentError(
                f"{SAYS}{said.place}: says level {said.level}, {above} says {level}: it may only "
                "narrow who reads it, unless the pipeline has trust_metadata: true"
            )
        if is_other or department is None:
            level = None if is_other else level
            department = said.department
        level = level if said.level is None else said.level
        above = said.place
    return None if department is None else AccessClass(department, level or 1)
