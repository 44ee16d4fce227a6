"""`assistant eval tune`: chooses settings on half of the questions, and reports them on the other half.

One parameter after another, the others held, until a round changes nothing. What both searches find for a question is
gathered once; another weight or number of candidates is then a ranking in memory (`asking.documents`).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from assistant.errors import ConfigError
from assistant.evaluation.asking import absent, documents, gather, opened
from assistant.evaluation.bootstrap import interval_of, resampled_means
from assistant.evaluation.chunking import Cut, ReadItems, cut_of, opened_recut, pipelines_of, read_documents
from assistant.evaluation.corpus import refuse_failures
from assistant.evaluation.datasets import Dataset, Question, is_for_choosing, read_dataset, sets_in
from assistant.evaluation.metrics import ndcg
from assistant.evaluation.parameters import CUTS, Parameter, changed, differing, known
from assistant.evaluation.progress import Advance, steps
from assistant.settings import Retrieval, Settings

if TYPE_CHECKING:
    from assistant.ask.retrieval import Candidates

_LEAST = 0.0005  # a smaller gain on the half for choosing is no reason to change a setting
_ROUNDS = 3

Gathered = list[tuple[Question, "Candidates"]]


@dataclass(frozen=True)
class Trial:
    """Settings to try; `cut` None is what the pipelines say."""

    retrieval: Retrieval
    cut: Cut | None = None


@dataclass(frozen=True)
class Change:
    """nDCG@10 of the present and of the proposed settings on the half for reporting."""

    name: str
    questions: int
    present: float
    proposed: float
    difference: float
    interval: list[float]

    def as_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


@dataclass(frozen=True)
class Tuning:
    """What was chosen, from what, and how good it is; `tried` has a line for every trial (setting, value, nDCG@10)."""

    datasets: list[str]
    present: Trial
    proposed: Trial
    present_cut: Cut
    train: tuple[float, float]
    train_questions: int
    tried: list[tuple[str, str, float]]
    changes: list[Change]  # the mean over the sets first, then languages, then sets

    @property
    def is_better(self) -> bool:
        return self.changes[0].interval[0] > 0

    def values(self) -> dict[str, tuple[Any, Any]]:
        """By name: present and proposed value of each setting that would change."""
        found: dict[str, tuple[Any, Any]] = dict(differing(self.present.retrieval, self.proposed.retrieval))
        if self.proposed.cut:
            found["chunk_size/chunk_overlap"] = (str(self.present_cut), str(self.proposed.cut))
        return found

    def present_value(self, name: str) -> str:
        found = next((one for one in known() if one.name == name), None)
        return str(found.of(self.present.retrieval) if found else self.present_cut)

    def as_json(self) -> dict[str, Any]:
        return {
            "datasets": self.datasets,
            "changes": {name: {"present": a, "proposed": b} for name, (a, b) in self.values().items()},
            "train": {"questions": self.train_questions, "present": self.train[0], "proposed": self.train[1]},
            "dev": [change.as_json() for change in self.changes],
            "better_beyond_noise": self.is_better,
            "tried": [{"setting": name, "value": value, "ndcg@10": score} for name, value, score in self.tried],
        }


def tune(
    settings: Settings,
    places: Iterable[Path],
    *,
    chunking: bool = False,
    sample: int | None = None,
    parameters: Sequence[Parameter] | None = None,
    cuts: Sequence[Cut] = CUTS,
) -> Tuning:
    """Search on half of each set's questions. Raises `ConfigError` for sets that are too small to be split."""
    folders = [folder for place in places for folder in (sets_in(place) or [place])]
    datasets = [read_dataset(folder).sampled(sample) for folder in folders]
    if twice := {one.name for one in datasets if [other.name for other in datasets].count(one.name) > 1}:
        raise ConfigError(f"two sets are named '{min(twice)}': rename one of the folders")
    for dataset in datasets:
        if len({is_for_choosing(question) for question in dataset.questions if question.gold}) < 2:
            raise ConfigError(f"'{dataset.name}' has too few questions to be split into halves: add some")
    searched = known() if parameters is None else tuple(parameters)
    present, present_cut = Trial(settings.retrieval), cut_of(pipelines_of(settings)[0])
    with tempfile.TemporaryDirectory(prefix="assistant-tune-") as scratch, steps() as step:
        bench = Bench(settings, datasets, searched, Path(scratch), step)
        others = [cut for cut in cuts if cut != present_cut] if chunking else []
        proposed, tried = _search(bench, present, searched, others)
        return Tuning(
            datasets=[dataset.name for dataset in datasets],
            present=present,
            proposed=proposed,
            present_cut=present_cut,
            train=(round(bench.mean(present), 4), round(bench.mean(proposed), 4)),
            train_questions=sum(len(part) for part in bench.scores(present, choosing=True)),
            tried=tried,
            changes=_changes(bench, present, proposed),
        )


class Bench:
    """What the searches find for each question, gathered once for each word index and each cut, and scored by trial."""

    def __init__(
        self,
        settings: Settings,
        datasets: Sequence[Dataset],
        parameters: Sequence[Parameter],
        scratch: Path,
        step: Callable[[str], Advance],
    ) -> None:
        self.datasets = datasets
        self._settings = settings
        self._rebuilds = [parameter for parameter in parameters if parameter.rebuilds]
        tried = [int(k) for parameter in parameters if parameter.name == "candidates" for k in parameter.values]
        self._k = max([settings.retrieval.candidates, *tried])
        self._scratch = scratch
        self._step = step
        self._gathered: dict[tuple[Any, ...], list[Gathered]] = {}

    def mean(self, trial: Trial) -> float:
        """nDCG@10 on the half for choosing: the mean over the sets, so that a big one does not decide alone."""
        return fmean(fmean(value for _, value in part) for part in self.scores(trial, choosing=True))

    def scores(self, trial: Trial, *, choosing: bool) -> list[list[tuple[Question, float]]]:
        """nDCG@10 of each question of one half, by set."""
        return [
            [
                (question, ndcg(documents(found.first(trial.retrieval.candidates), trial.retrieval), question.gold))
                for question, found in part
                if is_for_choosing(question) == choosing
            ]
            for part in self._of(trial)
        ]

    def _of(self, trial: Trial) -> list[Gathered]:
        words = tuple(parameter.of(trial.retrieval) for parameter in self._rebuilds)
        key = (trial.cut, *words)
        if key not in self._gathered:
            is_present = words == tuple(parameter.of(self._settings.retrieval) for parameter in self._rebuilds)
            self._gathered[key] = [
                self._gather(trial, dataset, None if is_present else self._scratch / f"words-{len(self._gathered)}")
                for dataset in self.datasets
            ]
        return self._gathered[key]

    @cache  # noqa: B019 - a bench lives as long as its search
    def _documents(self) -> ReadItems:
        return read_documents(self._settings)

    def _gather(self, trial: Trial, dataset: Dataset, words: Path | None) -> Gathered:
        settings = self._settings.model_copy(update={"retrieval": trial.retrieval})
        folder = words and words / dataset.name
        advance = self._step(f"searching {dataset.name}")
        if trial.cut is None:
            with opened(settings, dataset, keyword_folder=folder, advance=advance) as (assistant, indexed):
                refuse_failures((indexed or {}).get("failed", []))
                absent(assistant, dataset)
                return asyncio.run(gather(assistant, dataset, self._k, advance))
        root = self._settings.storage.path / "eval" / "cuts"
        read = self._documents() if dataset.corpus is None else {}
        with opened_recut(
            settings, dataset, trial.cut, root, read=read, keyword_folder=folder, advance=advance
        ) as assistant:
            absent(assistant, dataset)
            return asyncio.run(gather(assistant, dataset, self._k, advance))


def _search(
    bench: Bench, present: Trial, parameters: Sequence[Parameter], cuts: Sequence[Cut]
) -> tuple[Trial, list[tuple[str, str, float]]]:
    tried: list[tuple[str, str, float]] = []
    best, best_score = present, bench.mean(present)
    for _ in range(_ROUNDS):
        before = best
        for name, trials in _lines(parameters, cuts):
            start = best
            for value, trial in trials(start):
                score = bench.mean(trial)
                tried.append((name, value, round(score, 4)))
                if score > best_score + _LEAST:
                    best, best_score = trial, score
        if best == before:
            break
    return best, tried


Line = tuple[str, Callable[[Trial], list[tuple[str, Trial]]]]


def _lines(parameters: Sequence[Parameter], cuts: Sequence[Cut]) -> list[Line]:
    """The name of each setting, and a function to the trials that differ from a given one in it."""

    def varied(parameter: Parameter) -> Line:
        def trials(start: Trial) -> list[tuple[str, Trial]]:
            values = [value for value in parameter.values if value != parameter.of(start.retrieval)]
            found = ((value, changed(start.retrieval, parameter.name, value)) for value in values)
            return [(f"{value:g}", replace(start, retrieval=retrieval)) for value, retrieval in found]

        return parameter.name, trials

    def otherwise(start: Trial) -> list[tuple[str, Trial]]:
        return [(str(cut), replace(start, cut=cut)) for cut in cuts if cut != start.cut]

    lines = [varied(parameter) for parameter in parameters]
    return [*lines, ("chunk_size/chunk_overlap", otherwise)] if cuts else lines


def _changes(bench: Bench, present: Trial, proposed: Trial) -> list[Change]:
    import numpy as np

    pairs = [
        [(question, a, b) for (question, a), (_, b) in zip(*parts, strict=True)]
        for parts in zip(*(bench.scores(trial, choosing=False) for trial in (present, proposed)), strict=True)
    ]

    def change(name: str, sets: Sequence[Sequence[tuple[Question, float, float]]]) -> Change:
        """The mean over the sets; each is resampled by itself."""
        values = [np.array([(a, b) for _, a, b in part]) for part in sets if part]
        means = np.mean([resampled_means(part, number) for number, part in enumerate(values)], axis=0)
        a, b = np.mean([part.mean(axis=0) for part in values], axis=0)
        return Change(
            name,
            sum(len(part) for part in values),
            round(float(a), 4),
            round(float(b), 4),
            round(float(b - a), 4) + 0.0,
            interval_of((means[:, 1] - means[:, 0])[:, None])[0],
        )

    languages = sorted({question.language for part in pairs for question, *_ in part})
    found = [change("mean over the sets" if len(pairs) > 1 else "all", pairs)]
    for language in languages if len(languages) > 1 else []:
        found.append(change(language, [[row for row in part if row[0].language == language] for part in pairs]))
    if len(pairs) > 1:
        found += [change(dataset.name, [part]) for dataset, part in zip(bench.datasets, pairs, strict=True)]
    return found
