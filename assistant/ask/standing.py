"""Editions in an answer: the one in force before those that it replaces, and what each citation says of its date.

Only what the asker may read counts: a newer edition of another access class changes nothing, not even the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from assistant.access.policy import Policy
from assistant.access.principal import Principal
from assistant.ask.events import Source, Standing, Successor
from assistant.index.catalog import Catalog
from assistant.index.succession import DocumentFacts, is_expired, later_editions
from assistant.index.versions import document_day as document_day

Later = Mapping[str, Sequence[DocumentFacts]]


def readable_successors(catalog: Catalog, policy: Policy, principal: Principal, documents: Iterable[str]) -> Later:
    """What replaces each document, the nearest first and the one in force last; only what the principal may read."""
    chains = later_editions(catalog, documents)
    readable = {
        document: [one for one in chain if policy.may_read(principal, one.access_class)]
        for document, chain in chains.items()
    }
    return {document: chain for document, chain in readable.items() if chain}


def in_force_first(found: list[Source], later: Later) -> list[Source]:
    """The best passage of the newest edition found comes before the first one of an edition that it replaces.

    It is lifted to that place and score, and the older one is not sent down below it: where the newer edition has other
    words, both would be lost to what comes between.
    """
    if not later:
        return found
    rest = list(found)
    ordered: list[Source] = []
    while rest:
        source = rest.pop(0)
        newer = [one.id for one in reversed(later.get(source.passage.document, ()))]
        if newer and not any(placed.passage.document in newer for placed in ordered):
            lifted = next((one for key in newer for one in rest if one.passage.document == key), None)
            if lifted is not None:
                rest.remove(lifted)
                ordered.append(replace(lifted, score=source.score))
        ordered.append(source)
    return ordered


def with_standing(sources: Sequence[Source], catalog: Catalog, later: Later) -> list[Source]:
    """The sources, each with its document's date and what replaces it."""
    found = standings({source.passage.document for source in sources}, catalog, later)
    return [replace(source, standing=found.get(source.passage.document, Standing())) for source in sources]


def standings(documents: Iterable[str], catalog: Catalog, later: Later) -> dict[str, Standing]:
    return {key: _standing(one, later.get(key, ())) for key, one in catalog.facts(documents).items()}


def standing_since(day: str | None, one: DocumentFacts, later: Sequence[DocumentFacts]) -> Standing:
    """Of what was quoted when the document was of that day: whether it is still in force."""
    successor = Successor(later[-1].id, later[-1].title, _day(later[-1])) if later else None
    return Standing(day, is_expired(one.details), successor)


def _standing(one: DocumentFacts, later: Sequence[DocumentFacts]) -> Standing:
    return standing_since(_day(one), one, later)


def _day(one: DocumentFacts) -> str | None:
    return document_day(one.title, one.path, one.details)
