"""What `assistant eval tune` searches: a line a setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assistant.evaluation.chunking import Cut
from assistant.settings import Retrieval


@dataclass(frozen=True)
class Parameter:
    """A setting below `retrieval` and the values to try; `rebuilds` when the word index is made anew for each of them."""

    name: str
    values: tuple[float, ...]
    rebuilds: bool = False

    def of(self, retrieval: Retrieval) -> Any:  # noqa: ANN401 - int or float
        found: Any = retrieval
        for part in self.name.split("."):
            found = getattr(found, part)
        return found

    def exists(self) -> bool:
        try:
            self.of(Retrieval())
        except AttributeError:
            return False
        return True


# The weight of words stays: only the ratio of both orders passages.
PARAMETERS = (
    Parameter("weights.vector", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.4, 2.8, 3.2, 4.0)),
    Parameter("weights.title", (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)),
    Parameter("weights.proximity", (0.0, 0.1, 0.2, 0.3, 0.5)),
    Parameter("candidates", (20, 30, 50, 75, 100)),
    Parameter("bm25_k1", (0.6, 0.9, 1.2, 1.5, 1.8, 2.2), rebuilds=True),
    Parameter("bm25_b", (0.2, 0.4, 0.6, 0.75, 0.9), rebuilds=True),
)
CUTS = (Cut(128, 16), Cut(192, 24), Cut(256, 32), Cut(320, 40), Cut(448, 56))


def known(parameters: tuple[Parameter, ...] = PARAMETERS) -> tuple[Parameter, ...]:
    """Those that this version has settings for."""
    return tuple(parameter for parameter in parameters if parameter.exists())


def changed(retrieval: Retrieval, name: str, value: float) -> Retrieval:
    """The settings with one of them changed, checked as any."""
    tree = retrieval.model_dump()
    branch = tree
    *path, last = name.split(".")
    for part in path:
        branch = branch[part]
    branch[last] = value
    return Retrieval.model_validate(tree)


def differing(a: Retrieval, b: Retrieval) -> Mapping[str, tuple[Any, Any]]:
    """By name: the value in each, where they differ."""
    pairs = {one.name: (one.of(a), one.of(b)) for one in known()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
