"""Prompts from files, and passages fitted into the model's context so that nothing is cut silently."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from assistant import resources
from assistant.ask import fence
from assistant.ask.events import Source, Standing, Turn
from assistant.ask.fence import fenced, harmless
from assistant.ask.language import Language
from assistant.errors import ConfigError, InvalidQuestion
from assistant.settings import Llm

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatMessage

# What is said when the documents hold no answer: the same in prompts, answers and the evaluation.
NO_ANSWER: dict[Language, str] = {
    "ru": "В документах нет ответа на этот вопрос.",
    "en": "The documents do not answer this question.",
}
_VARIABLES = {"system": set(), "answer": {"passages", "question"}, "condense": {"history", "question"}}
_ANSWERING = ("system", "answer")
_SPEAKERS: dict[Language, tuple[str, str]] = {"ru": ("Вопрос", "Ответ"), "en": ("Question", "Answer")}
_WHOLE_QUESTION_TOKENS = 256  # room for a question that is made whole
_SHOWN_OF_ANSWER = 400  # characters of an earlier answer: what it is about is said in its beginning
_SAFETY_TOKENS = 64  # chat template and role markers
_RESERVED_TOKENS = _SAFETY_TOKENS + fence.TOKENS
_FAKE_HEAD = re.compile(r"^([^\w\n]*)[\[［【〔⟦]\s*(\d+)\s*[\]］】〕⟧]", re.MULTILINE)
_HEAD: dict[Language, dict[str, str]] = {
    "ru": {
        "page": "стр. {}",
        "sheet": "лист «{}»",
        "slide": "слайд {}",
        "attachment": "вложение {}",
        "date": "от {}",
        "superseded": "НЕ ДЕЙСТВУЕТ, заменён: {}",
        "expired": "срок действия истёк",
    },
    "en": {
        "page": "p. {}",
        "sheet": "sheet “{}”",
        "slide": "slide {}",
        "attachment": "attachment {}",
        "date": "of {}",
        "superseded": "NOT IN FORCE, superseded by: {}",
        "expired": "expired",
    },
}
_LATIN = bytes(range(ord("A"), ord("Z") + 1)) + bytes(range(ord("a"), ord("z") + 1))
_CYRILLIC = "".join(map(chr, range(ord("А"), ord("я") + 1))).encode("cp1251") + "Ёё".encode("cp1251")
_SMALLEST_CUT = 120  # tokens; a shorter rest of a passage says nothing


@dataclass(frozen=True)
class Prompt:
    """Messages for the model, the passages that are in them, and how many tokens at most they are."""

    messages: list[ChatMessage]
    sources: tuple[Source, ...]
    tokens: int


class Prompts:
    """The templates of `prompts/`: `<name>.<language>.md` with the variables they use in the front matter."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], str] = {}

    def check(self, models: Sequence[Llm] = ()) -> None:
        """Load all. Raises `ConfigError` when one is missing, uses other variables than it says, or fits into no model."""
        lengths = {
            language: {name: count_tokens(self._text(name, language)) for name in _VARIABLES} for language in _SPEAKERS
        }
        taken = max(sum(of[name] for name in _ANSWERING) for of in lengths.values())
        least = taken + _RESERVED_TOKENS + 2 * _SMALLEST_CUT  # a short question and a piece of a passage
        for model in models:
            if model.context_window - model.max_answer_tokens < least:
                raise ConfigError(
                    f"llms: {model.model or model.provider} has context_window {model.context_window}, and "
                    f"max_answer_tokens takes {model.max_answer_tokens} of it: instructions, question and passages need "
                    f"at least {least} more"
                )

    def build(
        self, question: str, sources: Sequence[Source], *, language: Language, context_window: int, answer_tokens: int
    ) -> Prompt:
        """The prompt with as many passages as fit, best first. Raises `InvalidQuestion` if not even the question does."""
        from llama_index.core.base.llms.types import ChatMessage, MessageRole

        question = harmless(question)
        system = self._text("system", language)
        template = self._text("answer", language)
        free = context_window - answer_tokens - _RESERVED_TOKENS - sum(map(count_tokens, (system, template, question)))
        if free < _SMALLEST_CUT:
            raise InvalidQuestion("the question does not fit into the language model's context: make it shorter")
        blocks, kept = [], []
        for source in sources:
            block = cut_to_tokens(_block(source, language), free - 1)
            if block is None:
                break
            free -= count_tokens(block) + 1  # the empty line between two passages
            blocks.append(block)
            kept.append(source)
        text = _filled(template, passages=fenced(blocks), question=question)
        messages = [
            ChatMessage(role=MessageRole.SYSTEM, content=system),
            ChatMessage(role=MessageRole.USER, content=text),
        ]
        return Prompt(messages, tuple(kept), count_tokens(system) + count_tokens(text) + _SAFETY_TOKENS)

    def condense(self, question: str, history: Sequence[Turn], language: Language, model: Llm) -> Prompt:
        """Asks for a whole question; of the history, oldest first, the last turns that fit.

        Raises `InvalidQuestion` when none does.
        """
        from llama_index.core.base.llms.types import ChatMessage, MessageRole

        question = harmless(" ".join(question.split()))
        template = self._text("condense", language)
        taken = _RESERVED_TOKENS + _WHOLE_QUESTION_TOKENS + count_tokens(template) + count_tokens(question)
        free = model.context_window - taken
        shown: list[str] = []
        for turn in reversed(history):
            said = _said(turn, language)
            free -= count_tokens(said) + 1
            if free < 0:
                break
            shown.insert(0, said)
        if not shown:
            raise InvalidQuestion("the conversation does not fit into the language model's context")
        text = _filled(template, history=fenced(["\n".join(shown)]), question=question)
        message = ChatMessage(role=MessageRole.USER, content=text)
        return Prompt([message], (), count_tokens(text) + _SAFETY_TOKENS)

    def plain(self, question: str, passages: str, language: Language) -> tuple[str, str]:
        """System and user text around passages that somebody else has put together; nothing is fitted."""
        template = self._text("answer", language)
        text = _filled(template, passages=fenced([harmless(passages)]), question=harmless(question))
        return self._text("system", language), text

    def _text(self, name: str, language: str) -> str:
        if (name, language) not in self._texts:
            self._texts[name, language] = _load(name, language)
        return self._texts[name, language]


def _filled(template: str, **values: str) -> str:
    """In one pass: a passage that says {question} stays as it is."""
    return re.sub(r"\{(\w+)\}", lambda variable: values[variable[1]], template)


def says_no_answer(text: str) -> bool:
    """Whether it says, in either language and wherever in it, that the documents hold no answer."""
    return any(phrase.rstrip(".") in text for phrase in NO_ANSWER.values())


def count_tokens(text: str) -> int:
    """An upper bound for the tokenizers in use: half a token a Cyrillic letter, one a digit or sign, a third a Latin one.

    Chosen to be too high rather than too low: what the server really counted is compared after the answer, and the usual
    chars / 4 is about half of the truth for Russian.
    """
    signs = text.encode("cp1251", "replace")
    cyrillic, latin = _count(signs, _CYRILLIC), _count(signs, _LATIN)
    spaces = len(text) - sum(map(len, text.split()))
    return math.ceil(cyrillic / 2 + latin / 3 + spaces / 8 + (len(text) - cyrillic - latin - spaces))


def least_tokens(text: str) -> float:
    """A lower bound: no tokenizer in use has 4.5 Cyrillic letters or 6 other characters to a token on average."""
    cyrillic = _count(text.encode("cp1251", "replace"), _CYRILLIC)
    return cyrillic / 4.5 + (len(text) - cyrillic) / 6


def _count(signs: bytes, wanted: bytes) -> int:
    """How many are among those wanted: a prompt is counted several times, while everybody else's answers wait."""
    return len(signs) - len(signs.translate(None, wanted))


def cut_to_tokens(text: str, limit: int) -> str | None:
    """The text, or its beginning up to a word's end, within the limit; None if less than a useful piece fits."""
    if count_tokens(text) <= limit:
        return text
    if limit < _SMALLEST_CUT:
        return None
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count_tokens(text[:middle] + " …") <= limit else (low, middle - 1)
    return text[:low].rsplit(None, 1)[0] + " …"


def _block(source: Source, language: Language) -> str:
    """A passage as the model sees it. A line that looks like the head of another passage can't be faked from inside."""
    passage = source.passage
    where = _HEAD[language][passage.page_kind].format(passage.page) if passage.page else ""
    place = ", ".join(part for part in (passage.section, where) if part)
    told = "; ".join(part for part in (place, *_told(source.standing, _HEAD[language])) if part)
    head = " ".join(harmless(f"{passage.title}{f' ({told})' if told else ''}").split())
    text = _FAKE_HEAD.sub(r"\1(\2)", harmless(passage.text))
    return f"[{source.n}] {head}\n{text}"


def _said(turn: Turn, language: Language) -> str:
    """A question and the beginning of its answer, a line each: no line of an answer looks like a question."""
    asked, answered = _SPEAKERS[language]
    answer = " ".join(harmless(turn.answer).split())
    if len(answer) > _SHOWN_OF_ANSWER:
        answer = answer[:_SHOWN_OF_ANSWER] + " …"
    return f"{asked}: {' '.join(harmless(turn.searched or turn.question).split())}\n{answered}: {answer}"


def _told(standing: Standing, words: Mapping[str, str]) -> Iterator[str]:
    """The document's date, and that it is out of force: the model is to say so."""
    if standing.date:
        yield words["date"].format(standing.date)
    if standing.superseded_by:
        by = standing.superseded_by
        yield words["superseded"].format(f"{by.title}, {by.date}" if by.date else by.title)
    if standing.is_expired:
        yield words["expired"]


def _load(name: str, language: str) -> str:
    path = resources.require(f"prompts/{name}.{language}.md", "the prompt")
    try:
        match = re.fullmatch(r"---\n(.*?)\n---\n(.*)", path.read_text("utf-8-sig"), re.DOTALL)
        front_matter = yaml.safe_load(match[1]) if match else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from error
    variables = front_matter.get("variables") if isinstance(front_matter, dict) else None
    if match is None or not isinstance(variables, list):
        raise ConfigError(f"{path} needs a front matter: ---, variables: […], ---, then the text")
    declared = set(map(str, variables))
    used = set(re.findall(r"\{(\w+)\}", match[2]))
    wanted = _VARIABLES[name]
    if declared != wanted or used != wanted:
        shown = ", ".join(sorted(wanted)) or "none"
        raise ConfigError(f"{path} must declare and use exactly these variables: {shown}")
    return match[2].strip()
