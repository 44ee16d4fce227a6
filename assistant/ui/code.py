"""Code in Markdown, told apart from text: it is shown as it was written, whatever stands in it.

It leaves as one line of HTML whose every sign is an entity. So nothing depends on how another parser sees the text
around it: in a list, a quote or a half-arrived answer, code can't end early and let anything live out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# A fence may stand in lists and quotes.
_FENCE = re.compile(r"([ \t]*(?:(?:>|[-*+][ \t]|\d{1,9}[.)][ \t])[ \t]*)*)(`{3,}(?=[^`]*$)|~{3,})")
_SPAN = re.compile(r"(?<![`\\])(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_SIGN = re.compile(r"[^\w ]|_")


def split_code(text: str) -> Iterator[tuple[bool, str]]:
    """The text in pieces: (True, code as HTML) or (False, Markdown without code)."""
    plain: list[str] = []
    lines = iter(text.split("\n"))
    for line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            plain.append(line)
            continue
        yield from _spans("".join(f"{one}\n" for one in plain) + fence[1])
        yield True, f"<pre><code>{_entities(''.join(_fenced(lines, fence)))}</code></pre>"
        plain = [""]
    yield from _spans("\n".join(plain))


def _fenced(lines: Iterator[str], fence: re.Match[str]) -> Iterator[str]:
    """The lines up to the closing fence, or to the end: an answer that streams has not closed it yet."""
    quotes, width, mark = fence[1].count(">"), len(fence[1]), fence[2]
    closing = re.compile(rf"[ \t]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*")
    for line in lines:
        inner = re.sub(rf"^[ \t]*(?:>[ \t]?){{1,{quotes}}}", "", line) if quotes else line
        if closing.fullmatch(inner):
            return
        yield re.sub(rf"^[ \t]{{1,{width}}}", "", inner) + "\n" if width else inner + "\n"


def _spans(text: str) -> Iterator[tuple[bool, str]]:
    end = 0
    for span in _SPAN.finditer(text):
        yield False, text[end : span.start()]
        inner = span[2]
        stripped = inner[1:-1] if inner.strip() and inner[0] == inner[-1] == " " else inner
        yield True, f"<code>{_entities(stripped)}</code>"
        end = span.end()
    yield False, text[end:]


def _entities(code: str) -> str:
    return _SIGN.sub(lambda sign: f"&#{ord(sign[0])};", code)
