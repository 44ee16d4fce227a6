"""JOURNEY 2, a question out: retrieve → Step → Sources → cleaned tokens → Finished. One page: `stream`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from time import perf_counter

from assistant.access.principal import Principal
from assistant.ask.chain import BrokenOff, Chain, Chosen
from assistant.ask.citations import CitationFilter
from assistant.ask.cleaning import AnswerCleaner
from assistant.ask.events import Event, Finished, Notice, Source, Sources, Span, Step, Token, Turn
from assistant.ask.extractive import Quote, choose_quotes, is_table
from assistant.ask.language import Language, language_of
from assistant.ask.prompt import NO_ANSWER, Prompt, Prompts, least_tokens, says_no_answer
from assistant.ask.retrieval import Retrieved, Retriever
from assistant.ask.rewrite import Rewriter
from assistant.ask.support import SupportCheck
from assistant.errors import ModelUnavailable
from assistant.index.search import Search
from assistant.parts.llms import EXTRACTIVE, ChatModel, Usage
from assistant.settings import Answer

_NEAREST = 3  # documents that are shown where none has the answer


class AskService:
    """Answers questions from the documents that the asker may read."""

    def __init__(
        self,
        *,
        settings: Answer,
        rewriter: Rewriter,
        retriever: Retriever,
        search: Search,
        chain: Chain,
        prompts: Prompts,
        check: SupportCheck,
        quotes: bool,
    ) -> None:
        self._settings = settings
        self.rewriter = rewriter
        self._retriever = retriever
        self._search = search
        self._chain = chain
        self._prompts = prompts
        self.check = check
        self._quotes = quotes  # whether `llms` ends with the extractive answerer

    async def stream(
        self,
        question: str,
        principal: Principal,
        history: Sequence[Turn] = (),
    ) -> AsyncGenerator[Event, None]:
        """Events in the order Step, (Notice), Sources, Token …, Finished. `history` is the conversation, oldest first.

        Raises `InvalidQuestion`, `IndexNotReady`, and `ModelUnavailable` when no model answers and quoting is off.
        """
        begun = perf_counter()
        asked = self._retriever.checked(question)
        whole = await self.rewriter.whole(asked, principal, history)
        start = perf_counter()
        retrieved = await self._retriever.retrieve(whole.question, principal)
        retrieval_ms = _ms(start)
        question = retrieved.question  # typed in the wrong layout, it is answered as it was meant
        language = language_of(question) if whole.question == asked else whole.language
        yield Step(whole.question, retrieved.sources, retrieved.documents, retrieval_ms / 1000, asked)
        rewriting = {"rewrite": round((start - begun) * 1000, 2)} if history else {}
        answer = _Answer(language, {**rewriting, "retrieval": retrieval_ms, **retrieved.timings_ms})
        for notice in (*whole.notices, *retrieved.notices):
            yield answer.note(notice)
        if not retrieved.answerable:
            yield Sources(())
            yield answer.say(NO_ANSWER[language])
        else:
            try:
                async with aclosing(self._generate(question, retrieved, answer)) as events:
                    async for event in events:
                        yield event
                if unchecked := await self._mark(answer):
                    yield unchecked
            except ModelUnavailable as error:
                if not self._quotes:
                    raise
                for event in await self._quote(question, retrieved, answer, str(error)):
                    yield event
        answer.timings["total"] = _ms(begun)
        yield answer.finished(nearest=retrieved.sources)

    async def _generate(self, question: str, retrieved: Retrieved, answer: _Answer) -> AsyncGenerator[Event, None]:
        """The language model's answer. Raises `ModelUnavailable` when none gives a first piece."""

        def build(model: ChatModel) -> Prompt:
            return self._prompts.build(
                question.strip(),
                retrieved.sources,
                language=answer.language,
                context_window=model.settings.context_window,
                answer_tokens=model.settings.max_answer_tokens,
            )

        start = perf_counter()
        prompt: Prompt | None = None
        context = 0
        async with aclosing(self._chain.stream(build)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Chosen):
                    prompt, context = piece.prompt, piece.model.settings.context_window
                    answer.timings["first_token"] = _ms(start)
                    for event in answer.begin(piece, len(retrieved.sources)):
                        yield event
                elif isinstance(piece, str):
                    if text := answer.cleaner.feed(piece):
                        yield answer.say(text)
                elif isinstance(piece, BrokenOff):
                    answer.citations.finish()  # the beginning of a marker that never came
                    yield answer.note(Notice("broken_off", piece.reason))
                elif prompt is not None:
                    answer.usage = piece
                    for notice in _cuts(piece, prompt, context):
                        yield answer.note(notice)
        if held := answer.cleaner.finish():
            yield answer.say(held)
        if answer.uncited:
            yield answer.note(Notice("uncited"))

    async def _mark(self, answer: _Answer) -> Notice | None:
        """Finds what no source supports. Of quotes there is nothing to find: they stand in the sources."""
        start = perf_counter()
        try:
            answer.unsupported = await asyncio.to_thread(self.check.unsupported, answer.text, answer.sources)
        except ModelUnavailable as error:
            return answer.note(Notice("unchecked", str(error)))
        answer.timings["check_support"] = _ms(start)
        return None

    async def _quote(self, question: str, retrieved: Retrieved, answer: _Answer, reason: str) -> list[Event]:
        """The best sentences of the best passages, each with its number."""
        quotes = await asyncio.to_thread(self._choose, question, retrieved.sources)
        numbers = {quote.source.n for quote in quotes}
        answer.model = EXTRACTIVE
        answer.sources = tuple(source for source in retrieved.sources if source.n in numbers)
        answer.cleaner = AnswerCleaner(CitationFilter(numbers))
        events: list[Event] = [answer.note(Notice("extractive", reason)), Sources(answer.sources)]
        for number, quote in enumerate(quotes):
            before = "" if number == 0 else "\n\n"
            behind = "\n\n" if is_table(quote.text) else " "
            text = f"{before}{unmarked(quote.text)}{behind}[{quote.source.n}]"
            events.append(answer.say(answer.cleaner.feed(text)))
        last = answer.cleaner.finish() if quotes else NO_ANSWER[answer.language]
        return [*events, answer.say(last)] if last else events

    def _choose(self, question: str, sources: Sequence[Source]) -> list[Quote]:
        """In a thread: an index may have to be loaded, and sentences are found by a tokenizer that is no quick one."""
        rarity = self._search.keyword_retriever().rarity
        return choose_quotes(question, sources, rarity, limit=self._settings.max_quotes)


class _Answer:
    """What has been said so far; one for each question, never shared."""

    def __init__(self, language: Language, timings: dict[str, float]) -> None:
        self.language = language
        self.timings = timings
        self.model = ""
        self.sources: tuple[Source, ...] = ()
        self.cleaner = AnswerCleaner(CitationFilter([]))
        self.usage = Usage()
        self.unsupported: tuple[Span, ...] = ()
        self._notices: list[Notice] = []
        self._text = ""

    def begin(self, chosen: Chosen, found: int) -> list[Event]:
        """A model has said its first word: what it was given is what the answer is made from."""
        self.model, self.sources = chosen.model.name, chosen.prompt.sources
        self.cleaner = AnswerCleaner(CitationFilter(source.n for source in self.sources))
        events: list[Event] = []
        if chosen.failures:
            events.append(self.note(Notice("fallback", "; ".join(chosen.failures))))
        if dropped := found - len(self.sources):
            events.append(self.note(Notice("passages_dropped", str(dropped))))
        return [*events, Sources(self.sources)]

    @property
    def citations(self) -> CitationFilter:
        return self.cleaner.citations

    def say(self, text: str) -> Token:
        self._text += text
        return Token(text)

    def note(self, notice: Notice) -> Notice:
        self._notices.append(notice)
        return notice

    @property
    def refused(self) -> bool:
        return says_no_answer(self._text)

    @property
    def uncited(self) -> bool:
        """Whether it came to its end without naming a passage; one that was cut off has another notice."""
        cut = any(notice.kind in ("broken_off", "answer_cut") for notice in self._notices)
        return not (cut or self.refused or self.citations.cited)

    @property
    def text(self) -> str:
        return self._text.strip()

    def finished(self, nearest: Sequence[Source]) -> Finished:
        """`nearest` are the passages found; they are shown where the answer is that there is none."""
        text = self.text
        by_number = {source.n: source for source in self.sources}
        cited = tuple(by_number[number] for number in self.citations.cited if number in by_number)
        grounded = bool(text and cited) and not self.refused
        return Finished(
            text,
            cited,
            self.model,
            grounded,
            tuple(self._notices),
            self.timings,
            prompt_tokens=self.usage.prompt_tokens,
            answer_tokens=self.usage.answer_tokens,
            unsupported=self.unsupported,
            nearest=_one_a_document(nearest)[:_NEAREST] if self.refused else (),
        )


def _one_a_document(found: Sequence[Source]) -> tuple[Source, ...]:
    first: dict[str, Source] = {}
    for source in found:
        first.setdefault(source.passage.document, source)
    return tuple(first.values())


def _cuts(usage: Usage, prompt: Prompt, answer_context: int) -> list[Notice]:
    """Whether the server cut the prompt (it counted fewer tokens than any tokenizer would, or all it has) or the answer."""
    found = []
    if usage.prompt_tokens is not None:
        least = sum(least_tokens(str(message.content)) for message in prompt.messages)
        if usage.prompt_tokens < least or usage.prompt_tokens >= answer_context - 1:
            found.append(Notice("prompt_cut", f"{usage.prompt_tokens} / {prompt.tokens}"))
    if usage.length_limit:
        found.append(Notice("answer_cut"))
    return found


def unmarked(text: str) -> str:
    """A quoted text's own [1] must not look like one of our citations."""
    return re.sub(r"\[\s*(\d[\d\s,;]*)\]", r"(\1)", text)


def _ms(start: float) -> float:
    return round((perf_counter() - start) * 1000, 2)
