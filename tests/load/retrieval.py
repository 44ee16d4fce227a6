"""The tables of docs/retrieval.md: our retrieval beside its parts, stemmed BM25 alone and plain LlamaIndex.

    python -m tests.load.retrieval FOLDER-OF-SETS [--sample N] [--embedding MODEL [--chunk-size N]]

Markdown on stdout. Our indexes are kept below the storage folder, one for each model; the plain ones are made anew.
For plain LlamaIndex see `tests.load.plain_retrieval`; both get the title before the text and the same embedding.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from assistant.evaluation.asking import documents, gather, opened
from assistant.evaluation.bootstrap import intervals
from assistant.evaluation.chunking import Cut, opened_recut
from assistant.evaluation.datasets import Dataset, Question, read_dataset, sets_in
from assistant.evaluation.metrics import ndcg
from assistant.evaluation.reciprocal_rank import reciprocal_rank
from assistant.settings import Settings, Storage
from assistant.settings_loader import load_settings
from tests.load.plain_retrieval import plain_rankings

if TYPE_CHECKING:
    from assistant.ask.retrieval import Candidates
    from assistant.assistant import Assistant

PASSAGES = 20  # that would reach a reranker
DEPTH = 100  # passages of the baseline: enough for ten documents
_WORD = re.compile(r"\w+")

Rankings = dict[str, list[list[str]]]  # by column: documents of each question, best first


@dataclass(frozen=True)
class Measured:
    dataset: Dataset
    questions: list[Question]
    scores: dict[str, list[float]]  # nDCG@10 by column and question
    recall: dict[str, float]  # of the first 20 passages

    @property
    def language(self) -> str:
        languages = [question.language for question in self.questions]
        return max(set(languages), key=languages.count)

    @property
    def has_single_answers(self) -> bool:
        return fmean(len(question.gold) == 1 for question in self.questions) > 0.95

    def mean(self, column: str) -> float:
        return fmean(self.scores[column])

    def difference(self, column: str, other: str) -> str:
        gains = [[a - b] for a, b in zip(self.scores[column], self.scores[other], strict=True)]
        (low, high), *_ = intervals(gains)
        return f"{fmean(gain for (gain,) in gains):+.3f} ({low:+.3f}, {high:+.3f})"


COLUMNS = {
    "stemmed": "stemmed BM25",
    "bm25": "our BM25",
    "vector": "our vectors",
    "hybrid": "**ours**",
    "rrf": "our lists, RRF",
    "plain_bm25": "plain BM25",
    "plain_vector": "plain vectors",
    "plain": "plain, RRF",
}


def measure(settings: Settings, dataset: Dataset, cut: Cut | None) -> Measured:
    with _opened(settings, dataset, cut) as assistant:
        found = asyncio.run(gather(assistant, dataset, settings.retrieval.candidates))
        questions = [question for question, _ in found]
        candidates = [one for _, one in found]
        rankings, recall = _ours(assistant, candidates, questions)
        rankings["stemmed"] = _stemmed(assistant, questions)
        embed_model = assistant.embed_model()
        k = settings.retrieval.candidates
        with tempfile.TemporaryDirectory(prefix="plain-") as scratch:
            plain = plain_rankings(dataset.corpus or [], questions, embed_model, k, Path(scratch))
    for name, ranked in plain.items():
        rankings[name] = [list(dict.fromkeys(keys)) for keys in ranked]
    recall["plain"] = _recall(plain["plain"], questions)
    scores = {
        name: [ndcg(ranking, question.gold) for ranking, question in zip(rankings[name], questions, strict=True)]
        for name in COLUMNS
    }
    return Measured(dataset, questions, scores, recall)


@contextmanager
def _opened(settings: Settings, dataset: Dataset, cut: Cut | None) -> Iterator[Assistant]:
    if cut is None:
        with opened(settings, dataset) as (assistant, _):
            yield assistant
    else:
        with opened_recut(settings, dataset, cut, settings.storage.path, read={}) as assistant:
            yield assistant


def _ours(
    assistant: Assistant, candidates: Sequence[Candidates], questions: list[Question]
) -> tuple[Rankings, dict[str, float]]:
    from assistant.ask.retrieval import ranked

    settings = assistant.settings.retrieval
    rankings = {
        method: [documents(one, settings, method) for one in candidates] for method in ("bm25", "vector", "hybrid")
    }
    paths = [{key: passage.path for key, passage in one.passages.items()} for one in candidates]
    fused = [reciprocal_rank(one.bm25, one.vector) for one in candidates]
    by_rank = [[path[key] for key in keys] for path, keys in zip(paths, fused, strict=True)]
    rankings["rrf"] = [list(dict.fromkeys(keys)) for keys in by_rank]
    by_sum = [[source.passage.path for source in ranked(one, settings)] for one in candidates]
    return rankings, {"hybrid": _recall(by_sum, questions), "rrf": _recall(by_rank, questions)}


def _recall(passages: list[list[str]], questions: list[Question]) -> float:
    """The share of the gold documents that have a passage among the first 20; `passages` are named by document."""
    pairs = zip(passages, questions, strict=True)
    return fmean(len(set(found[:PASSAGES]) & set(question.gold)) / len(question.gold) for found, question in pairs)


def _stemmed(assistant: Assistant, questions: list[Question]) -> list[list[str]]:
    """BM25 over title and text of our passages, stemmed by script, by the library's defaults.

    Written out here, so that the bar does not move with our own index.
    """
    import bm25s

    views = [view for view in assistant.documents() if view.row.chunks]
    passages = [passage for view in views for passage in assistant.catalog.passages_of(view.row.id)]
    bm25 = bm25s.BM25()
    bm25.index([_stems(f"{one.title}\n{one.text}") or [""] for one in passages], show_progress=False)
    k = min(DEPTH, len(passages))
    found = []
    for question in questions:
        numbers, scores = bm25.retrieve([_stems(question.text) or [""]], k=k, show_progress=False)
        hits = [passages[number].path for number, score in zip(numbers[0], scores[0], strict=True) if score > 0]
        found.append(list(dict.fromkeys(hits)))
    return found


def _stems(text: str) -> list[str]:
    import Stemmer
    from bm25s.stopwords import STOPWORDS_EN_PLUS, STOPWORDS_RUSSIAN

    stemmers = _stems.__dict__.setdefault("stemmers", {name: Stemmer.Stemmer(name) for name in ("russian", "english")})
    stop = _stems.__dict__.setdefault("stop", {*STOPWORDS_RUSSIAN, *STOPWORDS_EN_PLUS})
    found = [word for word in _WORD.findall(text.lower().replace("ё", "е")) if word not in stop]
    return [stemmers["russian" if re.search("[а-я]", word) else "english"].stemWord(word) for word in found]


# --- tables


def show(measured: list[Measured], settings: Settings, sample: int | None, cut: Cut | None) -> None:
    weights = settings.retrieval.weights
    print(
        f"Embedding `{Path(settings.embedding.model).name}`, weights {weights.bm25:g} / {weights.vector:g}, "
        f"{settings.retrieval.candidates} candidates of each search, chunks {cut or 'of the first pipeline'}, "
        f"{f'at most {sample} questions a set' if sample else 'all questions'}; "
        f"llama-index-core {version('llama-index-core')}, bm25s {version('bm25s')}, chromadb {version('chromadb')}.\n"
    )
    _row("nDCG@10", "lang", "questions", *COLUMNS.values())
    _row("---", "---", *["---:"] * (len(COLUMNS) + 1))
    for one in measured:
        figures = (f"{one.mean(name):.3f}" for name in COLUMNS)
        _row(one.dataset.name, one.language, str(len(one.questions)), *figures)
    for language, part in _by_language(measured):
        means = (f"**{fmean(one.mean(name) for one in part):.3f}**" for name in COLUMNS)
        _row(f"**mean {language}**", language, f"{len(part)} sets", *means)
    print(
        "\nWhat ours gains, with 95 % intervals over questions; recall of the 20 passages that a reranker would get.\n"
    )
    _row("", "ours - stemmed BM25", "ours - plain", "sum - RRF", "recall@20 ours", "RRF", "plain", "single answers")
    _row("---", *["---:"] * 7)
    for one in measured:
        gains = [one.difference("hybrid", other) for other in ("stemmed", "plain", "rrf")]
        recall = [f"{one.recall[name]:.3f}" for name in ("hybrid", "rrf", "plain")]
        _row(one.dataset.name, *gains, *recall, "yes" if one.has_single_answers else "")
    for language, part in _by_language(measured):
        gains = [
            f"**{fmean(one.mean('hybrid') - one.mean(other) for one in part):+.3f}**"
            for other in ("stemmed", "plain", "rrf")
        ]
        recall = [f"**{fmean(one.recall[name] for one in part):.3f}**" for name in ("hybrid", "rrf", "plain")]
        _row(f"**mean {language}**", *gains, *recall, "")
    if single := [one for one in measured if one.has_single_answers]:
        recall = [f"**{fmean(one.recall[name] for one in single):.3f}**" for name in ("hybrid", "rrf", "plain")]
        _row("**mean, single answers**", "", "", "", *recall, f"{len(single)} sets")


def _by_language(measured: list[Measured]) -> list[tuple[str, list[Measured]]]:
    languages = sorted({one.language for one in measured}, reverse=True)
    return [(language, [one for one in measured if one.language == language]) for language in languages]


def _row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder of labelled sets, or one set")
    parser.add_argument("--sample", type=int, help="at most so many questions a set, always the same ones")
    parser.add_argument("--embedding", help="another embedding model: its folder")
    parser.add_argument("--chunk-size", type=int, help="tokens of a chunk, where the model's window is small")
    parser.add_argument("--only", nargs="*", help="names of sets")
    options = parser.parse_args()
    settings, cut = load_settings(), options.chunk_size and Cut(options.chunk_size, options.chunk_size // 8)
    changes: dict[str, Any] = {}
    if options.embedding:
        changes["embedding"] = settings.embedding.model_copy(update={"model": options.embedding})
        changes["storage"] = Storage(path=settings.storage.path / "eval" / f"model-{Path(options.embedding).name}")
    settings = settings.model_copy(update=changes)
    folders = sets_in(options.folder) or [options.folder]
    datasets = [read_dataset(folder) for folder in folders if not options.only or folder.name in options.only]
    measured = []
    for dataset in (one.sampled(options.sample) for one in datasets):
        if dataset.corpus is None or not any(question.gold for question in dataset.questions):
            print(f"{dataset.name}: left out, it has no corpus or no answers", file=sys.stderr)
            continue
        print(f"… {dataset.name}", file=sys.stderr, flush=True)
        measured.append(measure(settings, dataset, cut))
    show(measured, settings, options.sample, cut)


if __name__ == "__main__":
    main()
