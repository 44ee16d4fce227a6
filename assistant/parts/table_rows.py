"""Long Markdown tables, cut between rows, each piece with the table's header."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from llama_index.core.node_parser.interface import NodeParser
from llama_index.core.schema import BaseNode, MetadataMode, TextNode
from llama_index.core.utils import get_tokenizer
from pydantic import Field, PrivateAttr

_DELIMITER = re.compile(r"^ {0,3}\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?)?[ \t]*$", re.MULTILINE)
_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")
_FRAME = 2  # tokens that the splitter after this one keeps for the frame of the metadata
_LEAST = 32  # tokens of a piece, however long title and section are
_CAPTION = 4  # a paragraph of at most this share of a piece stays with the table under it


class TableRows(NodeParser):
    """Gives a table that is longer than `chunk_size` several nodes, with its header in each and no row cut in two.

    Stands before a splitter with the same `chunk_size`. What has no table, or fits, passes as it is. A row that is
    longer than a node by itself is left to that splitter.
    """

    chunk_size: int = Field(gt=0, description="Tokens a node may have, its title and section included.")
    _tokenizer: Callable[[str], list[Any]] = PrivateAttr()

    def __init__(self, chunk_size: int = 320, tokenizer: Callable[[str], list[Any]] | None = None) -> None:
        super().__init__(chunk_size=chunk_size)
        self._tokenizer = tokenizer or get_tokenizer()

    @classmethod
    def from_defaults(cls, chunk_size: int = 320, tokenizer: Callable[[str], list[Any]] | None = None) -> TableRows:
        """As the other node parsers are made: `tokenizer` counts the tokens."""
        return cls(chunk_size, tokenizer)

    @classmethod
    def class_name(cls) -> str:
        return "TableRows"

    def _parse_nodes(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> list[BaseNode]:
        parsed: list[BaseNode] = []
        before: tuple[list[Any], _Table | None] = ([], None)
        for node in nodes:
            place = [node.ref_doc_id, node.metadata.get("page_label"), node.metadata.get("section")]
            text = node.get_content(MetadataMode.NONE)
            text = _continued(text, before[1]) if before[0] == place else text
            blocks = _blocks(text) if "|" in text and _DELIMITER.search(text) else []
            last = blocks[-1] if blocks else None
            before = (place, last if isinstance(last, _Table) else None)
            room = self._room(node) if blocks else 0
            if not blocks or len(text.encode("utf-8", "replace")) <= room or self._size(text) <= room:
                parsed.append(node if text == node.get_content(MetadataMode.NONE) else _part(node, text))
            else:
                parsed += [_part(node, piece) for piece in _Packing(self._size, room).pieces(blocks)]
        return parsed

    def _room(self, node: BaseNode) -> int:
        """Tokens left beside title and section, which are embedded with every node."""
        modes = (MetadataMode.EMBED, MetadataMode.LLM)
        said = max((node.get_metadata_str(mode) for mode in modes), key=len)
        return max(self.chunk_size - self._size(said) - _FRAME, _LEAST)

    def _size(self, text: str) -> int:
        return len(self._tokenizer(text))


@dataclass
class _Table:
    header: str  # two lines: the names and the delimiter
    rows: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join([self.header, *self.rows])


class _Packing:
    """Blocks put into pieces of at most `room` tokens, in their order."""

    def __init__(self, size: Callable[[str], int], room: int) -> None:
        self._size = size
        self._room = room
        self._texts: list[str] = []  # of the piece that is being filled
        self._sizes: list[int] = []

    def pieces(self, blocks: list[str | _Table]) -> Iterator[str]:
        """Each is a paragraph, several, or rows of a table under its header."""
        for block in blocks:
            if isinstance(block, str):
                yield from self._add(block, self._size(block) + 1)
                continue
            sizes = [self._size(row) + 1 for row in block.rows]
            header = self._size(block.header) + 1
            if header + sum(sizes) <= self._room:
                yield from self._add(block.text, header + sum(sizes), caption=True)
            else:
                yield from self._cut(block, header, sizes)
        yield from self._full()

    def _add(self, text: str, size: int, *, caption: bool = False) -> Iterator[str]:
        if sum(self._sizes) + size > self._room:
            kept = self._caption(size) if caption else []
            yield from self._full()
            self._texts, self._sizes = [text for text, _ in kept], [count for _, count in kept]
        self._texts.append(text)
        self._sizes.append(size)

    def _caption(self, size: int) -> list[tuple[str, int]]:
        """The paragraph right before a table, taken out of its piece to stand with the table's first rows."""
        if len(self._texts) < 2 or self._sizes[-1] > self._room // _CAPTION or self._sizes[-1] + size > self._room:
            return []
        return [(self._texts.pop(), self._sizes.pop())]

    def _cut(self, table: _Table, header: int, sizes: list[int]) -> Iterator[str]:
        """A table that is longer than a piece; a header of half a piece stands once only, over its first rows."""
        repeated = header <= self._room // 2
        lines, size, filled = [table.header], header, False
        for row, row_size in zip(table.rows, sizes, strict=True):
            if filled and size + row_size > self._room:
                yield from self._add("\n".join(lines), size, caption=True)
                yield from self._full()
                lines, size = ([table.header], header) if repeated else ([], 0)
            lines.append(row)
            size += row_size
            filled = True
        yield from self._add("\n".join(lines), size, caption=True)

    def _full(self) -> Iterator[str]:
        if self._texts:
            yield "\n\n".join(self._texts)
        self._texts, self._sizes = [], []


def _blocks(text: str) -> list[str | _Table]:
    """Paragraphs and tables, in their order."""
    blocks: list[str | _Table] = []
    prose: list[str] = []
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        if "|" in lines[at] and at + 1 < len(lines) and _DELIMITER.fullmatch(lines[at + 1]):
            blocks += _paragraphs(prose)
            prose = []
            table = _Table(f"{lines[at]}\n{lines[at + 1]}")
            at += 2
            while at < len(lines) and "|" in lines[at]:
                table.rows.append(lines[at])
                at += 1
            blocks.append(table)
        else:
            prose.append(lines[at])
            at += 1
    return blocks + _paragraphs(prose)


def _paragraphs(lines: list[str]) -> list[str | _Table]:
    return [paragraph for piece in re.split(r"\n\s*\n", "\n".join(lines)) if (paragraph := piece.strip("\n"))]


def _continued(text: str, table: _Table | None) -> str:
    """A text that begins inside the table before it, because a very long document came in pieces, gets its header."""
    first, _, rest = text.lstrip("\n").partition("\n")
    if table is None or not first.lstrip().startswith("|") or _DELIMITER.fullmatch(rest.partition("\n")[0]):
        return text
    names = table.header.partition("\n")[0]
    if len(_BETWEEN_CELLS.findall(first)) != len(_BETWEEN_CELLS.findall(names)):
        return text
    return f"{table.header}\n{first}\n{rest}"


def _part(node: BaseNode, text: str) -> TextNode:
    part = TextNode(text=text, metadata=dict(node.metadata))
    part.relationships = dict(node.relationships)
    part.excluded_embed_metadata_keys = list(node.excluded_embed_metadata_keys)
    part.excluded_llm_metadata_keys = list(node.excluded_llm_metadata_keys)
    return part
