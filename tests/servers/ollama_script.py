"""What the scripted Ollama server says and does: the script, token counting, the context cut, the answers.

Token rule (documented so that tests can compute it): a Cyrillic letter is 1/2.5 of a token, any other
character 1/4, a text's sum is rounded up; every message adds MESSAGE_TOKENS for the chat template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

MESSAGE_TOKENS = 5
"""Tokens the chat template spends on one message (`<|im_start|>role\\n` … `<|im_end|>\\n`)."""
NUM_KEEP = 4
"""Ollama's default `num_keep`: tokens of the prompt's head that survive the token-level cut."""
_UNITS, _CYRILLIC_UNITS, _OTHER_UNITS = 20, 8, 5
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_PIECE = re.compile(r"\s*(?:[\u0400-\u04ff]{1,3}|[^\W\d_\u0400-\u04ff]{1,4}|\d{1,3}|\S)|\s+")
_FAULTS = (
    "fail_status",
    "out_of_memory",
    "hang_before_first_token",
    "cut_after_tokens",
    "silent_end_after_tokens",
    "error_after_tokens",
    "garbage_after_tokens",
)


class Message(NamedTuple):
    """One chat message: its role (system, user, assistant, tool) and its text."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """The prompt the model sees: messages left after the context cut; tokens left and tokens that were sent."""

    messages: tuple[Message, ...]
    tokens: int
    sent_tokens: int

    @property
    def last_user(self) -> str:
        """Text of the last user message (what is left of it), or an empty string."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")


@dataclass(frozen=True, slots=True)
class Script:
    """How the server behaves; frozen, replaced as a whole at run time. Times in seconds, sizes in tokens."""

    models: tuple[str, ...] = ("qwen2.5:7b",)
    version: str = "0.12.6"
    capabilities: tuple[str, ...] = ("completion", "tools")
    model_context: int = 32768
    """Tokens the model was trained for: `/api/show` reports it, a larger num_ctx is lowered to it."""
    default_num_ctx: int = 4096
    overflow: str = "full"
    """What the token-level cut leaves: "full" = num_ctx tokens; "half" = 4 + (num_ctx - 4) // 2, seen in 0.40 logs."""
    gpu_share: float = 1.0
    """Part of the model in video memory (`size_vram` / `size` in `/api/ps`), 0 to 1."""
    load_seconds: float = 0.0
    """Time to load the model: on first use and whenever num_ctx changes, as Ollama reloads then."""
    first_token_seconds: float = 0.02
    tokens_per_second: float = 200.0
    """Pace of one answer; 0 = as fast as possible."""
    answer: str | Callable[[Prompt], str] = "cite"
    """"cite", "echo", any other string = that text; in process also a function of the prompt."""
    thinking: str = ""
    """Streamed as `message.thinking` before the answer if capabilities hold "thinking" and think is not false."""
    parallel: int = 4
    max_queue: int = 512
    """Requests that may wait for one of the `parallel` places; the next one gets 503."""
    fail_status: int = 0
    """Non-zero: chat and generate answer with this status and {"error": fail_message}."""
    fail_message: str = "the model failed to generate a response"
    out_of_memory: bool = False
    hang_before_first_token: bool = False
    cut_after_tokens: int | None = None
    """The socket is closed after this many tokens; 0 = before the response headers."""
    silent_end_after_tokens: int | None = None
    """The stream ends properly, but without its final `"done": true` line; not for `stream: false`."""
    error_after_tokens: int | None = None
    """{"error": error_message} after this many tokens; 0 = status 500 with it, as Ollama does."""
    error_message: str = "an error was encountered while running the model"
    garbage_after_tokens: int | None = None
    """A line that is no JSON after this many tokens; the stream then goes on."""
    pull_ends_after: int | None = None
    """A pull's stream ends after this many lines, without the last one's "success"."""
    pull_error: str = ""
    """{"error": pull_error} after a pull's first line."""
    faults_for: int | None = None
    """The faults touch only this many chat/generate requests after the script was set; None = all."""

    def __post_init__(self) -> None:
        if self.overflow not in ("full", "half"):
            raise ValueError(f"overflow must be 'full' or 'half', not {self.overflow!r}")
        if self.parallel < 1 or self.max_queue < 0:
            raise ValueError("parallel must be at least 1 and max_queue at least 0")

    def without_faults(self) -> Script:
        """The same script with every fault off."""
        off: dict[str, Any] = {f.name: f.default for f in fields(self) if f.name in _FAULTS}
        return replace(self, **off)

    def changed(self, values: Mapping[str, object]) -> Script:
        """A copy with the given fields changed (lists become tuples); ValueError for an unknown field."""
        unknown = set(values) - {f.name for f in fields(self)}
        if unknown:
            raise ValueError(f"unknown script fields: {', '.join(sorted(unknown))}")
        new: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return replace(self, **new)

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON values; a callable answer is shown by its name."""
        answer = self.answer if isinstance(self.answer, str) else f"<{getattr(self.answer, '__name__', 'callable')}>"
        return {**asdict(replace(self, answer="")), "answer": answer}

    def text_for(self, prompt: Prompt) -> str:
        """The answer's text for this prompt."""
        if not isinstance(self.answer, str):
            return self.answer(prompt)
        named = {"cite": cite, "echo": echo}.get(self.answer)
        return named(prompt) if named else self.answer


def _units(text: str) -> int:
    other = len(_CYRILLIC.sub("", text))
    return (len(text) - other) * _CYRILLIC_UNITS + other * _OTHER_UNITS


def count_tokens(text: str) -> int:
    """Tokens in a text by the rule in the module's docstring."""
    return -(-_units(text) // _UNITS)


def count_prompt_tokens(messages: Iterable[Message]) -> int:
    """Tokens in a whole prompt: every message's text plus MESSAGE_TOKENS each."""
    return sum(count_tokens(m.content) + MESSAGE_TOKENS for m in messages)


def split_pieces(text: str) -> list[str]:
    """The text as a model would emit it, one piece a token (1-4 characters); joined they give the text back."""
    return _PIECE.findall(text)


def _tail(text: str, tokens: int) -> str:
    left = tokens * _UNITS
    for start in range(len(text) - 1, -1, -1):
        left -= _CYRILLIC_UNITS if _CYRILLIC.match(text[start]) else _OTHER_UNITS
        if left < 0:
            return text[start + 1 :]
    return text


def fit(messages: Sequence[Message], num_ctx: int, overflow: str = "full") -> Prompt:
    """Cuts a prompt to the context silently, the way Ollama does it.

    First whole messages are dropped from the front; system messages and the last message stay. If that is
    still too long, the text itself is cut from its front, and that cut takes the system message first.
    """
    sent = count_prompt_tokens(messages)
    kept = list(messages)
    for start in range(len(messages)):
        kept = [m for m in messages[:start] if m.role == "system"] + list(messages[start:])
        if count_prompt_tokens(kept) <= num_ctx:
            return Prompt(tuple(kept), count_prompt_tokens(kept), sent)
    limit = num_ctx if overflow == "full" else NUM_KEEP + (num_ctx - NUM_KEEP) // 2
    left, tail = limit, []
    for message in reversed(kept):
        room = left - MESSAGE_TOKENS
        if room <= 0:
            break
        text = _tail(message.content, room)
        tail.append(Message(message.role, text))
        left = room - count_tokens(text)
        if len(text) < len(message.content):
            break
    return Prompt(tuple(reversed(tail)), min(limit, sent), sent)


_MARK = re.compile(r"^[ \t>*#_-]*\[(\d{1,3})\][ \t]*(.*)$", re.MULTILINE)
_QUESTION = re.compile(r"^[ \t>*#_]*(?:вопрос|question)[^\n:]{0,40}:[ \t*_]*", re.IGNORECASE | re.MULTILINE)
_FENCE = re.compile(r"^\s*(?:[-=—*_`~]{3,}.*|</?\w[^>]*>|<<<\d+|\d+>>>)\s*$", re.MULTILINE)
_SENTENCE = re.compile(r"(.+?(?:[^\W_]{3}|[\d)»\"])[.!?…]+)(?=\s|$)", re.DOTALL)
_LONGEST_SENTENCE = 300


def first_sentence(text: str) -> str:
    """The first sentence in one line, without its last full stop, at most 300 characters."""
    flat = " ".join(_FENCE.sub("", text).split())
    found = _SENTENCE.match(flat)
    return (found.group(1) if found else flat)[:_LONGEST_SENTENCE].rstrip(" .…")


def read_passages(text: str) -> tuple[list[tuple[int, str]], str]:
    """The prompt's numbered passages as (number, text or else title) and the question.

    A passage starts with a line `[n] Title`; the question follows the last line that starts with
    `Вопрос:` or `Question:`. Markdown marks, fences and a missing part are tolerated.
    """
    asked = list(_QUESTION.finditer(text))
    question = text[asked[-1].end() :].strip().split("\n\n")[0].strip() if asked else ""
    above = text[: asked[-1].start()] if asked else text
    body = above if _MARK.search(above) else text
    marks = list(_MARK.finditer(body))
    ends = [m.start() for m in marks[1:]] + [len(body)]
    found = []
    for mark, end in zip(marks, ends, strict=False):
        passage = _FENCE.sub("", body[mark.end() : end]).strip()
        found.append((int(mark.group(1)), passage or mark.group(2).strip()))
    return found, question


def cite(prompt: Prompt) -> str:
    """First sentences of the first two passages with their markers, in the question's language."""
    passages, question = read_passages(prompt.last_user)
    asked = question or prompt.last_user
    russian = 2 * len(_CYRILLIC.findall(asked)) >= sum(c.isalpha() for c in asked)
    if not passages:
        return "В документах нет ответа на этот вопрос." if russian else "The documents do not answer this question."
    said = [f"{first_sentence(text)} [{number}]." for number, text in passages[:2]]
    opening, joint = (
        ("Согласно документам: ", " Кроме того: ") if russian else ("According to the documents: ", " Also: ")
    )
    return opening + joint.join(said)


def echo(prompt: Prompt) -> str:
    """The last user message as it reached the model."""
    return prompt.last_user
