"""Embedding models: LlamaIndex `BaseEmbedding`s by short name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from llama_index.core.base.embeddings.base import BaseEmbedding

from assistant import resources
from assistant.errors import ConfigError
from assistant.registry import Registry

EMBEDDINGS: Registry[BaseEmbedding] = Registry("embedding")
_SAMPLE = 1_000_000  # bytes; hashing gigabytes of weights at every start would cost seconds


@EMBEDDINGS.register("huggingface")
def huggingface(
    *,
    model: str,
    device: str = "cpu",
    batch_size: int = 64,
    threads: int = 1,
    query_instruction: str = "",
    text_instruction: str = "",
) -> BaseEmbedding:
    """A sentence-transformers model from a folder or the local hub cache; nothing is downloaded."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # before the import: the library reads it there
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch

    from assistant.parts.local_embedding import LocalEmbedding

    torch.set_num_threads(threads)
    found = resources.locate(model)
    try:
        return LocalEmbedding(
            model_name=str(found or model),
            device=device,
            embed_batch_size=batch_size,
            query_instruction=query_instruction or None,
            text_instruction=text_instruction or None,
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"embedding.model '{model}' can't be loaded ({reason}): give a folder that holds it"
        ) from error


@EMBEDDINGS.register("hash")
def hashed(*, dimensions: int = 256) -> BaseEmbedding:
    """A fake for tests: words hashed into a vector; equal words give near vectors, meaning none."""
    from assistant.parts.fakes import HashEmbedding

    return HashEmbedding(dimensions=dimensions)


def identity(provider: str, model: str, text_instruction: str = "") -> str:
    """What decides vectors: model, instruction and, for a folder, its files (of large ones: size, head and tail)."""
    digest = hashlib.sha256(f"{provider}\n{Path(model).name}{text_instruction}".encode())
    folder = resources.locate(model)
    if folder is not None and folder.is_dir():
        for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md"):
            size = file.stat().st_size
            digest.update(f"{file.relative_to(folder).as_posix()}:{size}\n".encode())
            with file.open("rb") as content:
                digest.update(content.read(_SAMPLE))
                content.seek(max(0, size - _SAMPLE))
                digest.update(content.read())
    return digest.hexdigest()


def tokenizer_of(model: BaseEmbedding) -> Callable[[str], list[int]] | None:
    """The model's own tokenizer (text → token ids), if it has one."""
    inner = getattr(model, "_model", None)
    tokenizer = getattr(inner, "tokenizer", None)
    if tokenizer is None:
        return None

    def ids(text: str) -> list[int]:
        encoded = tokenizer.encode(text, add_special_tokens=False)
        return list(getattr(encoded, "ids", encoded))

    return ids


class LazyTokenizer:
    """The tokenizer of a model that is loaded at the first text; words for a model that has none."""

    def __init__(self, model: Callable[[], BaseEmbedding]) -> None:
        self._model = model
        self._encode: Callable[[str], list[int]] | None = None

    def __call__(self, text: str) -> list[int]:
        if self._encode is None:
            self._encode = tokenizer_of(self._model()) or (lambda words: list(range(len(words.split()))))
        return self._encode(text)
