"""LlamaIndex's embedding over sentence-transformers, for static models too. Heavy to import: torch."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import torch
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from pydantic import field_validator

from assistant.parts.embeddings import NO_LIMIT
from assistant.parts.static_vectors import StaticVectors, is_static


class LocalEmbedding(HuggingFaceEmbedding):
    """Subclassed because a static model gives infinity as its length limit, and the stock class takes integers only;
    because a fast tokenizer that two threads use at once raises "Already borrowed"; because a local model that
    fails will fail again (the stock class tries three times, with seconds between); because a vector that was
    brought to length 1 in half precision does not have it; and because static models are much quicker (static_vectors.py).
    """

    _one_at_a_time: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _static: StaticVectors | None = PrivateAttr(default=None)

    def __init__(self, *, dtype: str = "float32", **options: Any) -> None:  # noqa: ANN401 - the base class's own
        super().__init__(**options)
        if is_transformer(self._model):
            self._model.to(resolved_dtype(dtype, str(self._device)))
        elif is_static(self._model):
            self._static = StaticVectors(self._model)

    @field_validator("max_length", mode="before")
    @classmethod
    def _finite(cls, tokens: float) -> float:
        return NO_LIMIT if tokens == math.inf else tokens

    def _embed(self, inputs: list[Any], prompt_name: str | None = None) -> list[list[float]]:
        with self._one_at_a_time:
            vectors = self._encoded(inputs, prompt_name)
        vectors = np.asarray(vectors, dtype=np.float32)
        if self.normalize:
            vectors /= np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
        found: list[list[float]] = vectors.tolist()
        return found

    def _encoded(self, inputs: list[Any], prompt_name: str | None) -> Any:  # noqa: ANN401 - the library's own
        if self._static is not None:
            prompt = (self._model.prompts or {}).get(prompt_name or "") or ""
            return self._static.encode([prompt + text for text in inputs] if prompt else inputs)
        return self._model.encode(
            inputs,
            batch_size=self.embed_batch_size,
            prompt_name=prompt_name,
            normalize_embeddings=False,
            show_progress_bar=False,
        )


def is_transformer(model: Any) -> bool:  # noqa: ANN401 - a `SentenceTransformer`
    """Whether it computes; a static model only looks its words up, in rows of its own precision."""
    from sentence_transformers.sentence_transformer.modules import Transformer

    return any(isinstance(module, Transformer) for module in model)


def resolved_dtype(wanted: str, device: str) -> torch.dtype:
    """`auto` is half precision where the processor computes in it, and not merely where torch can imitate it."""
    if wanted == "auto":
        wanted = "bfloat16" if has_native_bfloat16() else "float32"
        if device.startswith("cuda"):
            wanted = "float16"
    found: torch.dtype = getattr(torch, wanted)
    return found


def has_native_bfloat16() -> bool:
    """oneDNN says yes to any AVX-512, and then imitates it: the processor's own instructions count."""
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))
