"""Bootstrap over questions: how far a figure would move if others of the same kind had been asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

RESAMPLES, SEED = 10_000, 4
_CELLS = 4_000_000  # drawn at once: 64 MB


def resampled_means(values: Values, stream: int = 0) -> Values:
    """(questions, figures) → (`RESAMPLES`, figures): the means over questions drawn with replacement.

    All figures of a resample are of the same questions, so differences between columns are paired. The seed is fixed;
    another `stream` draws others: for sets that are averaged.
    """
    import numpy as np

    questions = len(values)
    chance = np.random.default_rng((SEED, stream))
    parts = []
    for start in range(0, RESAMPLES, rows := max(1, _CELLS // questions)):
        rows = min(rows, RESAMPLES - start)
        drawn = chance.integers(0, questions, size=(rows, questions)) + np.arange(rows)[:, None] * questions
        counts = np.bincount(drawn.ravel(), minlength=rows * questions).reshape(rows, questions)
        parts.append(counts @ values / questions)
    return np.concatenate(parts)


def intervals(values: Sequence[Sequence[float]]) -> list[list[float]]:
    """The 95 % interval [low, high] of each figure's mean; rows are questions, at least one."""
    import numpy as np

    return interval_of(resampled_means(np.array(values, dtype=np.float64)))


def interval_of(means: Values) -> list[list[float]]:
    """The middle 95 % of each column, rounded."""
    import numpy as np

    bounds = np.percentile(means, [2.5, 97.5], axis=0).T
    return [[round(float(low), 4) + 0.0, round(float(high), 4) + 0.0] for low, high in bounds]


def chance_of_no_loss(means: Values) -> float:
    """The share of resampled mean differences (one column) that is not below zero: small when the loss is real."""
    return float((1 + (means >= 0).sum()) / (1 + len(means)))
