"""LlamaIndex's sentence splitter, counting tokens once."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.node_parser.text.sentence import _Split
from pydantic import PrivateAttr

_REMEMBERED = 2000  # titles and section paths


class CountingSentenceSplitter(SentenceSplitter):
    """Subclassed because the stock class encodes a long section whole, then each of its sentences, and title and path
    anew for every section: more time than reading and embedding Markdown. Here a section is encoded once.

    The passages are the same, but where a tokenizer joins letters across a blank: there by a token or two.
    """

    _known: dict[str, int] = PrivateAttr(default_factory=dict)
    _text: str = PrivateAttr(default="")
    _starts: list[int] = PrivateAttr(default_factory=list)

    def split_text_metadata_aware(self, text: str, metadata_str: str) -> list[str]:
        """As in the base class; also where title and path leave little room, for which that one prints advice."""
        if metadata_str not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[metadata_str] = len(self._tokenizer(metadata_str))
        room = self.chunk_size - self._known[metadata_str]
        if room <= 0:
            raise ValueError(
                f"title and section take {self._known[metadata_str]} tokens, and a passage has {self.chunk_size}: "
                "raise chunk_size"
            )
        if len(text.encode("utf-8", "replace")) < room:  # a token is a byte at least
            return [stripped] if (stripped := text.strip()) else []
        chunks: list[str] = self._split_text(text, chunk_size=room)
        return chunks

    def _split(self, text: str, chunk_size: int) -> list[_Split]:
        starts_of: Any = getattr(self._tokenizer, "starts", None)
        outermost = starts_of is not None and not self._starts
        if outermost:
            self._text, self._starts = text, starts_of(text)
        try:
            return self._placed(text, chunk_size) if outermost else super()._split(text, chunk_size)
        finally:
            if outermost:
                self._text, self._starts = "", []

    def _placed(self, text: str, chunk_size: int) -> list[_Split]:
        """Sentences follow each other in the text: the tokens of each are those that start inside it."""
        if len(self._starts) <= chunk_size:
            return [_Split(text, is_sentence=True, token_size=len(self._starts))]
        sentences, is_sentence = self._get_splits_by_fns(text)
        found: list[_Split] = []
        place = 0
        for sentence in sentences:
            at = text.find(sentence, place)
            if at < 0 or len(sentences) == 1:  # what a separator was removed from
                size, at = self._token_size(sentence), max(at, place)
            else:
                size = bisect_left(self._starts, at + len(sentence)) - bisect_left(self._starts, at)
            place = at + len(sentence)
            if size <= chunk_size or len(sentences) == 1:
                found.append(_Split(sentence, is_sentence=is_sentence, token_size=size))
            else:
                found.extend(super()._split(sentence, chunk_size))
        return found
