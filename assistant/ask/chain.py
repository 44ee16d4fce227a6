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
    """The configured models with a breaker: one that failed rests, then one question at a time finds out whether it is back.

    It rests `retry_seconds`, and no less than the failure cost: a model that hangs is paid for at most half of the time.
    """

    def __init__(self, models: Sequence[ChatModel], *, retry_seconds: float) -> None:
        self.models = list(models)
        self._retry_seconds = retry_seconds
        self._failed: dict[
            int, tuple[float, str]
        ] = {}  # until when, and why; shared by all, and holds nothing of theirs

    async def stream(
        self, build: Callable[[ChatModel], Prompt], *, may_be_empty: bool = False
    ) -> AsyncGenerator[Piece, None]:
        """`Chosen`, pieces of text, `Usage` or `BrokenOff`; nothing when the text is empty and may be.

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
                async with aclosing(self._answer(number, prompt, may_be_empty)) as pieces:
                    async for piece in pieces:
                        if not begun:
                            begun = True
                            yield Chosen(model, prompt, tuple(failures))
                        yield piece
            except ModelUnavailable as error:
                if begun:
                    yield BrokenOff(str(error))
                    return
                failures.append(str(error))
            else:
                return
        if failures and len(too_long) == len(failures):
            raise too_long[-1]
        raise ModelUnavailable("; ".join(failures) or "no language model is configured")

    async def _answer(self, number: int, prompt: Prompt, may_be_empty: bool) -> AsyncGenerator[str | Usage, None]:
        """One model's text from its first word on. Raises `ModelUnavailable`, also for none if it may not be empty."""
        model, start, begun = self.models[number], time.monotonic(), False
        self._probe(number)
        try:
            async with aclosing(model.stream(prompt.messages)) as pieces:
                async for piece in pieces:
                    if not begun and isinstance(piece, str) and piece.strip():
                        begun = True
                        self._failed.pop(number, None)
                    if begun:
                        yield piece
            if not begun and not may_be_empty:
                raise ModelUnavailable(f"{model.name} answered with nothing: see llms.max_answer_tokens, or its log")
        except ModelUnavailable as error:
            if not begun:
                now = time.monotonic()
                self._failed[number] = (now + max(self._retry_seconds, now - start), str(error))
            raise

    def _probe(self, number: int) -> None:
        """Who tries a model that failed holds it for the rest, so that nobody else waits for it meanwhile.

        It ends by itself: the caller may leave before anything is known.
        """
        if number in self._failed:
            limit = max(self._retry_seconds, self.models[number].settings.first_token_seconds)
            self._failed[number] = (time.monotonic() + limit, self._failed[number][1])

    def _resting(self, number: int) -> str | None:
        failed = self._failed.get(number)
        return failed[1] if failed is not None and time.monotonic() < failed[0] else None
