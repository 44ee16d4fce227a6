"""JOURNEY 2, a question out: retrieve → Step → Sources → tokens through citations → Finished. One page: `stream`."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import perf_counter

from assistant.access.principal import Principal
from assistant.ask.chain import BrokenOff, Chain, Chosen
from assistant.ask.citations import CitationFilter
from assistant.ask.events import Event, Finished, Notice, Source, Sources, Step, Token
from assistant.ask.extractive import choose_quotes, is_table
from assistant.ask.language import Language, language_of
from assistant.ask.prompt import Prompt, Prompts, least_tokens
from assistant.ask.retrieval import Retrieved, Retriever
from assistant.errors import ModelUnavailable
from assistant.index.search import Search
from assistant.parts.llms import EXTRACTIVE, ChatModel, Usage
from assistant.settings import Answer

# What is said when the documents hold no answer: the same in prompts, answers and the evaluation.
NO_ANSWER: dict[Language, str] = {
    "ru": "В документах нет ответа на этот вопрос.",
    "en": "The documents do not answer this question.",
}


class AskService:
    """Answers questions from the documents that the asker may read."""

    def __init__(
        self, *, settings: Answer, retriever: Retriever, search: Search, chain: Chain, prompts: Prompts, quotes: bool
    ) -> None:
        self._settings = settings
        self._retriever = retriever
        self._search = search
        self._chain = chain
        self._prompts = prompts
        self._quotes = quotes  # whether `llms` ends with the extractive answerer

    async def stream(self, question: str, principal: Principal) -> AsyncGenerator[Event, None]:
        """Events in the order Step, (Notice), Sources, Token …, Finished.

        Raises `InvalidQuestion`, `IndexNotReady`, and `ModelUnavailable` when no model answers and quoting is off.
        """
        start = perf_counter()
        language = language_of(question)
        retrieved = await self._retriever.retrieve(question, principal)
        retrieval_ms = _ms(start)
        yield Step(question.strip(), retrieved.sources, retrieved.documents, retrieval_ms / 1000)
        answer = _Answer(language, {"retrieval": retrieval_ms, **retrieved.timings_ms})
        for notice in retrieved.notices:
            yield answer.note(notice)
        if not retrieved.answerable:
            yield Sources(())
            yield answer.say(NO_ANSWER[language])
        else:
            try:
                async with aclosing(self._generate(question, retrieved, answer)) as events:
                    async for event in events:
                        yield event
            except ModelUnavailable as error:
                if not self._quotes:
                    raise
                for event in self._quote(question, retrieved, answer, str(error)):
                    yield event
        answer.timings["total"] = _ms(start)
        yield answer.finished()

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
        citations = CitationFilter([])
        async with aclosing(self._chain.stream(build)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Chosen):
                    prompt, context = piece.prompt, piece.model.settings.context_window
                    answer.timings["first_token"] = _ms(start)
                    answer.model, answer.sources = piece.model.name, prompt.sources
                    citations = CitationFilter(source.n for source in prompt.sources)
                    answer.citations = citations
                    if piece.failures:
                        yield answer.note(Notice("fallback", "; ".join(piece.failures)))
                    if dropped := len(retrieved.sources) - len(prompt.sources):
                        yield answer.note(Notice("passages_dropped", str(dropped)))
                    yield Sources(prompt.sources)
                elif isinstance(piece, str):
                    if text := citations.feed(piece):
                        yield answer.say(text)
                elif isinstance(piece, BrokenOff):
                    citations.finish()  # the beginning of a marker that never came
                    yield answer.note(Notice("broken_off", piece.reason))
                elif prompt is not None:
                    for notice in _cuts(piece, prompt, context):
                        yield answer.note(notice)
        if held := citations.finish():
            yield answer.say(held)

    def _quote(self, question: str, retrieved: Retrieved, answer: _Answer, reason: str) -> list[Event]:
        """The best sentences of the best passages, each with its number."""
        rarity = self._search.keyword_retriever().rarity
        quotes = choose_quotes(question, retrieved.sources, rarity, limit=self._settings.max_quotes)
        numbers = {quote.source.n for quote in quotes}
        answer.model = EXTRACTIVE
        answer.sources = tuple(source for source in retrieved.sources if source.n in numbers)
        answer.citations = CitationFilter(numbers)
        events: list[Event] = [answer.note(Notice("extractive", reason)), Sources(answer.sources)]
        for number, quote in enumerate(quotes):
            before = "" if number == 0 else "\n\n"
            behind = "\n\n" if is_table(quote.text) else " "
            text = f"{before}{unmarked(quote.text)}{behind}[{quote.source.n}]"
            events.append(answer.say(answer.citations.feed(text)))
        return events if quotes else [*events, answer.say(NO_ANSWER[answer.language])]


class _Answer:
    """What has been said so far; one for each question, never shared."""

    def __init__(self, language: Language, timings: dict[str, float]) -> None:
        self.language = language
        self.timings = timings
        self.model = ""
        self.sources: tuple[Source, ...] = ()
        self.citations = CitationFilter([])
        self._notices: list[Notice] = []
        self._text = ""

    def say(self, text: str) -> Token:
        self._text += text
        return Token(text)

    def note(self, notice: Notice) -> Notice:
        self._notices.append(notice)
        return notice

    def finished(self) -> Finished:
        text = self._text.strip()
        by_number = {source.n: source for source in self.sources}
        cited = tuple(by_number[number] for number in self.citations.cited if number in by_number)
        refused = any(phrase.rstrip(".") in text for phrase in NO_ANSWER.values())
        return Finished(text, cited, self.model, bool(text) and not refused, tuple(self._notices), self.timings)


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
