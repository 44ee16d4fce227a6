"""Rerankers: LlamaIndex node postprocessors by short name."""

from __future__ import annotations

import os

from llama_index.core.postprocessor.types import BaseNodePostprocessor

from assistant import resources
from assistant.errors import ConfigError
from assistant.registry import Registry

RERANKERS: Registry[BaseNodePostprocessor | None] = Registry("reranker")


@RERANKERS.register("none")
def none() -> BaseNodePostprocessor | None:
    """The fused order stands."""
    return None


@RERANKERS.register("flag_embedding")
def flag_embedding(*, model: str, use_fp16: bool = False, candidates: int = 20) -> BaseNodePostprocessor | None:
    """A BGE cross-encoder (FlagEmbedding) from a folder or the local hub cache; nothing is downloaded."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from llama_index.postprocessor.flag_embedding_reranker import FlagEmbeddingReranker

    found = resources.locate(model)
    try:
        return FlagEmbeddingReranker(model=str(found or model), top_n=candidates, use_fp16=use_fp16)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"reranker.model '{model}' can't be loaded ({reason}): give a folder that holds it"
        ) from error
