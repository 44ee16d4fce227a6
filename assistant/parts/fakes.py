"""Parts for tests and offline trials, registered like the real ones."""

from __future__ import annotations

import hashlib
import math
import re

from llama_index.core.base.embeddings.base import BaseEmbedding


class HashEmbedding(BaseEmbedding):
    """Each word adds ±1 at a place of its hash; the vector has length 1."""

    dimensions: int = 256

    def _get_text_embedding(self, text: str) -> list[float]:
        vector = [0.0] * self.dimensions
        for word in re.findall(r"\w+", text.lower()):
            number = int.from_bytes(hashlib.sha256(word[:6].encode()).digest()[:8], "big")
            vector[number % self.dimensions] += 1.0 if number & (1 << 40) else -1.0
        length = math.sqrt(sum(value * value for value in vector)) or 1.0
        return [value / length for value in vector] if any(vector) else [1.0, *vector[1:]]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)
