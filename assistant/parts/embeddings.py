"""Embedding models: LlamaIndex `BaseEmbedding`s by short name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from assistant import resources
from assistant.errors import ConfigError
from assistant.parts import model_files
from assistant.parts.offline import load_from_this_machine_only
from assistant.registry import Registry

if TYPE_CHECKING:  # a run that finds nothing changed asks for `identity` only, and LlamaIndex takes a second to import
    from llama_index.core.base.embeddings.base import BaseEmbedding
else:
    BaseEmbedding = Any  # the registry looks at the factories' signatures

EMBEDDINGS: Registry[BaseEmbedding] = Registry("embedding")
TRIAL = "Приказ № 17-п от 01.02.2025: «Об отпусках» (ред. 3)\n\nVPN-client isn't set; see e.g. a@b.ru, 25 % — ёлка."
NO_LIMIT = 1_000_000  # tokens; what stands for a model without a window
_REMEMBERED = 200_000  # words …
_LONG = 100  # … of no more characters; WordPiece makes one token of a longer one, whatever it is
_LETTERS = 8  # of a long word that count as a token at least
_WORD = re.compile(r"\S+")
_SAMPLE = 1_000_000  # bytes; hashing gigabytes of weights at every start would cost seconds
OfWord = TypeVar("OfWord")


@EMBEDDINGS.register("huggingface")
def huggingface(
    *,
    model: str,
    device: str = "cpu",
    dtype: str = "auto",
    batch_size: int = 64,
    threads: int = 1,
    query_instruction: str = "",
    text_instruction: str = "",
) -> BaseEmbedding:
    """A sentence-transformers model from a folder or the local hub cache; nothing is downloaded."""
    load_from_this_machine_only()
    import torch

    from assistant.parts.local_embedding import LocalEmbedding

    torch.set_num_threads(threads)
    folder = model_files.loadable(model, "embedding.model")
    try:
        return LocalEmbedding(
            model_name=str(folder),
            device=device,
            dtype=dtype,
            embed_batch_size=batch_size,
            query_instruction=query_instruction or None,
            text_instruction=text_instruction or None,
        )
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f"embedding.model '{model}' can't be loaded from {folder} ({reason})") from error


@EMBEDDINGS.register("hash")
def hashed(*, model: str = "") -> BaseEmbedding:
    """A fake for tests: words hashed into a vector; equal words give near vectors, meaning none. `model`: dimensions."""
    from assistant.parts.fakes import HashEmbedding

    return HashEmbedding(dimensions=int(model)) if model.isdecimal() else HashEmbedding()


def identity(provider: str, model: str, text_instruction: str = "") -> str:
    """What decides vectors: model and instruction. Of a folder its files count (of large ones: size, head and tail)
    and not where it lies; of a hub's model its whole name and the revision in the local cache.
    """
    folder = resources.locate(model)
    is_folder = folder is not None and folder.is_dir()
    named = Path(model).name if is_folder else f"{model}\n{model_files.cached_revision(model)}\n"
    digest = hashlib.sha256(f"{provider}\n{named}{text_instruction}".encode())
    if folder is not None and is_folder:
        for file in model_files.files_of(folder):
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


class Window:
    """How much of a passage the model reads; what is behind that has no part in its vector."""

    def __init__(self, model: Callable[[], BaseEmbedding]) -> None:
        self._model = model
        self._tokenizer = LazyTokenizer(model)

    @cached_property
    def tokens(self) -> int | None:
        """Of title, section and text, beside the model's own marks and its instruction; None where there is no limit."""
        model = self._model()
        length = getattr(model, "max_length", None)
        inner = getattr(getattr(model, "_model", None), "tokenizer", None)
        if length is None or inner is None or length >= NO_LIMIT:
            return None
        marks = len(inner.encode("a")) - len(inner.encode("a", add_special_tokens=False))
        return int(length) - marks - len(self._tokenizer(getattr(model, "text_instruction", None) or ""))

    def cut(self, texts: Iterable[str]) -> int:
        """How many of the texts are longer. No token is shorter than a character, so most need no counting."""
        if (limit := self.tokens) is None:
            return 0
        return sum(len(text) > limit and self._size(text) > limit for text in texts)

    def _size(self, text: str) -> int:
        sizes = self._tokenizer.sizes()
        return len(self._tokenizer(text)) if sizes is None else sizes.count(text)


class LazyTokenizer:
    """The tokenizer of a model that is loaded at the first text; words for a model that has none."""

    def __init__(self, model: Callable[[], BaseEmbedding]) -> None:
        self._model = model
        self._encode: Callable[[str], list[int]] | None = None
        self._sizes: WordSizes | None = None

    def __call__(self, text: str) -> list[int]:
        """Token ids."""
        if self._encode is None:
            self._encode = tokenizer_of(self._model()) or (lambda words: list(range(len(words.split()))))
        return self._encode(text)

    def sizes(self) -> WordSizes | None:
        """Token counts by word; None for a tokenizer that joins letters across blanks."""
        if self._sizes is None:
            self._sizes = WordSizes(self)
        return self._sizes if self._sizes.is_exact else None


class ByWord(dict[str, OfWord]):
    """What is made of a word, remembered: text has few different words, and they are short."""

    def __init__(self, make: Callable[[str], OfWord]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, word: str) -> OfWord:
        found = self._make(word)
        if len(word) <= _LONG:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[word] = found
        return found


class WordSizes(ByWord[int]):
    """How many tokens each word has, remembered: text has few different words, and counting them costs a tenth of encoding.

    Tokenizers that cut at blanks before anything else (WordPiece; XLM-R's too) give a word the same tokens wherever it
    stands; whether this one does is tried out once.
    """

    def __init__(self, encode: Callable[[str], list[int]]) -> None:
        super().__init__(self._size)
        self._encode = encode
        self.is_exact = self.count(TRIAL) == len(encode(TRIAL))

    def count(self, text: str) -> int:
        return sum(map(self.__getitem__, text.split()))

    def spans(self, text: str) -> tuple[list[int], list[int]]:
        """Of each word: where it starts (characters), and how many tokens come before it; a last pair for the end."""
        starts, before, total = [], [], 0
        for match in _WORD.finditer(text):
            starts.append(match.start())
            before.append(total)
            total += self[match[0]]
        return [*starts, len(text)], [*before, total]

    def _size(self, word: str) -> int:
        tokens = len(self._encode(word))
        return tokens if len(word) <= _LONG else max(tokens, len(word) // _LETTERS)  # megabytes of base64, say
