"""LlamaIndex's embedding over sentence-transformers, for static models too. Heavy to import: torch."""

from __future__ import annotations

import math
import threading
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from pydantic import field_validator

_NO_LIMIT = 1_000_000  # tokens


class LocalEmbedding(HuggingFaceEmbedding):
    """Subclassed because a static model gives infinity as its length limit, and the stock class takes integers only;
    because a fast tokenizer that two threads use at once raises "Already borrowed"; and because a local model that
    fails will fail again: the stock class tries three times, with seconds between.
    """

    _one_at_a_time: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @field_validator("max_length", mode="before")
    @classmethod
    def _finite(cls, tokens: float) -> float:
        return _NO_LIMIT if tokens == math.inf else tokens

    def _embed(self, inputs: list[Any], prompt_name: str | None = None) -> list[list[float]]:
        with self._one_at_a_time:
            vectors: list[list[float]] = self._model.encode(
                inputs,
                batch_size=self.embed_batch_size,
                prompt_name=prompt_name,
                normalize_embeddings=self.normalize,
                show_progress_bar=False,
            ).tolist()
        return vectors
