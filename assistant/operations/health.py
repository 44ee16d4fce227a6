"""The state of every part, for `assistant doctor` and `/health`."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import Any, Literal

from assistant import __version__
from assistant.assistant import Assistant
from assistant.errors import AssistantError, ModelUnavailable
from assistant.operations.access_check import last
from assistant.operations.background import Background, StillRunning

State = Literal["ok", "degraded", "down"]
_SECONDS = 5.0  # for one part: one that hangs must not hang the others
_LOADING_SECONDS = 120.0  # the command line loads a model first
_CHROMA_SECONDS = 3.0  # less than a part has, so that its own words are shown
_LEAST_FREE_BYTES = 1 << 30
_OLD = timedelta(days=3)  # of a check that should be made every night

_background = Background()
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PartHealth:
    """One part: `down` means no answers without it, `degraded` that something else stands in for it."""

    name: str
    state: State
    detail: str
    version: str = ""
    advice: str = ""
    latency_ms: float = 0.0


@dataclass(frozen=True)
class Health:
    parts: tuple[PartHealth, ...]

    @property
    def status(self) -> str:
        states = {part.state for part in self.parts}
        return "unhealthy" if "down" in states else "degraded" if "degraded" in states else "healthy"

    def as_json(self, *, detailed: bool = True) -> dict[str, Any]:
        shown = ("state", "detail", "version", "advice", "latency_ms") if detailed else ("state", "latency_ms")
        checks = {part.name: {key: getattr(part, key) for key in shown} for part in self.parts}
        return {"status": self.status, "version": __version__, "checks": checks}


async def examine(assistant: Assistant, *, ask_directories: bool = False) -> Health:
    """Ask every part, side by side, each with a time limit.

    Directories say how the last sign-ins went; asked anew they are for `assistant doctor` alone, since a stranger may
    look at the health as often as he likes.
    """
    await asyncio.to_thread(_import_llama_index)
    local = (
        ("storage", _storage),
        ("database", _database),
        ("chroma", _chroma),
        ("access", _access),
        ("limits", _limits),
        ("bm25", _bm25),
        ("embedding", _embedding),
        ("reranker", _reranker),
        ("ocr", _ocr),
        ("access_verified", _access_verified),
    )
    checks = [_timed(name, _apart(assistant, name, check)) for name, check in local]
    for number, way in enumerate(assistant.accounts.ways):
        check = partial(_directory, number=number, ask=ask_directories)
        checks.append(_timed(f"directory {way.name}", _apart(assistant, f"directory {way.name}", check)))
    checks += [_timed(name, _llm(assistant, number)) for number, name in enumerate(_llm_names(assistant))]
    return Health(tuple(await asyncio.gather(*checks)))


def _import_llama_index() -> None:
    """Once, before the checks run side by side: two threads that both begin to import it find it half made."""
    import llama_index.core  # noqa: F401


def _llm_names(assistant: Assistant) -> list[str]:
    """One name each: the same model may run at two addresses."""
    names, seen = [], Counter[str]()
    for model in assistant.chain.models:
        seen[model.name] += 1
        names.append(f"llm {model.name}" + (f" ({seen[model.name]})" if seen[model.name] > 1 else ""))
    return names


async def _apart(assistant: Assistant, name: str, check: Callable[[Assistant], PartHealth]) -> PartHealth:
    return await _background.run((name, id(assistant)), lambda: check(assistant))


async def _timed(name: str, check: Awaitable[PartHealth]) -> PartHealth:
    start = perf_counter()
    limit = _LOADING_SECONDS if name in ("embedding", "reranker") or name.startswith("directory ") else _SECONDS
    try:
        async with asyncio.timeout(limit):
            found = await check
    except TimeoutError:
        found = PartHealth(name, "down", f"no answer in {limit:.0f} s", advice="restart it")
    except StillRunning as error:
        found = PartHealth(name, "down", str(error), advice="restart it")
    except AssistantError as error:
        found = PartHealth(name, "down", str(error))
    except Exception as error:  # noqa: BLE001 - whatever a part fails of, the others are to be seen
        _log.warning("the check of %s failed", name, exc_info=True)
        reason = str(error).strip().splitlines()
        found = PartHealth(name, "down", f"{type(error).__name__}: {reason[0]}"[:300] if reason else repr(error))
    latency = round((perf_counter() - start) * 1000, 1)
    return PartHealth(name, found.state, found.detail, found.version, found.advice, latency)


def _storage(assistant: Assistant) -> PartHealth:
    path = assistant.settings.storage.path.expanduser().resolve()
    free = shutil.disk_usage(path).free
    detail = f"{path}, {free / (1 << 30):.1f} GiB free"
    if not os.access(path, os.W_OK):
        return PartHealth("storage", "down", f"{path} can't be written", advice="give this account the right to write")
    if free < _LEAST_FREE_BYTES:
        return PartHealth("storage", "degraded", detail, advice="free some disk space: ingest stops when it is full")
    return PartHealth("storage", "ok", detail)


def _database(assistant: Assistant) -> PartHealth:
    counts = assistant.catalog.status_counts()
    indexed, failed = counts.get("indexed", 0), counts.get("failed", 0)
    dialect = "PostgreSQL" if assistant.settings.database_url.startswith("postgresql") else "SQLite"
    detail = f"{dialect}; {indexed} documents indexed, {failed} failed"
    advice = "see `assistant documents list --status failed`" if failed else ""
    return PartHealth("database", "ok", detail, advice=advice)


def _access(assistant: Assistant) -> PartHealth:
    """What groups give; a wrong change is not followed until it is put right."""
    rights = assistant.rights
    if problem := rights.problem:
        return PartHealth("access", "degraded", problem, advice="put the file right: it is read anew within seconds")
    return PartHealth("access", "ok", f"{assistant.settings.access.file}: {len(rights.groups)} groups")


def _limits(assistant: Assistant) -> PartHealth:
    """Where questions and attempts to sign in are counted; while Redis is away, by each server apart."""
    found = assistant.limits.counts.state()
    if found.problem:
        return PartHealth("limits", "degraded", f"counted {found.place}: {found.problem}", advice="start Redis again")
    return PartHealth("limits", "ok", f"counted {found.place}")


def _directory(assistant: Assistant, *, number: int, ask: bool) -> PartHealth:
    """Never down: who is signed in stays for a while, and local accounts and documents don't need it."""
    way = assistant.accounts.ways[number]
    state = way.examine() if ask else way.state()
    return PartHealth(f"directory {way.name}", "ok" if state.ok else "degraded", state.detail, "", state.advice)


def _chroma(assistant: Assistant) -> PartHealth:
    assistant.chroma.client(_CHROMA_SECONDS)  # a dead one is started anew, a frozen one not waited for
    seconds = assistant.chroma.heartbeat(_CHROMA_SECONDS)
    detail = f"{assistant.chroma.url}, heartbeat {seconds * 1000:.0f} ms"
    return PartHealth("chroma", "ok", detail, assistant.chroma.version())


def _bm25(assistant: Assistant) -> PartHealth:
    assistant.serving().search.glossary()  # a wrong one is said here: no question could be asked
    index = assistant.keyword.current()
    if index is None or not len(index.chunks):
        return PartHealth("bm25", "down", "nothing is loaded yet", advice="run `assistant ingest`")
    behind = assistant.catalog.chunks_version() - index.version
    detail = f"{len(index.chunks)} passages"
    if index.store != assistant.catalog.store_id():
        return PartHealth("bm25", "degraded", f"{detail} of another database", advice="run `assistant ingest`")
    if problem := assistant.keyword.problem():
        advice = "start the server again, or run `assistant ingest`"
        return PartHealth("bm25", "degraded", f"{detail}; {problem}", str(index.version), advice)
    if behind:
        advice = "an ingest is running, or was killed: run `assistant ingest`"
        return PartHealth(
            "bm25", "degraded", f"{detail}, {behind} changes behind the catalog", str(index.version), advice
        )
    return PartHealth("bm25", "ok", detail, str(index.version))


def _embedding(assistant: Assistant) -> PartHealth:
    index = assistant.serving()
    chosen, number = index.generation.embedding, f"generation {index.generation.number}"
    try:
        size = len(index.embed_model().get_query_embedding("готово"))
    except ModelUnavailable as error:
        return PartHealth("embedding", "degraded", f"{error}; until then words alone answer", number)
    detail = f"{chosen.name}, {size} dimensions"
    configured = assistant.serving.configured
    if chosen.identity != configured.identity:
        detail += f": what the store was made with; the settings name {configured.name}"
        advice = "run `assistant reindex` to move to that, or set embedding.model back"
        return PartHealth("embedding", "degraded", detail, number, advice)
    return PartHealth("embedding", "ok", detail, number)


def _reranker(assistant: Assistant) -> PartHealth:
    """Late and failed ones since the start: then the fused order was used."""
    if assistant.reranker() is None:
        return PartHealth("reranker", "ok", "none is configured: the fused order stands")
    settings, counts = assistant.settings.reranker, assistant.retriever.reranking.counts
    detail = f"{settings.model or settings.provider}; " + ", ".join(
        f"{counts[what]} {what}" for what in ("done", "late", "skipped", "failed")
    )
    if counts["late"] + counts["skipped"] + counts["failed"] > counts["done"]:
        advice = "fewer reranker.candidates, a GPU, or a larger reranker.budget_ms"
        return PartHealth("reranker", "degraded", detail, advice=advice)
    return PartHealth("reranker", "ok", detail)


def _ocr(assistant: Assistant) -> PartHealth:
    """Never worse than ok: answers do not need it, and who has no scans does not want it."""
    ocr = assistant.settings.ingest.ocr
    if not ocr.enabled:
        return PartHealth("ocr", "ok", "scans are not recognised: ingest.ocr.enabled is false")
    if missing := assistant.missing_ocr_languages():
        packages = ", ".join(f"tesseract-ocr-{language}" for language in missing)
        return PartHealth(
            "ocr", "ok", f"scans can't be recognised: no data for {', '.join(missing)}", "", f"install {packages}"
        )
    return PartHealth("ocr", "ok", f"scans are recognised in {', '.join(ocr.languages)}")


def _access_verified(assistant: Assistant) -> PartHealth:
    """What the last check of who may read what found. A leak takes the whole server out."""
    found, is_nightly = last(assistant.settings.storage.path), bool(assistant.settings.access.verify_at)
    if found is None:
        return PartHealth("access_verified", "ok", "not verified yet", advice="run `assistant access verify`")
    if found.leaks:
        return PartHealth(
            "access_verified", "down", found.sentence, advice="stop the server, and see `assistant access verify`"
        )
    if found.others or (is_nightly and found.is_older(_OLD)):
        return PartHealth("access_verified", "degraded", found.sentence, advice="run `assistant access verify`")
    return PartHealth("access_verified", "ok", found.sentence)


async def _llm(assistant: Assistant, number: int) -> PartHealth:
    model = assistant.chain.models[number]
    status = await model.status()
    if status.ok:
        return PartHealth(model.name, "ok", status.detail, status.version)
    quotes = any(llm.provider == "extractive" for llm in assistant.settings.llms)
    last = number == len(assistant.chain.models) - 1
    advice = "until then the best sentences are quoted" if quotes else "start it, or add another to llms"
    return PartHealth(model.name, "down" if last and not quotes else "degraded", status.detail, status.version, advice)
