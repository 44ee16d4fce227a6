"""The fence around what is data in a prompt: documents and conversations can't close it, nor speak as the model's server."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from assistant.signs import without_unseen

TOKENS = 32  # what the two lines of a fence take at most
_DIGITS = 12
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
