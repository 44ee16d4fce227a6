"""Text side of the bundled embedding model: subword vocabulary, training pairs, batches.

Used by the modules of ``build_static_bilingual.py`` only; the reasons for the method are told there. Everything
here is a function of the training files and the random generator handed in.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

Ids = np.ndarray[Any, np.dtype[np.int64]]
Record = dict[str, str]

SPECIAL = ["[PAD]", "[UNK]"]
ALPHABET_SIZE = 250  # both alphabets, digits, common accented letters; rarer signs become [UNK]
MAX_TOKENS = 256  # longer passages are cut while training
BATCH = 1024
KEEP_SENTENCE = 0.1  # inverse cloze: how often the sentence stays in its passage (Lee et al.)
TEMPLATED = "abachaa/MedQuAD"  # a few question templates over many diseases
TEMPLATED_SHARE = 0.3  # part of the templated questions used an epoch
QUESTION_REPEATS = 1  # times an epoch for questions that people wrote
SENTENCE = re.compile(r"(?<=[.!?:])\s+|\n+")


@dataclass(frozen=True)
class Pair:
    """One training pair; equal keys mark texts that must not be each other's negatives."""

    query: Ids
    passage: Ids
    query_key: int
    passage_key: int


@dataclass(frozen=True)
class Corpus:
    """Everything an epoch draws from, already as subword numbers."""

    pairs: list[Pair]
    repeats: list[float]
    sections: list[tuple[int, list[Ids]]]


def read_records(path: Path) -> list[Record]:
    """Return the JSON lines of a gzip file, in file order (the order is part of the result)."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def blank_tokenizer(vocabulary: dict[str, int] | None = None) -> Tokenizer:
    """Return the WordPiece tokenizer with its normaliser.

    No accent stripping: it would turn "й" into "и". NFKC composes "й" and leaves a Russian
    stress mark as a separate sign, which is removed. Punctuation separates and is dropped.
    """
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary or {}, unk_token="[UNK]", max_input_chars_per_word=64))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace("ё", "е"),
            normalizers.Replace("\u0301", ""),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\W_]+"), "removed")
    return tokenizer


def train_tokenizer(texts: list[str], size: int) -> Tokenizer:
    """Learn the subword vocabulary the same way every time.

    The trainer numbers "##x" pieces in hash order and breaks ties by number, so every letter
    and its "##" form is handed over as a special token first; the finished vocabulary then goes
    into a fresh tokenizer in which only [PAD] and [UNK] are special.
    """
    blank = blank_tokenizer()
    letters: Counter[str] = Counter()
    for text in texts:
        letters.update(blank.normalizer.normalize_str(text))
    known = [(-count, letter) for letter, count in letters.items() if letter.isalnum()]
    alphabet = [letter for _, letter in sorted(known)[:ALPHABET_SIZE]]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=SPECIAL + alphabet + ["##" + letter for letter in alphabet],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    blank.train_from_iterator(texts, trainer)
    return blank_tokenizer(blank.get_vocab())


def subwords(tokenizer: Tokenizer) -> list[str]:
    """Return the vocabulary in the order of its numbers."""
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def encode(tokenizer: Tokenizer, texts: list[str]) -> list[Ids]:
    """Return the subword numbers of each text, cut to ``MAX_TOKENS``."""
    encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
    return [np.array(item.ids[:MAX_TOKENS], dtype=np.int64) for item in encoded]


def encode_sections(tokenizer: Tokenizer, texts: dict[str, int]) -> list[tuple[int, list[Ids]]]:
    """Split sections into sentences of four words or more; keep those that have two or more."""
    split = [(key, [part for part in SENTENCE.split(text) if len(part.split()) >= 4]) for text, key in texts.items()]
    split = [(key, parts) for key, parts in split if len(parts) >= 2]
    flat = iter(encode(tokenizer, [part for _, parts in split for part in parts]))
    return [(key, [next(flat) for _ in parts]) for key, parts in split]


def load_corpus(tokenizer: Tokenizer, pairs: list[Record], sections: list[Record]) -> Corpus:
    """Turn the records into pairs and inverse-cloze sections.

    Templated questions are thinned. Inverse cloze uses the Russian sections and, so that English
    is not left behind, the English passages of the pairs.
    """
    keys: dict[str, int] = {}
    cloze: dict[str, int] = {}
    for record in sections:
        cloze[record["passage"]] = keys.setdefault(record["passage"], len(keys))
    queries = encode(tokenizer, [record["question"] for record in pairs])
    passages = encode(tokenizer, [record["passage"] for record in pairs])
    made, repeats = [], []
    for record, query, passage in zip(pairs, queries, passages, strict=True):
        query_key = keys.setdefault(record["question"], len(keys))
        passage_key = keys.setdefault(record["passage"], len(keys))
        if len(query) and len(passage):
            made.append(Pair(query, passage, query_key, passage_key))
            templated = record["source"] == TEMPLATED
            asked = QUESTION_REPEATS if record["kind"] == "question" else 1.0
            repeats.append(TEMPLATED_SHARE if templated else asked)
        if record["lang"] == "en":
            cloze[record["passage"]] = passage_key
    return Corpus(made, repeats, encode_sections(tokenizer, cloze))


def cloze_pair(section: tuple[int, list[Ids]], rng: np.random.Generator, key: int) -> Pair:
    """Take a random sentence as the query and the rest of its section as the passage."""
    passage_key, sentences = section
    chosen = int(rng.integers(len(sentences)))
    keep = rng.random() < KEEP_SENTENCE
    rest = [part for i, part in enumerate(sentences) if keep or i != chosen]
    return Pair(sentences[chosen], np.concatenate(rest)[:MAX_TOKENS], key, passage_key)


def epoch_batches(corpus: Corpus, rng: np.random.Generator) -> Iterator[list[Pair]]:
    """Yield the shuffled batches of one epoch, with fresh inverse-cloze sentences."""
    items: list[Pair] = []
    for pair, repeats in zip(corpus.pairs, corpus.repeats, strict=True):
        items += [pair] * int(repeats + rng.random())
    for number, section in enumerate(corpus.sections):
        pair = cloze_pair(section, rng, -1 - number)
        if len(pair.query) and len(pair.passage):
            items.append(pair)
    order = rng.permutation(len(items))
    for start in range(0, len(items) - BATCH + 1, BATCH):
        yield [items[i] for i in order[start : start + BATCH]]
