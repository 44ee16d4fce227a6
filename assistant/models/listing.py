"""`assistant models list`: what the configuration and the profiles name, and what of it is on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from assistant.parts.llms import EXTRACTIVE, LLMS, without_userinfo
from assistant.parts.model_files import find, is_hub_name
from assistant.settings import Llm, Settings
from assistant.settings_loader import shipped_profiles

IN_FORCE = "in force"
Kind = Literal["embedding", "reranker", "llm"]


@dataclass
class ListedModel:
    """`used_by`: profiles, and "in force"; `size` in bytes, 0 where it is not known; `advice` what to do if it is needed."""

    kind: Kind
    name: str
    state: Literal["complete", "incomplete", "absent"]
    place: str = ""
    path: str = ""
    size: int = 0
    detail: str = ""
    advice: str = ""
    used_by: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def list_models(settings: Settings) -> list[ListedModel]:
    """Each model once (a language model once a server), those in force first."""
    named: dict[tuple[Kind, Llm], list[str]] = {}
    for profile, each in ({IN_FORCE: settings} | shipped_profiles()).items():
        for key in _named(each):
            named.setdefault(key, []).append(profile)
    found = asyncio.run(_look(list(named), settings.storage.path))
    for model, profiles in zip(found, named.values(), strict=True):
        model.used_by = profiles
    return sorted(found, key=lambda model: IN_FORCE not in model.used_by)


def _named(settings: Settings) -> Iterator[tuple[Kind, Llm]]:
    """Provider, model and address: the same block for all kinds, so that the same model is found twice."""
    if settings.embedding.provider != "hash":
        yield "embedding", Llm(provider=settings.embedding.provider, model=settings.embedding.model)
    if settings.reranker.provider != "none":
        yield "reranker", Llm(provider=settings.reranker.provider, model=settings.reranker.model)
    for llm in settings.llms:
        if llm.provider not in (EXTRACTIVE, "echo"):
            yield "llm", Llm(provider=llm.provider, model=llm.model, url=llm.url, api_key=llm.api_key)


async def _look(named: Sequence[tuple[Kind, Llm]], storage: Path) -> list[ListedModel]:
    async def one(kind: Kind, llm: Llm) -> ListedModel:
        return await _served(llm) if kind == "llm" else _files(kind, llm.model, storage)

    return list(await asyncio.gather(*(one(kind, llm) for kind, llm in named)))


def _files(kind: Kind, name: str, storage: Path) -> ListedModel:
    found = find(name, storage)
    pull = f"assistant models pull {name}" if is_hub_name(name) else "give a folder that holds it"
    if found is None:
        return ListedModel(kind, name, "absent", advice=pull)
    problem = found.problem
    state: Literal["complete", "incomplete"] = "incomplete" if problem else "complete"
    advice = pull if problem else ""
    return ListedModel(kind, name, state, found.place, str(found.folder), found.size, problem, advice)


async def _served(llm: Llm) -> ListedModel:
    model = LLMS.build(llm.provider, settings=llm)
    status = await model.status()
    place = without_userinfo(model.settings.url)
    if status.ok:
        return ListedModel("llm", llm.model, "complete", llm.provider, place, status.size)
    pull = f"assistant models pull {llm.model}" if llm.provider == "ollama" else "that server loads it at its start"
    advice = pull if status.version or llm.provider != "ollama" else f"start Ollama there, then {pull}"
    return ListedModel("llm", llm.model, "absent", llm.provider, place, 0, status.detail, advice)
