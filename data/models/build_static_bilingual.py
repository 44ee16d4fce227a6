"""Build the bundled Russian + English static embedding model from open question/passage pairs.

Why it exists: the assistant must find passages with no network and no GPU, so it ships a small
model instead of downloading one. A *static* model (one vector a subword, a text is the mean of
its subwords: Model2Vec, ``StaticEmbedding`` of sentence-transformers) needs no transformer and
embeds thousands of passages a second on one core. It is weaker than a transformer; its job is to
add to BM25 what shared stems cannot see (word forms, synonyms, some Russian-English bridges).

Method, each part known from the literature:

* WordPiece vocabulary over both languages (NFKC, lower case, "ё" -> "е"; "й" stays "й").
* Subword vector = own vector + mean of its character n-grams (fastText, Bojanowski et al. 2017)
  times a learned weight that starts at the IDF (SIF, Arora et al. 2017, in spirit). The sum is
  folded into one table after training, so inference pays nothing; rare Russian word forms gain.
* Loss: in-batch negatives, both directions (multiple negatives ranking, Henderson et al. 2017).
* Inverse cloze pairs: a sentence against the rest of its section (Lee et al. 2019).
* Storage: 8-bit rows with one scale each, in the layout that sentence-transformers folds back to
  float32 on loading, so 512 dimensions cost what 256 would in half precision.

The same data, seed, machine type and library versions give the same bytes: one thread, fixed
seeds, deterministic kernels and an explicit alphabet (the tokenizer trainer otherwise breaks ties
by hash order). Only the training folder is read, never an evaluation set.

    python data/models/build_static_bilingual.py --train ../shared/data/train \
        --output data/models/static-bilingual
"""

from __future__ import annotations

import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # before tokenizers is imported: fixed order

import argparse
import hashlib
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from string import Template

import numpy as np
import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from static_bilingual_text import (
    SPECIAL,
    Corpus,
    Ids,
    Pair,
    epoch_batches,
    load_corpus,
    read_records,
    train_tokenizer,
)
from tokenizers import Tokenizer
from torch.autograd.function import FunctionCtx
from torch.nn import functional

CARD = Path(__file__).with_name("static_bilingual_card.md")
SCALE = 20.0  # inverse temperature of the contrastive loss
LEARNING_RATE = 0.05
WEIGHT_RATE = 0.01  # slower for the logarithm of the per-subword weights
WARM_UP = 0.05  # part of the steps in which the rate rises; it falls linearly afterwards
LARGEST = 127  # of a signed 8-bit number


def ngram_matrix(tokens: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the subword x character-n-gram matrix (lengths 3 to 5) and its transpose.

    Rows have unit length. "<" marks the start of a word, so prefixes differ from inner pieces.
    N-grams of a single subword teach nothing that its own vector does not and are left out.
    """
    grams: list[list[str]] = []
    for token in tokens:
        text = token[2:] if token.startswith("##") else "<" + token
        pieces = {text[i : i + n] for n in (3, 4, 5) for i in range(len(text) - n + 1)}
        grams.append([] if token in SPECIAL else sorted(pieces))
    counts = Counter(gram for found in grams for gram in found)
    number = {gram: i for i, gram in enumerate(sorted(g for g, c in counts.items() if c > 1))}
    rows, columns, values = [], [], []
    for row, found in enumerate(grams):
        used = [number[gram] for gram in found if gram in number]
        rows += [row] * len(used)
        columns += used
        values += [max(len(used), 1) ** -0.5] * len(used)
    matrix = torch.sparse_coo_tensor(torch.tensor([rows, columns]), torch.tensor(values), (len(tokens), len(number)))
    return matrix.coalesce().to_sparse_csr(), matrix.t().coalesce().to_sparse_csr()


class SparseProduct(torch.autograd.Function):
    """Constant sparse matrix times dense matrix, with a cheap backward pass."""

    @staticmethod
    def forward(ctx: FunctionCtx, matrix: torch.Tensor, transposed: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
        """Multiply and remember the transpose."""
        ctx.transposed = transposed  # type: ignore[attr-defined]
        return matrix @ dense

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: torch.Tensor) -> tuple[None, None, torch.Tensor]:
        """Only the dense factor is trained."""
        return None, None, ctx.transposed @ gradient  # type: ignore[attr-defined]


class SubwordTable(torch.nn.Module):
    """The trained parameters: subword vectors, n-gram vectors, logarithms of the weights."""

    def __init__(self, tokens: list[str], dimensions: int, idf: torch.Tensor) -> None:
        super().__init__()
        self.matrix, self.transposed = ngram_matrix(tokens)
        self.own = torch.nn.Parameter(torch.randn(len(tokens), dimensions))
        self.grams = torch.nn.Parameter(torch.randn(self.matrix.shape[1], dimensions))
        self.weights = torch.nn.Parameter(torch.log(idf.clamp(min=0.02))[:, None])

    def forward(self) -> torch.Tensor:
        """Return one vector a subword."""
        apply: Callable[..., torch.Tensor] = SparseProduct.apply
        shared = apply(self.matrix, self.transposed, self.grams)
        table: torch.Tensor = (self.own + shared) * torch.exp(self.weights)
        return table


def inverse_frequency(corpus: Corpus, size: int) -> torch.Tensor:
    """Return the IDF of every subword over passages and sections, with mean 1."""
    counts = np.zeros(size)
    for pair in corpus.pairs:
        counts[np.unique(pair.passage)] += 1
    for _, sentences in corpus.sections:
        counts[np.unique(np.concatenate(sentences))] += 1
    total = len(corpus.pairs) + len(corpus.sections)
    idf = np.log((total + 1) / (counts + 1))
    return torch.tensor(idf / idf.mean(), dtype=torch.float32)


def embed(table: torch.Tensor, texts: list[Ids]) -> torch.Tensor:
    """Return the unit-length mean vector of each text."""
    starts = np.cumsum([0] + [len(text) for text in texts[:-1]])
    flat = torch.from_numpy(np.concatenate(texts))
    means = functional.embedding_bag(flat, table, torch.from_numpy(starts), mode="mean")
    return functional.normalize(means, dim=-1)


def contrastive_loss(table: torch.Tensor, batch: list[Pair]) -> torch.Tensor:
    """Cross-entropy of finding the passage of each query in the batch, and the reverse.

    Repeated questions ("Overview") and passages are no negatives of each other: masked out.
    """
    queries = embed(table, [pair.query for pair in batch])
    passages = embed(table, [pair.passage for pair in batch])
    scores = SCALE * queries @ passages.t()
    same = torch.zeros(scores.shape, dtype=torch.bool)
    for keys in ([p.query_key for p in batch], [p.passage_key for p in batch]):
        key = torch.tensor(keys)
        same |= key[:, None] == key[None, :]
    scores = scores.masked_fill(same.fill_diagonal_(False), -1e4)
    right = torch.arange(len(batch))
    forward = functional.cross_entropy(scores, right)
    return (forward + functional.cross_entropy(scores.t(), right)) / 2


def train(corpus: Corpus, tokenizer: Tokenizer, options: argparse.Namespace) -> torch.Tensor:
    """Train with Adam (warm-up, linear decay) and return the folded subword vectors."""
    rng = np.random.default_rng(options.seed)
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    model = SubwordTable(tokens, options.dimensions, inverse_frequency(corpus, len(tokens)))
    rates = [(model.own, LEARNING_RATE), (model.grams, LEARNING_RATE), (model.weights, WEIGHT_RATE)]
    optimizer = torch.optim.Adam([{"params": [part], "lr": rate} for part, rate in rates])
    step, steps = 0, 0
    for epoch in range(options.epochs):
        batches = list(epoch_batches(corpus, rng))
        steps = steps or len(batches) * options.epochs
        losses = []
        for batch in batches:
            factor = min(1.0, (step + 1) / (WARM_UP * steps), max(0.02, 1 - step / steps))
            for group, (_, rate) in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            optimizer.zero_grad()
            loss = contrastive_loss(model(), batch)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
            losses.append(loss.item())
        print(f"epoch {epoch + 1}/{options.epochs}: loss {np.mean(losses):.4f}", flush=True)
    with torch.no_grad():
        table: torch.Tensor = model()
        table[: len(SPECIAL)] = 0.0  # unknown signs say nothing
    return table


def quantise(table: torch.Tensor) -> dict[str, torch.Tensor]:
    """Store rows as 8-bit numbers with one scale each.

    The names are those of Model2Vec files, which ``StaticEmbedding.load`` multiplies back into
    float32 rows, so nothing downstream sees 8-bit or half-precision numbers.
    """
    scales = table.abs().amax(dim=1).clamp(min=1e-12) / LARGEST
    rows = torch.round(table / scales[:, None]).clamp(-LARGEST, LARGEST).to(torch.int8)
    return {"embeddings": rows, "weights": scales}


def save(tokenizer: Tokenizer, table: torch.Tensor, options: argparse.Namespace) -> str:
    """Write the sentence-transformers folder and return the SHA-256 of the weights."""
    output: Path = options.output
    modules = [StaticEmbedding(tokenizer, embedding_weights=table), Normalize()]
    model = SentenceTransformer(modules=modules, device="cpu", similarity_fn_name="cosine")
    model.save_pretrained(str(output), create_model_card=False)
    weights = output / "model.safetensors"
    save_file(quantise(table), str(weights))
    weights.chmod(0o644)  # safetensors leaves it to the owner alone
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    values = {
        "vocabulary": f"{table.shape[0]:,}",
        "dimensions": str(table.shape[1]),
        "epochs": str(options.epochs),
        "seed": str(options.seed),
        "sha256": digest,
        "torch": torch.__version__,
    }
    card = Template(CARD.read_text(encoding="utf-8")).substitute(values)
    (output / "README.md").write_text(card, encoding="utf-8")
    return digest


def parse_options() -> argparse.Namespace:
    """Return the command line options."""
    parser = argparse.ArgumentParser(description="Build the bundled static embedding model.")
    parser.add_argument("--train", type=Path, required=True, help="folder with the training files")
    parser.add_argument("--output", type=Path, required=True, help="folder of the model")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--vocabulary", type=int, default=48_000, help="number of subwords")
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--seed", type=int, default=17)
    return parser.parse_args()


def main() -> None:
    """Read, train, write."""
    started = time.monotonic()
    options = parse_options()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    pairs = read_records(options.train / "train_pairs.jsonl.gz")
    sections = read_records(options.train / "passages_ru.jsonl.gz")
    texts = [record[field] for record in pairs for field in ("question", "passage")]
    texts += [record[field] for record in sections for field in ("heading", "passage")]
    tokenizer = train_tokenizer(texts, options.vocabulary)
    corpus = load_corpus(tokenizer, pairs, sections)
    seconds = time.monotonic() - started
    print(f"{len(pairs)} pairs, {len(corpus.sections)} sections: {seconds:.0f} s", flush=True)
    digest = save(tokenizer, train(corpus, tokenizer, options), options)
    print(f"model.safetensors sha256 {digest}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
