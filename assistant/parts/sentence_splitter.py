"""LlamaIndex's sentence splitter, counting tokens by word."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.node_parser.node_utils import build_nodes_from_splits
from llama_index.core.node_parser.text.sentence import _Split
from llama_index.core.schema import BaseNode, MetadataMode
from pydantic import PrivateAttr

_PART = 500  # characters of a word
_ENDLESS = re.compile(rf"(\S{{{_PART},}})")


class CountingSentenceSplitter(SentenceSplitter):
    """Subclassed because the stock class encodes a long section whole, then each of its sentences, and title and path
    anew for every section: more time than reading and embedding Markdown takes. Here words are counted, and each is
    encoded once. The passages are the same; a tokenizer whose tokens reach across blanks is asked as the stock class does.
    """

    _cut: bool = PrivateAttr(default=False)  # already below the level of sentences

    def _parse_nodes(self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any) -> list[BaseNode]:
        """As in the base class, without its tracing of every section, which costs as much as the cutting."""
        parsed: list[BaseNode] = []
        for node in nodes:
            splits = self._pieces(node.get_content(MetadataMode.NONE), self._get_metadata_str(node))
            parsed.extend(build_nodes_from_splits(splits, node, id_func=self.id_func))
        return parsed

    def split_text_metadata_aware(self, text: str, metadata_str: str) -> list[str]:
        return self._pieces(text, metadata_str)

    def _pieces(self, text: str, metadata_str: str) -> list[str]:
        """Also where title and path leave little room, for which the base class prints advice."""
        taken = self._token_size(metadata_str)
        room = self.chunk_size - taken
        if room <= 0:
            raise ValueError(
                f"title and section take {taken} tokens, and a passage has {self.chunk_size}: raise chunk_size"
            )
        if self._token_size(text) <= room:
            return [stripped] if (stripped := text.strip()) else []
        chunks: list[str] = self._merge(self._split(text, room), room)
        return chunks

    def _token_size(self, text: str) -> int:
        sizes = self._sizes()
        return len(self._tokenizer(text)) if sizes is None else sizes.count(text)

    def _sizes(self) -> Any:  # noqa: ANN401 - `WordSizes`, if the tokenizer knows them
        find = getattr(self._tokenizer, "sizes", None)
        return find() if find else None

    def _split(self, text: str, chunk_size: int) -> list[_Split]:
        """Words without end (base64, minified code) in parts first: the base class would cut them by the letter."""
        if self._cut:
            splits: list[_Split] = super()._split(text, chunk_size)
            return splits
        found: list[_Split] = []
        for number, piece in enumerate(_ENDLESS.split(text)):
            if number % 2:
                for start in range(0, len(piece), _PART):
                    found.extend(self._split_further(piece[start : start + _PART], chunk_size))
            elif piece:
                found.extend(self._split_sentences(piece, chunk_size))
        return found

    def _split_sentences(self, text: str, chunk_size: int) -> list[_Split]:
        """Sentences follow each other in the text: the tokens of each are those of the words that start inside it."""
        sizes = self._sizes()
        if sizes is None:
            return self._split_further(text, chunk_size)
        starts, before = sizes.spans(text)
        sentences, is_sentence = self._get_splits_by_fns(text)
        found: list[_Split] = []
        place = 0
        for sentence in sentences:
            at = text.find(sentence, place)
            if at < 0:  # a separator was taken out of it
                size = self._token_size(sentence)
            else:
                place = at + len(sentence)
                size = before[bisect_left(starts, place)] - before[bisect_left(starts, at)]
            if size <= chunk_size or len(sentences) == 1:
                found.append(_Split(sentence, is_sentence=is_sentence, token_size=size))
            else:
                found.extend(self._split_further(sentence, chunk_size))
        return found

    def _split_further(self, text: str, chunk_size: int) -> list[_Split]:
        self._cut = True
        try:
            splits: list[_Split] = super()._split(text, chunk_size)
            return splits
        finally:
            self._cut = False
