"""Sentences that no source supports, marked where they stand in an answer's HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.ask.events import Source, Span
from assistant.ui.markup import answer_html
from assistant.ui.render import answer_markdown

_BEGIN, _END = "\ue000", "\ue001"  # of private use: no text that people write has them, and Markdown does not see them
_SIGNS = re.compile(
    r"\s*(?:(?:[-*+>]|\d+[.)]|#{1,6})[ \t]+)*"
)  # of a list, a quote or a heading: they stay at the line's start
_MARKED = re.compile(f"{_BEGIN}([^{_BEGIN}{_END}]*){_END}")
_TAG = re.compile(r"<(/?)(\w+)[^>]*>")
_INLINE = frozenset({"a", "strong", "em", "code", "del", "br"})


def doubted_html(text: str, spans: Sequence[Span], sources: Sequence[Source]) -> str:
    """The answer as HTML; a sentence that runs over the border of an element (half a table's cell) is left unmarked."""
    for sign in (_BEGIN, _END):
        text = text.replace(sign, "\ufffd")
    for span in sorted(spans, key=lambda one: one.start, reverse=True):
        before, said, behind = text[: span.start], text[span.start : span.end], text[span.end :]
        signs = _SIGNS.match(said)
        start = signs.end() if signs else 0
        bare = said[start:].rstrip()
        if bare:
            text = f"{before}{said[:start]}{_BEGIN}{bare}{_END}{said[start + len(bare) :]}{behind}"
    html = _MARKED.sub(_mark, answer_html(answer_markdown(text, sources)))
    return html.replace(_BEGIN, "").replace(_END, "")


def _mark(found: re.Match[str]) -> str:
    return f'<mark class="doubt">{found[1]}</mark>' if _is_whole(found[1]) else found[1]


def _is_whole(html: str) -> bool:
    """Whether every element in it begins and ends there, and none is a block."""
    open_: list[str] = []
    for tag in _TAG.finditer(html):
        name = tag[2]
        if name not in _INLINE:
            return False
        if name == "br":
            continue
        if not tag[1]:
            open_.append(name)
        elif not open_ or open_.pop() != name:
            return False
    return not open_
