"""LlamaIndex's embedding over sentence-transformers, for static models too. Heavy to import: torch."""

from __future__ import annotations

import math

from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from pydantic import field_validator

_NO_LIMIT = 1_000_000  # tokens


class LocalEmbedding(HuggingFaceEmbedding):
    """Subclassed because a static model gives infinity as its length limit, and the stock class takes integers only."""

    @field_validator("max_length", mode="before")
    @classmethod
    def _finite(cls, tokens: float) -> float:
        return _NO_LIMIT if tokens == math.inf else tokens
