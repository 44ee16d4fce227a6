"""A follow-up question is made whole: by a language model where one runs, by a rule where none does or it fails."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import aclosing
from copy import copy
from dataclasses import dataclass

from assistant.access.principal import Principal
from assistant.ask.chain import BrokenOff, Chain, Chosen
from assistant.ask.events import Notice, Turn
from assistant.ask.followup import joined, kind_of, topic_of
from assistant.ask.language import Language, language_of
from assistant.ask.prompt import Prompts, says_no_answer
from assistant.ask.retrieval import Retrieved, Retriever
from assistant.errors import InvalidQuestion, ModelUnavailable
from assistant.index.words import words
from assistant.settings import Retrieval

_TURNS = 3  # of the conversation that the model is shown
_MOST_TURNS, _MOST_ANSWER = 20, 10_000  # turns, and characters of an answer, that are looked at
_MAX_CHARS = 300  # of a whole question; a longer one is an answer
_TOGETHER = 0.9  # share of the words of both questions that one passage has …
_NEARER = (
    0.1  # … or how much nearer the nearest passage comes, when a question that may be whole is taken for a follow-up
)
_LABEL = re.compile(r"^\W*(?:(?:whole |rewritten )?question|(?:полный |переписанный )?вопрос)\s*:\s*", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\b(?:извините|к сожалению|не могу|не умею|sorry|unfortunately|i can(?:no|')t|i am unable|as an ai)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Whole:
    """The question that is searched, and what its asker should know about how it came to be."""

    question: str
    language: Language
    notices: tuple[Notice, ...] = ()


class Rewriter:
    """Looks at the conversation before a question; without one the question stays as it is."""

    def __init__(
        self, *, chain: Chain, prompts: Prompts, retriever: Retriever, settings: Retrieval, seconds: float
    ) -> None:
        self._chain = chain
        self._prompts = prompts
        self._retriever = retriever
        self._limit = settings.max_question_chars
        self._seconds = seconds

    def with_chain(self, chain: Chain) -> Rewriter:
        """The same with other language models, or none: the evaluation compares them."""
        other = copy(self)
        other._chain = chain
        return other

    async def whole(self, question: str, principal: Principal, history: Sequence[Turn]) -> Whole:
        """Raises `IndexNotReady`."""
        history = self._bounded(history)
        language = _language(question, history)
        if not history:
            return Whole(question, language)
        if not self._chain.models:
            return Whole(await self._by_rule(question, principal, history), language)
        try:
            return Whole(await self._by_model(question, history, language), language)
        except (ModelUnavailable, InvalidQuestion, TimeoutError) as error:
            reason = str(error) or f"no whole question within answer.rewrite_seconds ({self._seconds:g} s)"
        by_rule = await self._by_rule(question, principal, history)
        return Whole(by_rule, language, (Notice("rewritten_by_rule", reason),))

    def _bounded(self, history: Sequence[Turn]) -> list[Turn]:
        """No more than a conversation here has: programs send what they like, and all of it is read between two answers."""
        most = self._limit
        return [
            Turn(turn.question[:most], turn.answer[:_MOST_ANSWER], turn.searched[:most])
            for turn in history[-_MOST_TURNS:]
        ]

    async def _by_model(self, question: str, history: Sequence[Turn], language: Language) -> str:
        """Raises `ModelUnavailable`, `InvalidQuestion`, `TimeoutError`, also for what can't be a whole question."""
        text, longest = "", min(max(_MAX_CHARS, 2 * len(question)), self._limit)
        recent = history[-_TURNS:]
        async with (
            asyncio.timeout(self._seconds),
            aclosing(
                self._chain.stream(
                    lambda model: self._prompts.condense(question, recent, language, model.settings), may_be_empty=True
                )
            ) as pieces,
        ):
            async for piece in pieces:
                if isinstance(piece, str):
                    text += piece
                    if len(text) > longest:
                        raise ModelUnavailable(f"the whole question is longer than {longest} characters")
                elif isinstance(piece, BrokenOff):
                    raise ModelUnavailable(piece.reason)
                elif not isinstance(piece, Chosen):
                    break
        found = _LABEL.sub("", text.strip()).strip('"“”«» \n')
        if wrong := _wrong(found, question, recent):
            raise ModelUnavailable(f"{wrong}: {found[:_MAX_CHARS]!r}")
        return found

    async def _by_rule(self, question: str, principal: Principal, history: Sequence[Turn]) -> str:
        kind = kind_of(question)
        if kind == "whole":
            return question
        together = joined(topic_of(history), question, limit=self._limit)
        if kind == "follow-up" or together == question:
            return together
        alone, both = await asyncio.gather(
            self._retriever.retrieve(question, principal), self._retriever.retrieve(together, principal)
        )
        return together if _belong_together(alone, both) else question


def _belong_together(alone: Retrieved, both: Retrieved) -> bool:
    """Whether the documents speak of the short question and the one before it in one place."""
    return both.coverage >= _TOGETHER or both.similarity >= alone.similarity + _NEARER


def _language(question: str, history: Sequence[Turn]) -> Language:
    """A single name («VPN?») is in the language of the conversation."""
    is_name = len(question.split()) == 1 and language_of(question) == "en"
    return language_of(history[-1].question if history and is_name else question)


def _wrong(found: str, question: str, history: Sequence[Turn]) -> str:
    """Why a model's text is no whole question of this conversation; empty if it is one."""
    if not found:
        return "the model wrote no whole question"
    if "\n" in found:
        return "the model wrote more than a question"
    if _REFUSAL.search(found) or says_no_answer(found):
        return "the model refused to write a whole question"
    said = " ".join([question, *(f"{turn.question} {turn.searched} {turn.answer}" for turn in history)])
    known, own = set(words(said)), set(words(found))
    invented = own - known
    if 3 * len(invented) > 2 * len(own) or any(word.isdigit() for word in invented):
        return "the model wrote of something else"
    return ""
