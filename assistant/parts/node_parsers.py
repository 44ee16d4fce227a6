"""Node parsers of our own, and the door to LlamaIndex's by class name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core import node_parser as llama_node_parsers
from llama_index.core.node_parser.interface import NodeParser
from llama_index.core.schema import BaseNode, MetadataMode, TextNode, TransformComponent
from pydantic import ValidationError

from assistant.errors import ConfigError
from assistant.parts.markdown import HEADING, SEPARATOR, is_fence, plain_heading
from assistant.parts.table_rows import TableRows
from assistant.registry import nearest

_LONGEST_PATH = 200  # characters of a path of headings


class MarkdownSections(NodeParser):
    """Cuts Markdown at its headings and keeps the path of headings in `section`, also from page to page.

    Instead of `MarkdownNodeParser`, which leaves a section's own heading out of its path, forgets the path at every
    page, and makes nodes of headings that only lead to others.
    """

    def _parse_nodes(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> list[BaseNode]:
        parsed: list[BaseNode] = []
        headings = _Headings()
        for number, node in enumerate(nodes):
            last = (
                number + 1 == len(nodes) or nodes[number + 1].node_id != node.node_id
            )  # pages share their document's id
            for section, text in headings.sections(node.get_content(MetadataMode.NONE), last_page=last):
                title = node.metadata.get("title")
                path = _fitting([name for name in section if name != title])
                part = TextNode(text=text, metadata={**node.metadata, "section": path})
                part.relationships = dict(node.relationships)
                part.excluded_embed_metadata_keys = list(node.excluded_embed_metadata_keys)
                part.excluded_llm_metadata_keys = list(node.excluded_llm_metadata_keys)
                parsed.append(part)
            if last:
                headings = _Headings()
        return parsed


_OURS: dict[str, type[TransformComponent]] = {cls.__name__: cls for cls in (MarkdownSections, TableRows)}


class _Headings:
    """The path of headings where reading has got to in one document, and whether the last one has text yet."""

    def __init__(self) -> None:
        self._path: list[tuple[int, str]] = []
        self._bare = False

    def sections(self, text: str, *, last_page: bool) -> list[tuple[list[str], str]]:
        """Sections with text, each with its heading path; a heading with nothing under it is its own text."""
        found: list[tuple[list[str], str]] = []
        lines: list[str] = []
        fenced = False
        for line in text.split("\n"):
            fenced ^= is_fence(line)
            heading = HEADING.match(line) if line.startswith("#") and not fenced else None
            if heading is None or len(heading[2]) > _LONGEST_PATH:  # a paragraph that a converter took for a heading
                lines.append(line)
                continue
            self._finish(lines, found, next_level=len(heading[1]))
            self._enter(len(heading[1]), plain_heading(heading[2]))
        self._finish(lines, found, next_level=0 if last_page else None)
        return found

    def _finish(self, lines: list[str], found: list[tuple[list[str], str]], next_level: int | None) -> None:
        """Close a section; `next_level` is None at a page's end, where its text may come on the next one."""
        body = "\n".join(lines).strip()
        lines.clear()
        ends_bare = self._bare and next_level is not None and next_level <= self._path[-1][0]
        if body or (ends_bare and len(self._path) > 1):
            found.append(([name for _, name in self._path], body or self._path[-1][1]))
            self._bare = False

    def _enter(self, level: int, name: str) -> None:
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        self._path.append((level, name))
        self._bare = True


def _fitting(names: list[str]) -> str:
    """A path of headings, shortened from its outer end: it is embedded with every chunk and must leave room for it."""
    while len(names) > 1 and len(SEPARATOR.join(names)) > _LONGEST_PATH:
        names = names[1:]
    return SEPARATOR.join(names)


def build_transformation(
    name: str, arguments: dict[str, Any], tokenizer: Callable[[str], list[int]] | None
) -> TransformComponent:
    """A transformation by class name. Raises `ConfigError` for a wrong name or argument.

    `tokenizer` is the embedding model's own: a splitter that counts tokens counts the ones that the model will see.
    """
    cls = _transformation_class(name)
    make = getattr(cls, "from_defaults", cls)
    allowed = [key for key, p in inspect.signature(make).parameters.items() if p.kind is not p.VAR_KEYWORD]
    if tokenizer is not None and "tokenizer" in allowed:
        arguments = {"tokenizer": tokenizer, **arguments}
    for argument in arguments:
        if argument not in allowed:
            raise ConfigError(f"{name} has no argument '{argument}'{nearest(argument, allowed)}")
    try:
        built: TransformComponent = make(**arguments)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{name}, argument '{first['loc'][0]}': {first['msg']}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: {error}") from error
    return built


def transformation_names() -> list[str]:
    """Short names: ours and those that LlamaIndex exports."""
    theirs = [name for name in llama_node_parsers.__all__ if _is_transformation(getattr(llama_node_parsers, name))]
    return sorted([*_OURS, *theirs])


def _transformation_class(name: str) -> type[TransformComponent]:
    if name in _OURS:
        return _OURS[name]
    if name == "SentenceSplitter":
        from assistant.parts.sentence_splitter import CountingSentenceSplitter

        return CountingSentenceSplitter
    if "." in name:
        return llama_index_class(name, TransformComponent)
    if name not in transformation_names():
        raise ConfigError(f"unknown transformation '{name}'{nearest(name, transformation_names())}")
    cls: type[TransformComponent] = getattr(llama_node_parsers, name)
    return cls


def _is_transformation(candidate: object) -> bool:
    return (
        inspect.isclass(candidate) and issubclass(candidate, TransformComponent) and not inspect.isabstract(candidate)
    )


def llama_index_class(path: str, base: type[Any]) -> type[Any]:
    """A class by dotted path: only below `llama_index.`, only a subclass of `base`. Raises `ConfigError`."""
    if not path.startswith("llama_index."):
        raise ConfigError(f"'{path}': only classes below llama_index. can be named by path")
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError as error:
        package = module.replace("_", "-").replace(".", "-")
        raise ConfigError(f"'{path}' can't be imported ({error}): is it installed (pip install {package})?") from error
    except AttributeError as error:
        known = [key for key in dir(importlib.import_module(module)) if not key.startswith("_")]
        raise ConfigError(f"'{module}' has no '{name}'{nearest(name, known)}") from error
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise ConfigError(f"'{path}' is not a {base.__name__}")
    return found
