"""A static model's vectors by remembered words are those that sentence-transformers makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from assistant.parts import embeddings
from assistant.parts.static_vectors import StaticVectors, is_static

ROOT = Path(__file__).parents[2]
ODD = [
    "",
    " ",
    "a\x0cb",
    "раз\x1fдва",
    "слово\u00a0два\u2028три",
    "\x85",
    "x" * 500,
    "日本語 текст",
    "e\u0301",
    "ẞß ﬁ 25%",
]


@pytest.fixture(scope="module")
def bundled() -> SentenceTransformer:
    return SentenceTransformer(str(ROOT / "data/models/static-bilingual"), device="cpu")


@pytest.mark.parametrize("remembered", [200_000, 50])
def test_the_same_vectors(bundled: SentenceTransformer, monkeypatch: pytest.MonkeyPatch, remembered: int) -> None:
    monkeypatch.setattr(embeddings, "_REMEMBERED", remembered)
    assert is_static(bundled)
    texts = [file.read_text("utf-8") for file in sorted((ROOT / "data/docs").rglob("*.md"))] + ODD
    vectors = StaticVectors(bundled)
    for _ in range(2):  # the second time from memory
        found = vectors.encode(texts)
        lengths = np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        assert np.abs(found / lengths - bundled.encode(texts, show_progress_bar=False)).max() < 1e-6


def test_words_are_forgotten(bundled: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_REMEMBERED", 50)
    vectors = StaticVectors(bundled)
    vectors.encode([" ".join(map(str, range(1000))), "y" * 101])
    assert len(vectors._words) <= 50
    assert "y" * 101 not in vectors._words


def test_a_tokenizer_that_joins_words_is_left_to_the_library() -> None:
    """SentencePiece as T5 has it, say: a blank is a letter, and tokens run over it."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    trainer = trainers.UnigramTrainer(vocab_size=60, special_tokens=["<unk>"], unk_token="<unk>")
    tokenizer.train_from_iterator(["Приказ № 17-п от 01.02.2025: Об отпусках see e.g. a@b.ru"] * 3, trainer)
    assert not is_static(SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=4)], device="cpu"))
