"""Rerankers: LlamaIndex node postprocessors by short name."""

from __future__ import annotations

from llama_index.core.postprocessor.types import BaseNodePostprocessor

from assistant.errors import ConfigError
from assistant.parts import model_files
from assistant.parts.offline import load_from_this_machine_only
from assistant.registry import Registry

RERANKERS: Registry[BaseNodePostprocessor | None] = Registry("reranker")


@RERANKERS.register("none")
def none() -> BaseNodePostprocessor | None:
    """The fused order stands."""
    return None


@RERANKERS.register("flag_embedding")
def flag_embedding(
    *, model: str, device: str = "cpu", use_fp16: bool = False, candidates: int = 20, batch_size: int = 16
) -> BaseNodePostprocessor | None:
    """A BGE cross-encoder (FlagEmbedding) from a folder or the local hub cache; nothing is downloaded."""
    load_from_this_machine_only()
    folder = model_files.loadable(model, "reranker.model")
    try:
        from assistant.parts.cross_encoder import CrossEncoder

        return CrossEncoder(str(folder), device=device, use_fp16=use_fp16, top_n=candidates, batch_size=batch_size)
    except (OSError, ValueError, RuntimeError, AssertionError) as error:  # AssertionError: torch without CUDA
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(f"reranker.model '{model}' can't be loaded from {folder} ({reason})") from error
