"""What names a generation of vectors: the model itself, and whatever is put before a passage."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from assistant.errors import ConfigError
from assistant.parts.embeddings import EMBEDDINGS, LazyTokenizer, Window, identity
from tests.integration.tiny_models import write_encoder


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


def test_the_window_leaves_room_for_marks_and_instruction(tmp_path: Path) -> None:
    """What is over it is counted, so that nothing is cut off in silence."""
    folder = write_encoder(tmp_path / "encoder")  # 64 tokens, of which two are marks
    plain = Window(lambda: EMBEDDINGS.build("huggingface", model=str(folder)))
    assert plain.tokens == 62
    instructed = Window(lambda: EMBEDDINGS.build("huggingface", model=str(folder), text_instruction="отпуск отпуск"))
    one = len(LazyTokenizer(lambda: EMBEDDINGS.build("huggingface", model=str(folder)))("отпуск"))
    assert instructed.tokens == 62 - 2 * one
    fits, longer = " ".join(["отпуск"] * (62 // one)), " ".join(["отпуск"] * (62 // one + 1))
    assert plain.cut([fits, longer, "x", longer]) == 2
    assert Window(lambda: EMBEDDINGS.build("hash")).tokens is None
    bundled = Window(lambda: EMBEDDINGS.build("huggingface", model="data/models/static-bilingual"))
    assert (bundled.tokens, bundled.cut(["отпуск " * 100_000])) == (None, 0)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "auto"])
def test_precision_of_a_transformer(tmp_path: Path, dtype: str) -> None:
    """Vectors have length 1 in any, and hardly turn; a static model's rows stay as they are."""
    import torch

    folder = write_encoder(tmp_path / "encoder")
    exact = EMBEDDINGS.build("huggingface", model=str(folder), dtype="float32").get_query_embedding("отпуск 28 дней")
    made = EMBEDDINGS.build("huggingface", model=str(folder), dtype=dtype)
    found = made.get_query_embedding("отпуск 28 дней")
    has = torch.cpu.get_capabilities()
    native = torch.bfloat16 if has.get("avx512_bf16") or has.get("amx_bf16") else torch.float32
    expected = {"float32": torch.float32, "bfloat16": torch.bfloat16, "auto": native}[dtype]
    assert {weight.dtype for weight in made._model.parameters()} == {expected}
    assert math.isclose(math.hypot(*found), 1.0, abs_tol=1e-5)
    assert sum(a * b for a, b in zip(exact, found, strict=True)) > 0.999


def test_the_bundled_models_rows_stay_as_they_are() -> None:
    found = {
        dtype: EMBEDDINGS.build("huggingface", model="data/models/static-bilingual", dtype=dtype).get_query_embedding(
            "отпуск"
        )
        for dtype in ("float32", "bfloat16")
    }
    assert found["float32"] == found["bfloat16"]
