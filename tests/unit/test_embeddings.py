"""What names a generation of vectors: the model itself, and whatever is put before a passage."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from assistant.errors import ConfigError
from assistant.parts.embeddings import EMBEDDINGS, LazyTokenizer, identity


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "sub").mkdir(parents=True)
    (folder / "weights.bin").write_bytes(bytes(3_000_000))
    (folder / "sub/config.json").write_text("{}")
    (folder / "README.md").write_text("a card")
    return folder


@pytest.mark.parametrize("instruction", ["", "passage: "])
def test_other_weights_are_another_model(model: Path, instruction: str) -> None:
    before = identity("huggingface", str(model), instruction)
    assert identity("huggingface", str(model), instruction) == before
    for place in (0, 2_999_999):
        weights = bytearray(3_000_000)
        weights[place] = 1
        (model / "weights.bin").write_bytes(weights)
        assert identity("huggingface", str(model), instruction) != before
    (model / "weights.bin").write_bytes(bytes(3_000_000))
    (model / "sub/config.json").write_text('{"pooling": "mean"}')
    assert identity("huggingface", str(model), instruction) != before


def test_place_and_card_of_a_model_do_not_matter(model: Path) -> None:
    before = identity("huggingface", str(model))
    (model / "README.md").write_text("a longer card")
    moved = model.parent / "models"
    moved.mkdir()
    assert identity("huggingface", str(model.rename(moved / "static"))) == before


def test_provider_name_and_instruction_matter() -> None:
    made = [("hash", "m"), ("huggingface", "m"), ("huggingface", "other"), ("huggingface", "m", "passage: ")]
    assert len({identity(*arguments) for arguments in made}) == len(made)


@pytest.mark.parametrize("name", ["acme/model", "model"])
def test_the_whole_name_of_a_hubs_model_and_its_revision_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("LLAMA_INDEX_CACHE_DIR", str(tmp_path))
    before = identity("huggingface", name)
    assert before != identity("huggingface", "other/model")
    folder = tmp_path / f"models--{'acme' if '/' in name else 'sentence-transformers'}--model" / "refs"
    folder.mkdir(parents=True)
    found = {before}
    for revision in ("1" * 40, "2" * 40):
        (folder / "main").write_text(revision)
        found.add(identity("huggingface", name))
    assert len(found) == 3


def test_the_fake_embedding_is_made_of_words() -> None:
    fake = EMBEDDINGS.build("hash", model="64")
    vector, other, empty = fake.get_text_embedding_batch(["отпуск 28 дней", "28 дней отпуск", ""])
    assert len(vector) == 64
    assert math.isclose(sum(value * value for value in vector), 1.0)
    assert vector == other == fake.get_query_embedding("отпуск 28 дней")
    assert any(empty)


def test_a_model_without_a_tokenizer_counts_words() -> None:
    assert len(LazyTokenizer(lambda: EMBEDDINGS.build("hash"))("раз два три")) == 3


def test_a_wrong_embedding_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match="unknown embedding 'hugingface': did you mean huggingface"):
        EMBEDDINGS.build("hugingface")
