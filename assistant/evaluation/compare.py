"""A regression gate: is result B worse than result A beyond noise? Paired by question, over the questions of both."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from assistant.errors import ConfigError
from assistant.evaluation.asking import CONFIGURED, FUSED
from assistant.evaluation.bootstrap import chance_of_no_loss, interval_of, resampled_means
from assistant.evaluation.figures import MAIN, configured

ANSWERS = "answered rightly"  # answered though answerable, refused though not
_LEVEL = 0.025  # a change that does nothing is called worse at most this often, whatever the number of comparisons
_FEWEST = 6  # questions that differ: fewer, all of them worse, happen by chance as well (sign test)

Rows = dict[str, dict[str, Any]]  # a result's questions by id


@dataclass(frozen=True)
class Difference:
    """Of B from A in one figure; `language` is None for all. Only what people get (`counts`) decides the gate."""

    dataset: str
    method: str
    language: str | None
    figure: str
    questions: int
    changed: int
    a: float
    b: float
    difference: float
    interval: list[float]
    no_loss: float
    counts: bool
    verdict: str = "same"


@dataclass(frozen=True)
class Comparison:
    differences: list[Difference]
    left_out: dict[str, int]  # by set: questions that only one of the results has, or that were changed between them

    @property
    def is_worse(self) -> bool:
        return any(one.counts and one.verdict == "worse" for one in self.differences)

    def as_json(self) -> dict[str, Any]:
        return {
            "worse": self.is_worse,
            "left_out": self.left_out,
            "differences": [asdict(one) for one in self.differences],
        }


def compare(first: Path, second: Path) -> Comparison:
    """Raises `ConfigError` when a file is no result of `assistant eval --json`, or both are of different sets."""
    a, b = _results(first), _results(second)
    common = [name for name in a if name in b]
    if not common:
        raise ConfigError(
            f"{first} and {second} are of different sets ({', '.join(a)}; {', '.join(b)}): "
            "compare two results of the same set"
        )
    found: list[Difference] = []
    left_out = {name: 0 for name in (*a, *b) if name not in common}
    for name in left_out:
        left_out[name] = len((a.get(name) or b[name])["per_question"])
    for name in common:
        if a[name].get("corpus") != b[name].get("corpus"):
            raise ConfigError(f"the corpus of '{name}' was changed between the results: evaluate both versions again")
        rows_a, rows_b = _rows(a[name]), _rows(b[name])
        keys = [key for key, row in rows_a.items() if key in rows_b and rows_b[key]["asked"] == row["asked"]]
        if not keys:
            raise ConfigError(f"the results of '{name}' have no question in common: compare results of the same set")
        left_out[name] = len({*rows_a, *rows_b}) - len(keys)
        found += _differences(name, [rows_a[key] for key in keys], [rows_b[key] for key in keys])
    return Comparison(_judged(found), {name: count for name, count in left_out.items() if count})


def _results(file: Path) -> dict[str, dict[str, Any]]:
    """By set; a file holds one result or a list of them."""
    try:
        loaded = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise ConfigError(f"{file} can't be read: {reason}; give a result of `assistant eval SET --json`") from error
    results = loaded if isinstance(loaded, list) else [loaded]
    if not results or not all(isinstance(one, dict) and one.get("dataset") for one in results):
        raise ConfigError(f"{file} is not a result of evaluation: make one with `assistant eval SET --json`")
    if not all(isinstance(one.get("per_question"), list) for one in results):
        raise ConfigError(f"{file} has no figures by question (an older version made it): make it again")
    return {str(one["dataset"]): one for one in results}


def _rows(result: Mapping[str, Any]) -> Rows:
    try:
        return {row["id"]: row for row in result["per_question"] if row["asked"] and row["lang"] and "refused" in row}
    except (KeyError, TypeError) as error:
        raise ConfigError(f"a question of '{result['dataset']}' lacks {error}: make the result again") from error


def _differences(name: str, a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    languages = sorted({row["lang"] for row in a})
    for language in [None, *languages] if len(languages) > 1 else [None]:
        pairs = [(x, y) for x, y in zip(a, b, strict=True) if language in (None, x["lang"])]
        scored = [(x["scores"], y["scores"]) for x, y in pairs if x["answerable"]]
        methods = [method for method in (*FUSED, CONFIGURED) if scored and all(method in s for s in scored[0])]
        for method in methods:
            values = [(x[method][MAIN], y[method][MAIN]) for x, y in scored]
            yield _difference(values, name, method, language, MAIN, counts=False)
        if scored:  # what A's people got against what B's people get: with a reranker in B alone, that is a change too
            of_a, of_b = configured(scored[0][0]), configured(scored[0][1])
            values = [(x[of_a][MAIN], y[of_b][MAIN]) for x, y in scored]
            yield _difference(values, name, "as configured", language, MAIN, counts=True)
        right = [(float(x["refused"] != x["answerable"]), float(y["refused"] != y["answerable"])) for x, y in pairs]
        yield _difference(right, name, "as configured", language, ANSWERS, counts=True)


def _difference(
    values: list[tuple[float, float]], name: str, method: str, language: str | None, figure: str, *, counts: bool
) -> Difference:
    import numpy as np

    a, b = np.array(values, dtype=np.float64).T
    means = resampled_means((b - a)[:, None])
    mean_a, mean_b = round(float(a.mean()), 4), round(float(b.mean()), 4)
    return Difference(
        dataset=name,
        method=method,
        language=language,
        figure=figure,
        questions=len(values),
        changed=int((a != b).sum()),
        a=mean_a,
        b=mean_b,
        difference=round(float((b - a).mean()), 4) + 0.0,
        interval=interval_of(means)[0],
        no_loss=round(chance_of_no_loss(means[:, 0]), 5),
        counts=counts,
    )


def _judged(found: list[Difference]) -> list[Difference]:
    """Many comparisons find something by chance: the level is shared out among those that count (Bonferroni)."""
    level = _LEVEL / max(1, sum(one.counts for one in found))

    def verdict(one: Difference) -> str:
        limit = level if one.counts else _LEVEL
        if one.no_loss <= limit and one.changed >= _FEWEST:
            return "worse"
        return "better" if one.interval[0] > 0 and one.changed >= _FEWEST else "same"

    return [replace(one, verdict=verdict(one)) for one in found]
