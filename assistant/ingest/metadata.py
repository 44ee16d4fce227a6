"""What is known of a document beside its text, in order of strength: metadata files (`.meta.yaml`), what the document
says of itself, the pipeline's `metadata_rules`, the pipeline's `metadata`. And who may read it, which those may narrow only.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from assistant.access.principal import MAX_LEVEL, AccessClass
from assistant.errors import DocumentError
from assistant.ingest import access_rules
from assistant.ingest.sources.item import clean

if TYPE_CHECKING:
    from assistant.ingest.pipeline import Pipeline
    from assistant.ingest.sources import SourceItem

ACCESS = ("department", "level")
OWN = "_own"  # the key of a document's own department and level among the details that the catalog keeps
SIDECAR, FOLDER_FILES = ".meta.yaml", ("_meta.yaml", ".meta.yaml")
MAX_BYTES = 65_536
NO_RULE = (
    "no access rule names it, so nobody may read it: add one to `access` in the pipeline, or .access.yaml beside it"
)
_SAYS = "its metadata says"

Scalar = str | int | float | bool


class MetadataRefused(DocumentError):
    """Nobody may read the document. `details` are kept with its row: it is read again when it or what rules it changes."""

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.details = details or {}


def _day(value: object) -> object:
    """A day, also when it is written with a time of day."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d([T ]|$)", value.strip()):
        return value.strip()[:10]
    if isinstance(value, dt.date):
        return value
    raise ValueError(f"'{value}' is not a day such as 2026-01-31")


_Day = Annotated[dt.date, BeforeValidator(_day)]


class DocumentMetadata(BaseModel):
    """The fields with a meaning; others are kept as they are."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True, str_strip_whitespace=True)
    __pydantic_extra__: dict[str, Scalar | list[Scalar]] = Field(init=False)

    title: str | None = Field(None, min_length=1, max_length=300)
    date: _Day | None = None
    version: str | None = Field(None, max_length=100)
    number: str | None = Field(None, max_length=100)
    author: str | None = Field(None, max_length=300)
    valid_from: _Day | None = None
    valid_until: _Day | None = None
    department: str | None = Field(None, min_length=1, max_length=200)
    level: int | None = Field(None, ge=1, le=MAX_LEVEL)


def problem(key: str, value: object) -> str | None:
    """What is wrong with a value, for a person; None if nothing is."""
    if key.startswith("_"):
        return f"'{key}': a name that begins with _ is taken"
    try:
        DocumentMetadata.model_validate({key: value})
    except ValidationError as error:
        return f"{key}: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
    return None


def parse(text: str, shown: str) -> dict[str, Any]:
    """A metadata file's values, as they are written (1.10 stays 1.10). Raises `DocumentError` with file, line and key."""
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{shown}, line {mark.line + 1}" if mark else shown
        raise DocumentError(f"its metadata file {place}: not valid YAML") from error
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise DocumentError(f"its metadata file {shown}: write `key: value` lines, such as `date: 2026-01-31`")
    found: dict[str, Any] = {}
    left = MAX_BYTES  # YAML's references repeat a text at will
    for key_node, node in root.value:
        left -= _length(node)
        key, value = _key(str(key_node.value)), _plain(node) if left >= 0 else ""
        if value is None:
            continue
        wrong = f"'{key}' is here twice" if key in found else problem(key, value)
        wrong = wrong if left >= 0 else f"'{key}': with its references it is longer than {MAX_BYTES // 1024} KB"
        if wrong:
            raise DocumentError(f"its metadata file {shown}, line {key_node.start_mark.line + 1}: {wrong}")
        found[key] = value
    return checked(found)


def _key(written: str) -> str:
    """`Level` is `level`: else it would be a name like any other, and open what was to be closed."""
    key = clean(written)
    return key.lower() if key.lower() in DocumentMetadata.model_fields else key


def _length(value: object) -> int:
    """Of the text in a value, or in its YAML node. Anything deeper than a list counts nothing, for it is refused."""
    value = value.value if isinstance(value, yaml.ScalarNode | yaml.SequenceNode) else value
    if not isinstance(value, list):
        return len(value) if isinstance(value, str) else 0
    return sum(_length(part) for part in value if isinstance(part, str | yaml.ScalarNode))


def _plain(node: yaml.Node) -> object:
    """A string, a list of strings, or None for what is left empty. Anything deeper stays a node, and is refused."""
    if isinstance(node, yaml.SequenceNode) and all(isinstance(part, yaml.ScalarNode) for part in node.value):
        return [clean(part.value) for part in node.value]
    if not isinstance(node, yaml.ScalarNode):
        return node
    return None if not node.style and node.value in ("", "~", "null") else clean(node.value)


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values typed, days as ISO text. Raises pydantic's `ValidationError`; `problem` tells which one is wrong."""
    return DocumentMetadata.model_validate(values).model_dump(mode="json", exclude_none=True)


def descriptive(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what decides who may read it."""
    return {key: value for key, value in values.items() if key not in ACCESS}


def merged(pipeline: Pipeline, item: SourceItem, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Everything known of a document that has been read; its own department and level are under `OWN`.

    `properties` is what the document says of itself. Raises `DocumentError` for a wrong department, level or rule; another
    wrong value that a document has of itself is left out, for it is often the doing of a program and not of a person.
    """
    own = {key: _cleaned(properties[key]) for key in ACCESS if properties.get(key) not in (None, "")}
    ruled = pipeline.rule_metadata(item.path)
    for place, values in (("it says of itself", own), (f"{pipeline.file}, metadata_rules", ruled)):
        for key, value in values.items():
            if wrong := problem(key, value):
                raise DocumentError(f"{place}: {wrong}")
    said = {key: _cleaned(value) for key, value in descriptive(properties).items() if value not in (None, "", [])}
    said = _short({key: value for key, value in said.items() if not problem(key, value)})
    found = checked({**pipeline.metadata, **ruled, **said, **descriptive(item.metadata)})
    if found.get("valid_until", "9") < found.get("valid_from", ""):
        raise DocumentError(f"it is valid until {found['valid_until']}, before it is valid from {found['valid_from']}")
    return {**found, OWN: checked(own)} if own else found


def _short(values: Mapping[str, Any]) -> dict[str, Any]:
    """As many of them as a metadata file might have; the catalog keeps them all."""
    lengths = accumulate(map(_length, values.values()))
    return {key: value for (key, value), length in zip(values.items(), lengths, strict=True) if length <= MAX_BYTES}


def _cleaned(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


def settled(pipeline: Pipeline, item: SourceItem, properties: Mapping[str, Any]) -> tuple[dict[str, Any], AccessClass]:
    """Everything known of a document that has been read, and who may read it.

    Raises `DocumentError` for wrong values, `MetadataRefused` when nobody may read it.
    """
    details = merged(pipeline, item, properties)
    try:
        found = access_class(pipeline, item, details)
    except DocumentError as error:
        raise MetadataRefused(str(error), details) from error
    if found is None:
        raise MetadataRefused(NO_RULE, details)
    return details, found


def ruled(pipeline: Pipeline, item: SourceItem) -> AccessClass | None:
    """Who may read it by the pipeline's rules and by access files. Raises `DocumentError` when these contradict those."""
    return access_rules.settled(pipeline.access_class(item.path), item.access, trusted=pipeline.trust_metadata)


def access_class(pipeline: Pipeline, item: SourceItem, details: Mapping[str, Any] | None = None) -> AccessClass | None:
    """Who may read it; None if nothing says so. `details` is what `merged` gave, now or when it was read.

    Metadata may only narrow what the rules give: the same department, and a level that is not lower; of several
    levels the highest holds. With `trust_metadata` it decides. Raises `DocumentError` when metadata contradicts the rules.
    """
    rule = ruled(pipeline, item)
    layers = [layer for layer in (item.metadata, (details or {}).get(OWN)) if layer]
    if not layers:
        return rule
    if pipeline.trust_metadata:
        return _trusted(rule, layers)
    if rule is None:
        return None
    level = rule.level
    for layer in layers:
        named = layer.get("department", rule.department)
        if named != clean(rule.department):
            raise DocumentError(
                f"{_SAYS} department {named}, the pipeline's rule says {rule.department}: change one of them, "
                "or set trust_metadata: true in the pipeline"
            )
        wanted = layer.get("level", level)
        if wanted < rule.level:
            raise DocumentError(
                f"{_SAYS} level {wanted}, the pipeline's rule says {rule.level}: metadata may only narrow who "
                "reads it, unless the pipeline has trust_metadata: true"
            )
        level = max(level, wanted)
    return AccessClass(rule.department, level)


def was_refusal(error: str | None) -> bool:
    """Whether a document failed because nobody may read it, and not because it can't be read."""
    return error is not None and (error == NO_RULE or error.startswith((_SAYS, access_rules.SAYS)))


def _trusted(rule: AccessClass | None, layers: list[Mapping[str, Any]]) -> AccessClass | None:
    """The strongest layer that names a department or a level decides; the rule stands for what none names."""
    named = [str(layer["department"]) for layer in layers if "department" in layer]
    if not named and rule is None:
        return None
    department = named[0] if named else rule.department if rule else ""
    ruled = rule.level if rule and rule.department == department else 1
    return AccessClass(department, next((layer["level"] for layer in layers if "level" in layer), ruled))


def within(held: AccessClass, rule: AccessClass | None, *, trusted: bool) -> bool:
    """Whether what is stored may stay where it is while its metadata can't be read: the rule gives no less."""
    if trusted:
        return True
    return rule is not None and held.department == rule.department and held.level >= rule.level
