"""Real models of two small layers, made in a second: a cross-encoder and a sentence-transformers model."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from assistant.parts import model_files
from assistant.parts.embeddings import EMBEDDINGS
from tests.integration import company

NAME = "acme/tiny-encoder"
WEIGHTS = "model.safetensors"


def write_cross_encoder(folder: Path) -> Path:
    """The architecture of bge-reranker-v2-m3 with two small layers, and a tokenizer of our texts."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForSequenceClassification

    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        company.TEXTS.values(), trainers.WordPieceTrainer(vocab_size=500, special_tokens=special)
    )
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **{"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"},
        **{"pad_token": "<pad>", "unk_token": "<unk>", "model_max_length": 512},
    )
    fast.save_pretrained(folder)
    torch.manual_seed(11)
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64},
        **{"num_labels": 1, "max_position_embeddings": 514, "type_vocab_size": 1, "initializer_range": 0.5},
    )
    XLMRobertaForSequenceClassification(config).save_pretrained(folder)
    return folder


def write_encoder(folder: Path, seed: int = 1) -> Path:
    """A real sentence-transformers model of two small layers, with what else lies in such repositories."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import XLMRobertaConfig, XLMRobertaModel

    base = write_cross_encoder(folder.with_name(f"{folder.name}-base"))
    torch.manual_seed(seed)
    config = XLMRobertaConfig.from_pretrained(base)
    XLMRobertaModel(config).save_pretrained(base)
    words = Transformer(str(base))
    words.max_seq_length = 64
    SentenceTransformer(modules=[words, Pooling(32), Normalize()], device="cpu").save_pretrained(str(folder))
    shutil.rmtree(base)
    for extra in (
        "onnx/model.onnx",
        "openvino/openvino_model.bin",
        "tf_model.h5",
        "flax_model.msgpack",
        ".gitattributes",
    ):
        (folder / extra).parent.mkdir(exist_ok=True)
        (folder / extra).write_bytes(b"of no use here")
    return folder


def embedded(folder: Path | str) -> list[float]:
    return EMBEDDINGS.build("huggingface", model=str(folder), dtype="float32").get_query_embedding("отпуск")


def contents(folder: Path) -> dict[str, str]:
    """Of what makes the model."""
    found = model_files.files_of(folder)
    return {f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in found}
