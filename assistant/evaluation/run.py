"""`assistant eval`: how well the configured retrieval finds and refuses, on labelled sets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from assistant.evaluation.asking import absent, ask_all, opened
from assistant.evaluation.datasets import Dataset, read_dataset, sets_in
from assistant.evaluation.figures import figures, settings_used
from assistant.evaluation.progress import steps
from assistant.settings import Settings


def evaluate(settings: Settings, place: Path, *, sample: int | None = None) -> dict[str, Any] | list[dict[str, Any]]:
    """The `eval` JSON of a set; a list of them for a folder of sets. Raises as `evaluate_dataset`."""
    folders = sets_in(place)
    if not folders:
        return evaluate_dataset(settings, place, sample=sample)
    datasets = [read_dataset(folder).sampled(sample) for folder in folders]  # a wrong line is said before hours of work
    return [_evaluated(settings, dataset) for dataset in datasets]


def evaluate_dataset(settings: Settings, dataset: Path, *, sample: int | None = None) -> dict[str, Any]:
    """The `eval` JSON. Raises `ConfigError` and `DocumentError` for the set, `IndexNotReady` for an empty store."""
    return _evaluated(settings, read_dataset(dataset).sampled(sample))


def _evaluated(settings: Settings, dataset: Dataset) -> dict[str, Any]:
    with (
        steps() as step,
        opened(settings, dataset, advance=step(f"indexing {dataset.name}")) as (assistant, indexed),
    ):
        assistant.serving.check_model()  # or the figures would be those of another model than the settings say
        missing = absent(assistant, dataset)
        assistant.warm_up()
        outcomes = asyncio.run(ask_all(assistant, dataset, step(f"asking {dataset.name}")))
        documents = assistant.catalog.status_counts().get("indexed", 0)
    return {
        "dataset": dataset.name,
        "questions": len(outcomes),
        "documents": documents,
        **figures(outcomes),
        "settings": settings_used(settings),
        "corpus": dataset.corpus_hash,
        "indexed": indexed,
        "absent": missing,
    }
