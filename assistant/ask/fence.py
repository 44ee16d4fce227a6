"""The fence around what is data in a prompt: documents and conversations can't close it, nor speak as the model's server."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

TOKENS = 32  # what the two lines of a fence take at most
_DIGITS = 12
# Signs that are not seen: they hide words, order them otherwise, or carry text of their own past a reader.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u0600-\u0605\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_OPEN, _CLOSE, _BAR = "[<＜‹〈⟨]", "[>＞›〉⟩]", "[|｜│┃∣]"
_WORDS = (
    "INST|SYS|AVAILABLE_TOOLS|TOOL_[A-Z]+|SYSTEM_PROMPT|MODEL_SETTINGS|THINK|ARGS|CALL_ID|IMG(?:_[A-Z]+)?|[gs]?MASK|CLS|SEP"
    "|UNK|PAD|BOS|EOS|PREFIX|MIDDLE|SUFFIX"
)
_NAMES = (
    r"[a-z]+(?:_[a-z0-9]+)+|(?:unused|reserved|img)\d+|0x[0-9a-f]{2}|s|bos|eos|pad|unk|mask|sep|cls|think|sop|eop|system|user"
    "|assistant|model|human|tool"
)
# What chat templates have for a change of speaker: a model's server may take it for the real one, wherever it stands.
_SPECIAL = re.compile(
    rf"{_OPEN}(?={_BAR})|{_BAR}(?={_CLOSE})"  # <|im_end|>, <｜User｜>
    rf"|\[(?={_BAR}|/?(?:{_WORDS})\])|{_BAR}(?=\])"  # [INST], [|user|]
    rf"|{_OPEN}(?=/?(?:{_NAMES})\s*{_CLOSE}|</?SYS>)"  # <start_of_turn>, </s>, <<SYS>>
    r"|<(?=<<?\s*\d)|(?<=\d)>(?=>>)|(?<=\d\s)>(?=>>)",  # our own fence
    re.IGNORECASE,
)


def fenced(blocks: Iterable[str]) -> str:
    """The blocks between two lines that only this request has."""
    number = "".join(secrets.choice("0123456789") for _ in range(_DIGITS))
    inside = "\n\n".join(blocks)
    return f"<<<{number}\n{inside}\n{number}>>>"


def harmless(text: str) -> str:
    """The text in its lines, word for word, without unseen signs; what a server could take for its own gets a space."""
    return _SPECIAL.sub(lambda found: f"{found[0]} ", without_unseen(text))


def without_unseen(text: str) -> str:
    """The text without signs that nobody sees and some programs obey; its lines end as lines do."""
    return _UNSEEN.sub("", _LINE_END.sub("\n", text))
