"""Language models in their order: each is tried when the one before it is down, slow or out of memory."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from assistant.ask.prompt import Prompt
from assistant.errors import InvalidQuestion, ModelUnavailable
from assistant.parts.llms import ChatModel, Usage


@dataclass(frozen=True)
class Chosen:
    """The model that answers, its prompt, and why the ones before it do not."""

    model: ChatModel
    prompt: Prompt
    failures: tuple[str, ...]


@dataclass(frozen=True)
class BrokenOff:
    """The model stopped in the middle; what it has said stands."""

    reason: str


Piece = Chosen | str | Usage | BrokenOff


class Chain:
    """The configured models with a breaker: one that failed is not tried again for `retry_seconds`."""

    def __init__(self, models: Sequence[ChatModel], *, retry_seconds: float) -> None:
        self.models = list(models)
        self._retry_seconds = retry_seconds
        self._failed: dict[int, tuple[float, str]] = {}  # shared by all who ask, and holds nothing of theirs

    async def stream(self, build: Callable[[ChatModel], Prompt]) -> AsyncGenerator[Piece, None]:
        """`Chosen`, pieces of text, `Usage` or `BrokenOff`.

        Raises `ModelUnavailable` when no model gives a first piece, `InvalidQuestion` when it is too long for each of them.
        """
        failures: list[str] = []
        too_long: list[InvalidQuestion] = []
        for number, model in enumerate(self.models):
            resting = self._resting(number)
            if resting is not None:
                failures.append(resting)
                continue
            try:
                prompt = build(model)
            except InvalidQuestion as error:
                too_long.append(error)
                failures.append(f"{model.name}: {error}")
                continue
            begun = False
            try:
                async with aclosing(model.stream(prompt.messages)) as pieces:
                    async for piece in pieces:
                        if not begun:
                            begun = True
                            self._failed.pop(number, None)
                            yield Chosen(model, prompt, tuple(failures))
                        yield piece
            except ModelUnavailable as error:
                if begun:
                    yield BrokenOff(str(error))
                    return
                self._failed[number] = (time.monotonic(), str(error))
                failures.append(str(error))
            else:
                return
        if failures and len(too_long) == len(failures):
            raise too_long[-1]
        raise ModelUnavailable("; ".join(failures) or "no language model is configured")

    def _resting(self, number: int) -> str | None:
        failed = self._failed.get(number)
        if failed is None or time.monotonic() - failed[0] > self._retry_seconds:
            return None
        return failed[1]
