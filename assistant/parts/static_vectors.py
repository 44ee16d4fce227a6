"""The vectors of a static model: the means of its words' rows, where a word is cut into tokens once and remembered.

sentence-transformers' own way spends three quarters of its time on cutting every text anew; this makes four times as
many passages a second (`python -m tests.load.embedding` prints both), with the same vectors up to the last bit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from assistant.parts.embeddings import TRIAL, ByWord

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_ODD = re.compile(r"[\x0b\x0c\x1c-\x1f\x85]")  # blanks for Python, nothing for a tokenizer


class WordTokens(ByWord[tuple[int, ...]]):
    """Word → the numbers of its tokens."""

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - tokenizers has no types
        super().__init__(self._cut)
        self._tokenizer = tokenizer

    def of(self, text: str) -> Sequence[int]:
        if _ODD.search(text):
            return self._cut(text)
        return list(chain.from_iterable(map(self.__getitem__, text.split())))

    def _cut(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)


class StaticVectors:
    """Text → the mean of its tokens' rows, of a model that `is_static`. Not safe to share between threads."""

    def __init__(self, model: SentenceTransformer) -> None:
        self._module: Any = model[0]
        self._words = WordTokens(self._module.tokenizer)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (texts, dimensions), not brought to length 1."""
        tokens = [self._words.of(text) for text in texts]
        ids = np.fromiter(chain.from_iterable(tokens), dtype=np.int64)
        starts = np.fromiter(accumulate(map(len, tokens[:-1]), initial=0), dtype=np.int64, count=len(tokens))
        with torch.inference_mode():
            vectors: NDArray[np.float32] = self._module.embedding(
                torch.from_numpy(ids), torch.from_numpy(starts)
            ).numpy()
        return vectors


def is_static(model: SentenceTransformer) -> bool:
    """Whether it only looks words up, and gives a word the same tokens wherever it stands: that is tried out."""
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    first, *others = model
    if not isinstance(first, StaticEmbedding) or not all(isinstance(one, Normalize) for one in others):
        return False
    whole: list[int] = first.tokenizer.encode(TRIAL, add_special_tokens=False).ids
    return list(WordTokens(first.tokenizer).of(TRIAL)) == whole
