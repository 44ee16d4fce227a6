"""`verify`: plants a canary in every access class, asks every path for it as every kind of person, and cleans up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

from assistant.assistant import Assistant
from assistant.ingest.lock import one_at_a_time
from assistant.settings import Llm, Settings
from assistant.settings_security import LocalAccounts
from assistant.verification.canaries import NAME, Canary, clear, plant
from assistant.verification.history import Talk, others, talk_and_lose
from assistant.verification.people import Kind, Person, enter, kinds
from assistant.verification.probes import Asker
from assistant.verification.report import Report

if TYPE_CHECKING:
    from starlette.types import ASGIApp

Say = Callable[[str], None]
_LIMITS = ("per_minute", "per_day", "address_per_minute", "address_per_day", "concurrent_answers")
_ANY_COVERAGE = 0.01  # an answer is made of whatever is found: a refusal would hide what it was found


def settings_for(settings: Settings) -> Settings:
    """The same store and rules; answers are quoted, so that no language model is asked a thousand times, and not limited.

    Its own people have local accounts and sign in with them, in this process, where the company lets nobody do so.
    """
    retrieval = settings.retrieval.model_copy(update={"min_coverage": _ANY_COVERAGE})
    limits = settings.limits.model_copy(update=dict.fromkeys(_LIMITS, 0))
    auth = settings.auth.model_copy(update={"local": LocalAccounts()})
    changed = {"llms": [Llm(provider="extractive")], "retrieval": retrieval, "limits": limits, "auth": auth}
    return settings.model_copy(update=changed)


def verify(assistant: Assistant, app: ASGIApp, *, say: Say = lambda _line: None) -> Report:
    """The assistant is one built with `settings_for`, `app` the whole web side over it. One check at a time."""
    lock = assistant.settings.storage.path.expanduser().resolve() / "run" / f"{NAME}.lock"
    start = perf_counter()
    with one_at_a_time(lock, lambda: say("waiting for another check of this storage to finish …")):
        clear(assistant)
        try:
            canaries = plant(assistant)
            say(f"{len(canaries)} canary documents are loaded")
            report = asyncio.run(_ask_all(assistant, app, canaries, say))
        finally:
            clear(assistant)
    report.seconds = perf_counter() - start
    return report


async def _ask_all(assistant: Assistant, app: ASGIApp, canaries: list[Canary], say: Say) -> Report:
    access = assistant.settings.access
    report = Report(frozenset(access.everyone), access.everyone_level)
    people = kinds(canaries)
    report.classes = [canary.name for canary in canaries]
    report.kinds = [kind.name for kind in people]
    talks = await _histories(assistant, app, canaries, report)
    report.kinds += sorted({name for _, name in report.checks} - set(report.kinds))
    for number, kind in enumerate(people):
        say(f"{number + 1}/{len(people)} {kind.name}")
        person = await asyncio.to_thread(enter, assistant, kind, number)
        await _as_one(Asker(assistant, app, person, canaries, report), talks)
    return report


async def _histories(assistant: Assistant, app: ASGIApp, canaries: list[Canary], report: Report) -> list[Talk]:
    movers = []
    for number, canary in enumerate(canaries):
        one = canary.access_class
        kind = Kind("had the class", (one.department,), one.level)
        person: Person = await asyncio.to_thread(enter, assistant, kind, 100_000 + number)
        movers.append(Asker(assistant, app, person, [canary], report))
    return await talk_and_lose(assistant, movers, report)


async def _as_one(asker: Asker, talks: list[Talk]) -> None:
    await asker.all()
    async with asker.client() as client:
        await others(client, asker.kind, talks, asker.report)
