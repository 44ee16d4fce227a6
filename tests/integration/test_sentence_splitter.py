"""Our splitter makes the passages that LlamaIndex's makes, with the real tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document

from assistant.parts.embeddings import LazyTokenizer
from assistant.parts.sentence_splitter import CountingSentenceSplitter
from assistant.settings_loader import load_settings
from assistant.wiring import build

DOCS = Path(__file__).parents[2] / "data" / "docs"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> LazyTokenizer:
    settings = load_settings()
    storage = settings.storage.model_copy(update={"path": tmp_path_factory.mktemp("storage")})
    return LazyTokenizer(build(settings.model_copy(update={"storage": storage})).embed_model)


@pytest.mark.parametrize("size", [60, 120, 320])
def test_same_passages(tokenizer: LazyTokenizer, size: int) -> None:
    texts = [file.read_text("utf-8") for file in sorted(DOCS.rglob("*.*")) if file.suffix == ".md"]
    texts += ["\n\n\n".join(texts), "слово " * 1000, "б" * 300, "One. Two! Три? " * 200, " \n ", "x"]
    documents = [Document(text=text, metadata={"title": f"Документ {size}"}) for text in texts]
    options = {"chunk_size": size, "chunk_overlap": 20, "tokenizer": tokenizer}
    theirs = [node.get_content() for node in SentenceSplitter.from_defaults(**options)(documents)]
    ours = [node.get_content() for node in CountingSentenceSplitter.from_defaults(**options)(documents)]
    assert ours == theirs


@pytest.mark.parametrize("text", ["б" * 200_000, "QUJD+/" * 30_000, f"Ключ: {'7f' * 50_000} конец. Дальше текст."])
def test_words_without_end_are_cut_and_nothing_of_them_is_lost(tokenizer: LazyTokenizer, text: str) -> None:
    """The model makes one token of such a word; a passage of it would fill a prompt."""
    splitter = CountingSentenceSplitter.from_defaults(chunk_size=320, chunk_overlap=0, tokenizer=tokenizer)
    passages = [node.get_content() for node in splitter([Document(text=text, metadata={"title": "Ключи"})])]
    assert max(map(len, passages)) <= 320 * 8
    assert len(passages) < len(text) / 400
    assert "".join("".join(passages).split()) == "".join(text.split())


def test_title_longer_than_a_passage(tokenizer: LazyTokenizer) -> None:
    splitter = CountingSentenceSplitter.from_defaults(chunk_size=20, chunk_overlap=0, tokenizer=tokenizer)
    with pytest.raises(ValueError, match="raise chunk_size"):
        splitter([Document(text="text", metadata={"title": "слово " * 50})])
