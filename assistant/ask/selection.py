"""Which passages an answer is made from: the best, none of them nearly the same as a better one."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

from assistant.ask.events import Source
from assistant.index.catalog import Passage

_SAME = 0.9  # share of the words of both that they have in common (Jaccard)


def distinct(
    found: Sequence[Source], limit: int, words_of: Callable[[Passage], frozenset[str]], *, kept: Container[str] = ()
) -> list[Source]:
    """The best `limit` that say different things: copies of a text would take the places of what else there is.

    Documents in `kept` (editions that were replaced: the reader shall see that) are never left out.
    """
    chosen: list[tuple[Source, frozenset[str]]] = []
    for source in found:
        if len(chosen) == limit:
            break
        has = words_of(source.passage)
        if source.passage.document in kept or not any(_nearly_same(has, other) for _, other in chosen):
            chosen.append((source, has))
    return [source for source, _ in chosen]


def _nearly_same(one: frozenset[str], other: frozenset[str]) -> bool:
    """Not when a number differs: 700 roubles are not 1500."""
    is_alike = len(one & other) >= _SAME * len(one | other) > 0
    return is_alike and not any(letter.isdigit() for word in one ^ other for letter in word)
