"""YAML that remembers its lines, so that an error can name one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from assistant.errors import AssistantError, PipelineError
from assistant.registry import nearest

Location = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


class YamlFile:
    """A parsed file: its data, and the line of any key or item in it. What is wrong with it is raised as `refusal`."""

    def __init__(
        self,
        path: Path,
        *,
        text: str | None = None,
        loader: type[yaml.BaseLoader | yaml.SafeLoader] = yaml.SafeLoader,
        what: str = "pipeline file",
        refusal: type[AssistantError] = PipelineError,
    ) -> None:
        """`text` is its content, where that is not read from the disk."""
        self.path = path
        self._refusal = refusal
        try:
            text = path.read_text("utf-8") if text is None else text
            self._root = yaml.compose(text, Loader=loader)
            self.data: Any = yaml.load(text, Loader=loader)  # noqa: S506 - one of the safe ones
        except FileNotFoundError as error:
            raise refusal(f"there is no {what} {path}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise refusal(f"{path} can't be read: {error}") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f"{path}, line {mark.line + 1}" if mark else str(path)
            raise refusal(f"{place}: not valid YAML: {getattr(error, 'problem', None) or error}") from error
        except ValueError as error:  # a number of thousands of digits, a date of month 13
            raise refusal(f"{path}: not valid YAML: {error}") from error
        except RecursionError as error:
            raise refusal(f"{path}: not valid YAML: it is nested too deep") from error
        self._refuse_twice(self._root)

    def error(self, location: Location, message: str) -> AssistantError:
        return self._refusal(f"{self.path}, line {self.line(location)}: {message}")

    def checked(self, model: type[Model], blocks: Mapping[str, type[BaseModel]]) -> Model:
        """The data as `model`; `blocks` are the models below its keys, for the nearest right key."""
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            # a misspelled key comes first: what is "missing" then is what was meant
            first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
            location: Location = tuple(first["loc"])
            if first["type"] == "missing":
                raise self.error(location, f"'{location[-1]}' is missing") from error
            if first["type"] == "extra_forbidden":
                known = list(blocks.get(str(location[0]) if location[:-1] else "", model).model_fields)
                wrong = str(location[-1])
                raise self.error(location, f"unknown key '{wrong}'{nearest(wrong, known)}") from error
            keys = ".".join(str(part) for part in location if part != "[key]")
            raise self.error(location, f"{keys}: {first['msg'].removeprefix('Value error, ')}") from error

    def _refuse_twice(self, node: yaml.Node | None) -> None:
        """YAML would take the last of two equal keys silently: of two `access` lists one would not hold."""
        waiting, seen = [node] if node else [], set[int]()
        while waiting:
            node = waiting.pop()
            if id(node) in seen:  # references may lead to one part a billion times, or in a circle
                continue
            seen.add(id(node))
            keys: set[str] = set()
            for key, _ in node.value if isinstance(node, yaml.MappingNode) else []:
                if key.value in keys:
                    raise self._refusal(f"{self.path}, line {key.start_mark.line + 1}: '{key.value}' is here twice")
                keys.add(key.value)
            waiting += reversed(_children(node))

    def line(self, location: Location) -> int:
        """The line (from 1) of the deepest part of the location that the file has."""
        node = self._root
        line = 1
        for step in location:
            child = _child(node, step)
            if child is None:
                break
            line, node = child
        return line


def _children(node: yaml.Node | None) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _child(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        item = node.value[step]
        return item.start_mark.line + 1, item
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    return None
