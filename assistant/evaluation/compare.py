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

OVER_SETS = "mean over sets"

Rows = dict[str, dict[str, Any]]  # a result's questions by id
Pairs = list[tuple[dict[str, Any], dict[str, Any]]]  # a question's row in A and in B


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
    pairs: dict[str, Pairs] = {}
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
        pairs[name] = [(rows_a[key], rows_b[key]) for key in keys]
    found = [one for name, part in pairs.items() for one in _differences(name, [part])]
    if len(pairs) > 1:
        found += [one for one in _differences(OVER_SETS, list(pairs.values())) if one.counts]
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


def _differences(name: str, sets: Sequence[Pairs]) -> Iterator[Difference]:
    """Of one set, or of the mean over several."""
    languages = sorted({x["lang"] for pairs in sets for x, _ in pairs})
    for language in [None, *languages] if len(languages) > 1 else [None]:
        parts = [[pair for pair in pairs if language in (None, pair[0]["lang"])] for pairs in sets]
        scored = [[(x["scores"], y["scores"]) for x, y in part if x["answerable"]] for part in parts]
        first = next((part[0] for part in scored if part), None)
        for method in (*FUSED, CONFIGURED) if first else ():
            if all(method in scores for scores in first or ()):
                values = [[(x[method][MAIN], y[method][MAIN]) for x, y in part] for part in scored]
                yield _difference(values, name, method, language, MAIN, counts=False)
        if first:  # what A's people got against what B's people get: with a reranker in B alone, that is a change too
            of_a, of_b = configured(first[0]), configured(first[1])
            values = [[(x[of_a][MAIN], y[of_b][MAIN]) for x, y in part] for part in scored]
            yield _difference(values, name, "as configured", language, MAIN, counts=True)
        right = [
            [(float(x["refused"] != x["answerable"]), float(y["refused"] != y["answerable"])) for x, y in part]
            for part in parts
        ]
        yield _difference(right, name, "as configured", language, ANSWERS, counts=True)


def _difference(
    sets: list[list[tuple[float, float]]], name: str, method: str, language: str | None, figure: str, *, counts: bool
) -> Difference:
    """Each set is resampled by itself, and counts as much as any other."""
    import numpy as np

    values = [np.array(part, dtype=np.float64) for part in sets if part]
    drawn = [resampled_means(part[:, 1:] - part[:, :1], number) for number, part in enumerate(values)]
    means = np.mean(drawn, axis=0)
    a, b = np.mean([part.mean(axis=0) for part in values], axis=0)
    return Difference(
        dataset=name,
        method=method,
        language=language,
        figure=figure,
        questions=sum(len(part) for part in values),
        changed=sum(int((part[:, 0] != part[:, 1]).sum()) for part in values),
        a=round(float(a), 4),
        b=round(float(b), 4),
        difference=round(float(b - a), 4) + 0.0,
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
