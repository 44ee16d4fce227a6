"""Training of the bundled embedding model: start of the subword vectors, losses, row-wise Adam.

Used by ``build_static_bilingual.py`` only. A subword vector has two parts that are trained side by
side: the *meaning* part starts at the teacher's space and is held to it, the *spelling* part starts
random and lets rare words be told apart, as BM25 does. Without a teacher all of it is spelling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from static_bilingual_text import SPECIAL, Corpus, Ids, Pair, epoch_batches
from torch.nn import functional

Floats = np.ndarray[Any, np.dtype[np.float32]]
Lesson = tuple[list[Ids], torch.Tensor]  # texts, the teacher's unit vectors of them

SCALE = 20.0  # inverse temperature of the contrastive loss
RATES = (0.05, 0.05, 0.05, 0.01)  # meaning, own and n-gram vectors, logarithm of the weights
WARM_UP = 0.05  # part of the steps in which the rate rises; it falls linearly afterwards
LOWEST_RATE = 0.02  # of the highest
TEACHER_WEIGHT = 3.0  # of the distance to the teacher beside the contrastive loss
LESSON_BATCH = 1024
MAX_PASSAGE = 160  # subwords of a passage used in training


def inverse_frequency(corpus: Corpus, size: int) -> Floats:
    """Return the IDF of every subword over the passages of the pairs, with mean 1."""
    counts = np.zeros(size)
    for pair in corpus.pairs:
        counts[np.unique(pair.passage)] += 1
    idf = np.log((len(corpus.pairs) + 1) / (counts + 1))
    return np.asarray(np.maximum(idf / idf.mean(), 0.02), dtype=np.float32)


def ngram_matrix(tokens: list[str]) -> sparse.csr_matrix:
    """Return the subword x character-n-gram matrix (lengths 3 to 5), rows of unit length.

    "<" marks the start of a word, so prefixes differ from inner pieces. N-grams of one
    or two subwords teach little that their own vectors do not and are left out.
    """
    grams: list[list[str]] = []
    for token in tokens:
        text = token[2:] if token.startswith("##") else "<" + token
        pieces = {text[i : i + n] for n in (3, 4, 5) for i in range(len(text) - n + 1)}
        grams.append([] if token in SPECIAL else sorted(pieces))
    counts = Counter(gram for found in grams for gram in found)
    number = {gram: i for i, gram in enumerate(sorted(g for g, c in counts.items() if c > 2))}
    used = [[number[gram] for gram in found if gram in number] for found in grams]
    lengths = [len(columns) for columns in used]
    columns = np.concatenate([np.array(found, dtype=np.int64) for found in used])
    values = np.repeat([max(length, 1) ** -0.5 for length in lengths], lengths).astype(np.float32)
    shape = (len(tokens), len(number))
    return sparse.csr_matrix((values, columns, np.cumsum([0, *lengths])), shape=shape)


def unit_scale(table: Floats) -> Floats:
    """Return the table with a mean square of 1, so that one learning rate suits every part."""
    return table / np.sqrt((table[len(SPECIAL) :] ** 2).mean())


class RowAdam:
    """Adam that touches only the rows a batch uses, each with its own count of steps.

    A dense step over the whole table costs more than the rest of the batch, and its momentum would
    move rows that the batch says nothing about.
    """

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values
        self._mean, self._square = torch.zeros_like(values), torch.zeros_like(values)
        self._steps = torch.zeros(len(values), 1)

    def step(self, rows: torch.Tensor, gradient: torch.Tensor, rate: float) -> None:
        """Update these (different) rows."""
        self._steps[rows] += 1
        steps = self._steps[rows]
        mean = self._mean[rows].mul_(0.9).add_(gradient, alpha=0.1)
        square = self._square[rows].mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        self._mean[rows], self._square[rows] = mean, square
        root = (square / (1 - 0.999**steps)).sqrt_().add_(1e-8)
        self.values[rows] -= rate * (mean / (1 - 0.9**steps)) / root


def contrastive_loss(queries: torch.Tensor, passages: torch.Tensor, batch: list[Pair]) -> torch.Tensor:
    """Cross-entropy of finding the passage of each query in the batch, and the reverse.

    Repeated questions ("Overview") and passages are no negatives of each other: masked out.
    """
    scores = SCALE * queries @ passages.t()
    same = torch.zeros(scores.shape, dtype=torch.bool)
    for keys in ([p.query_key for p in batch], [p.passage_key for p in batch]):
        key = torch.tensor(keys)
        same |= key[:, None] == key[None, :]
    scores = scores.masked_fill(same.fill_diagonal_(False), -1e4)
    right = torch.arange(len(batch))
    return (functional.cross_entropy(scores, right) + functional.cross_entropy(scores.t(), right)) / 2


class SubwordTable:
    """The trained parameters: meaning and own spelling vector, n-gram vectors, logarithm of the weight.

    Only the rows of a batch are computed; n-gram vectors are shared, so that rare word forms gain.
    """

    def __init__(
        self, tokens: list[str], idf: Floats, meaning: Floats, spelling: int, rng: np.random.Generator
    ) -> None:
        """``meaning``: subwords x dimensions at the teacher's vectors; ``spelling``: number of further dimensions."""
        self._ngrams = ngram_matrix(tokens)
        self._idf = torch.from_numpy(idf)[:, None]
        own = rng.standard_normal((len(tokens), spelling), dtype=np.float32)
        shared = rng.standard_normal((self._ngrams.shape[1], spelling), dtype=np.float32)
        self._parts = [RowAdam(torch.from_numpy(part)) for part in (meaning, own, shared)]
        self._parts.append(RowAdam(torch.zeros(len(tokens), 1)))
        self._place = np.zeros(self._ngrams.shape[1], dtype=np.int64)
        self._rows: list[torch.Tensor] = []
        self._used: list[torch.Tensor] = []

    def rows(self, numbers: Ids) -> torch.Tensor:
        """Return the vectors of these (different, sorted) subwords, ready for gradients."""
        found = self._ngrams[numbers]
        grams = np.unique(found.indices)
        self._place[grams] = np.arange(len(grams))
        rows = torch.from_numpy(numbers)
        self._rows = [rows, rows, torch.from_numpy(grams), rows]
        self._used = [part.values[at].requires_grad_() for part, at in zip(self._parts, self._rows, strict=True)]
        meaning, own, shared, weight = self._used
        columns, starts = (
            torch.from_numpy(self._place[found.indices]),
            torch.from_numpy(found.indptr[:-1].astype(np.int64)),
        )
        sums = functional.embedding_bag(
            columns, shared, starts, mode="sum", per_sample_weights=torch.from_numpy(found.data)
        )
        spelling = (own + sums) * self._idf[rows]
        return torch.cat([meaning, spelling], dim=1) * torch.exp(weight)

    def learn(self, loss: torch.Tensor, factor: float) -> None:
        """Follow the gradient of a loss made from the rows that were asked for last."""
        gradients = torch.autograd.grad(loss, self._used)
        for part, rows, gradient, rate in zip(self._parts, self._rows, gradients, RATES, strict=True):
            part.step(rows, gradient, rate * factor)

    def whole(self) -> torch.Tensor:
        """Return one vector a subword, everything folded in."""
        table = self.rows(np.arange(len(self._idf))).detach().clone()
        table[: len(SPECIAL)] = 0.0  # unknown signs say nothing
        return table


def learn_batch(table: SubwordTable, batch: list[Pair], lesson: Lesson | None, factor: float) -> float:
    """Learn from one batch at this part of the learning rates; return the contrastive loss."""
    taught, target = lesson or ([], torch.empty(0, 0))
    texts = [pair.query for pair in batch] + [pair.passage[:MAX_PASSAGE] for pair in batch] + taught
    used, flat = np.unique(np.concatenate(texts), return_inverse=True)
    starts = torch.from_numpy(np.cumsum([0] + [len(text) for text in texts[:-1]]))
    means = functional.embedding_bag(torch.from_numpy(flat), table.rows(used), starts, mode="mean")
    units = functional.normalize(means, dim=-1)
    count = len(batch)
    loss = contrastive = contrastive_loss(units[:count], units[count : 2 * count], batch)
    if taught:
        meanings = functional.normalize(means[2 * count :, : target.shape[1]], dim=-1)
        loss = loss + TEACHER_WEIGHT * (1 - (meanings * target).sum(dim=1)).mean()
    table.learn(loss, factor)
    return contrastive.item()


def train(
    table: SubwordTable, corpus: Corpus, lessons: Iterator[Lesson] | None, epochs: int, rng: np.random.Generator
) -> torch.Tensor:
    """Train with warm-up and linear decay and return the subword vectors."""
    step, steps = 0, 0
    for epoch in range(epochs):
        batches = list(epoch_batches(corpus, rng))
        steps = steps or len(batches) * epochs
        losses = []
        for batch in batches:
            factor = min(1.0, (step + 1) / (WARM_UP * steps), max(LOWEST_RATE, 1 - step / steps))
            losses.append(learn_batch(table, batch, next(lessons) if lessons else None, factor))
            step += 1
        print(f"epoch {epoch + 1}/{epochs}: loss {np.mean(losses):.4f}", flush=True)
    return table.whole()
