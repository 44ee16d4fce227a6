"""What the notebooks need beside plots: the company's store or the sample, other cuts of it, other weights over it."""

from __future__ import annotations

import asyncio
import difflib
import os
import re
import tempfile
import warnings
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from assistant import resources
from assistant.access.principal import LOCAL_OPERATOR
from assistant.errors import IndexNotReady
from assistant.evaluation.asking import Outcome, absent, ask_all, documents, gather
from assistant.evaluation.chunking import Cut, ReadItems, cut_of, opened_recut, pipelines_of, read_documents, recut
from assistant.evaluation.datasets import Dataset, Question, read_dataset
from assistant.evaluation.metrics import METRICS, percentile, score
from assistant.settings import Retrieval, Settings

if TYPE_CHECKING:
    from assistant.ask.retrieval import Candidates
    from assistant.assistant import Assistant

_DEPTH = 100  # passages of each search: other numbers up to it are tried in memory

Found = TypeVar("Found")


class Workbench:
    """Over one labelled set. Nothing is written but into a temporary folder, which `close` removes."""

    def __init__(self, settings: Settings, dataset: Dataset) -> None:
        self.settings = settings
        self.dataset = dataset
        self._scratch = tempfile.TemporaryDirectory(prefix="assistant-notebook-")
        self.scratch = Path(self._scratch.name)

    def close(self) -> None:
        self._scratch.cleanup()

    @cached_property
    def uses_company_store(self) -> bool:
        """Whether the company's own store holds documents that the set asks for; otherwise the sample is indexed apart."""
        from assistant.wiring import build

        storage = self.settings.storage.path.expanduser().resolve()
        if self.settings.database.url is None and not (storage / "assistant.db").exists():
            return False  # to look into it would make it
        with build(self.settings) as assistant:
            try:
                absent(assistant, self.dataset)
            except IndexNotReady:
                return False
        return True

    @property
    def place(self) -> str:
        if self.uses_company_store:
            return f"the company's own store in {self.settings.storage.path}, which is only read"
        return f"the documents of {', '.join(self.settings.ingest.pipelines)}, indexed apart in {self.scratch}"

    @property
    def present_cut(self) -> Cut:
        return cut_of(pipelines_of(self.settings)[0])

    @contextmanager
    def opened(self, cut: Cut | None = None) -> Iterator[Assistant]:
        """The store as it is, or the same documents cut otherwise, apart."""
        from assistant.wiring import build

        if cut is None and self.uses_company_store:
            with build(self.settings) as assistant:
                yield assistant
        else:
            used = cut or self.present_cut
            with opened_recut(self.settings, self.dataset, used, self.scratch, read=self._read) as assistant:
                yield assistant

    @cached_property
    def _read(self) -> ReadItems:
        return read_documents(self.settings)

    # --- asking

    @cached_property
    def candidates(self) -> list[tuple[Question, Candidates]]:
        """Of every question that has an answer, from the store as it is."""
        with self.opened() as assistant:
            return _run(gather(assistant, self.dataset, _DEPTH))

    def outcomes(self, cut: Cut | None = None) -> list[Outcome]:
        """What people would get for every question, also those that have no answer."""
        with self.opened(cut) as assistant:
            assistant.warm_up()
            return _run(ask_all(assistant, self.dataset))

    def figures(self, retrieval: Retrieval | None = None, *, method: str = "hybrid") -> dict[str, float]:
        """The mean of each metric with these settings, in memory."""
        used = retrieval or self.settings.retrieval
        return _means(
            (question, documents(found.first(used.candidates), used, method)) for question, found in self.candidates
        )

    def figures_by_rank(self, k: int | None = None) -> dict[str, float]:
        """The same for reciprocal rank fusion of the same two lists."""
        from assistant.evaluation.reciprocal_rank import reciprocal_rank

        rows = []
        for question, found in self.candidates:
            first = found.first(k or self.settings.retrieval.candidates)
            paths = [found.passages[key].path for key in reciprocal_rank(first.bm25, first.vector)]
            rows.append((question, list(dict.fromkeys(paths))))
        return _means(rows)

    def latencies(self, ks: Sequence[int], questions: int = 40) -> list[dict[str, float]]:
        """Milliseconds of a search, embedding included, by how many passages each search gives."""
        texts = [question.text for question in self.dataset.questions[:questions]]

        async def ask(assistant: Assistant, k: int) -> list[float]:
            times = []
            for text in texts:
                start = perf_counter()
                await assistant.retriever.candidates(text, LOCAL_OPERATOR, k=k)
                times.append((perf_counter() - start) * 1000)
            return times

        with self.opened() as assistant:
            assistant.warm_up()
            _run(ask(assistant, ks[0]))
            found = [(k, _run(ask(assistant, k))) for k in ks]
        return [{"k": k, "p50": percentile(times, 0.5) or 0, "p95": percentile(times, 0.95) or 0} for k, times in found]

    def cuts(self, cuts: Sequence[Cut]) -> list[dict[str, Any]]:
        """For each: the metrics of the configured retrieval, passages, size of the index in MB, seconds it took."""
        rows = []
        for cut in cuts:
            start = perf_counter()
            with self.opened(cut) as assistant:
                seconds = perf_counter() - start
                found = _run(gather(assistant, self.dataset, self.settings.retrieval.candidates))
                passages = sum(assistant.catalog.chunk_counts().values())
                size = _megabytes(assistant.settings.storage.path)
            figures = _means((question, documents(one, self.settings.retrieval)) for question, one in found)
            rows.append(
                {"cut": str(cut), **figures, "passages": passages, "index_mb": size, "seconds": round(seconds, 1)}
            )
        return rows

    # --- what to do with it

    def write_pipeline(self, cut: Cut) -> tuple[Path, str]:
        """A pipeline with this cut in a temporary file, and how it differs from the configured one."""
        pipeline = pipelines_of(self.settings)[0]
        return _written(pipeline, recut(pipeline, cut), self.scratch / f"proposed-{pipeline.name}")

    def write_settings(self, retrieval: Retrieval) -> tuple[Path, str]:
        """configs/default.yaml with these weights in a temporary file, and the difference."""
        original, weights = resources.require("configs/default.yaml", "the profile"), retrieval.weights
        shown = f"weights: {{{', '.join(f'{name}: {value:g}' for name, value in weights)}}}"
        text = re.sub(r"weights: *\{[^}]*\}", shown, original.read_text("utf-8"))
        return _written(original, text, self.scratch / "proposed-settings.yaml")


def open_workbench(folder: str | Path = "data/eval", profile: str | None = None) -> Workbench:
    """With the settings of a profile. From `notebooks/` it goes up to the checkout, where relative paths begin."""
    from assistant.settings_loader import load_settings

    warnings.filterwarnings("ignore", message="IProgress not found")  # a bar of the model's library wants a widget
    if Path.cwd().name == "notebooks":
        os.chdir("..")
    return Workbench(load_settings(profile), read_dataset(Path(folder)))


def _written(original: Path, text: str, file: Path) -> tuple[Path, str]:
    file.write_text(text, "utf-8")
    lines = (original.read_text("utf-8").splitlines(), text.splitlines())
    return file, "\n".join(
        difflib.unified_diff(*lines, f"{original.parent.name}/{original.name}", str(file), lineterm="", n=1)
    )


def _run(work: Coroutine[Any, Any, Found]) -> Found:
    """In a thread of its own: a notebook's kernel has an event loop running already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def _means(rankings: Iterable[tuple[Question, list[str]]]) -> dict[str, float]:
    scores = [score(ranking, question.gold) for question, ranking in rankings]
    return {name: round(fmean(one[name] for one in scores), 4) for name in METRICS}


def _megabytes(storage: Path) -> float:
    """Of vectors and word index; the write-ahead part of Chroma's database included."""
    files = [file for part in ("chroma", "bm25") for file in (storage / part).rglob("*") if file.is_file()]
    return round(sum(file.stat().st_size for file in files) / 1e6, 2)
