"""LlamaIndex's reranker over a FlagEmbedding cross-encoder. Heavy to import: torch."""

from __future__ import annotations

from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.postprocessor.flag_embedding_reranker import FlagEmbeddingReranker


class CrossEncoder(FlagEmbeddingReranker):
    """Subclassed because the stock class says neither where the model runs nor how much of a passage it reads."""

    _model: Any = PrivateAttr()

    def __init__(self, model: str, *, device: str, use_fp16: bool, top_n: int, batch_size: int) -> None:
        super().__init__(model=model, top_n=top_n, use_fp16=use_fp16)
        self._model.target_devices = [device]
        self._model.max_length = window(self._model)
        self._model = _Batches(self._model, batch_size)
        self._model.compute_score([("да", "нет")])  # moves it to the device: the first question must not wait for that


class _Batches:
    """Scores pairs in batches of about the same length. FlagEmbedding does so too, but draws progress bars meanwhile."""

    def __init__(self, model: Any, size: int) -> None:  # noqa: ANN401 - a `FlagReranker`
        self._model = model
        self._size = size

    def compute_score(self, pairs: list[tuple[str, str]]) -> list[float]:
        """A score for each pair of question and passage, in their order."""
        by_length = sorted(range(len(pairs)), key=lambda number: len(pairs[number][1]))
        scores = [0.0] * len(pairs)
        for start in range(0, len(pairs), self._size):
            numbers = by_length[start : start + self._size]
            batch = [pairs[number] for number in numbers]
            found = self._model.compute_score_single_gpu(batch, batch_size=len(batch) + 1)
            for number, score in zip(numbers, found, strict=True):
                scores[number] = float(score)
        return scores


def window(model: Any) -> int:  # noqa: ANN401 - a `FlagReranker`
    """Tokens that the model reads at most; the library would cut at 512."""
    config = model.model.config
    positions = int(config.max_position_embeddings)
    if "roberta" in config.model_type:
        positions -= 2  # its positions are counted from behind the padding's
    return min(int(model.tokenizer.model_max_length), positions)
