"""Headings and code fences of Markdown. Light: asked without LlamaIndex too."""

from __future__ import annotations

import re

HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
SEPARATOR = " › "  # between the headings of a section's path


def is_fence(line: str) -> bool:
    """Whether a code block begins or ends here; one that also ends on its line does neither."""
    if "```" not in line and "~~~" not in line:  # every line of every document is asked
        return False
    fence = _FENCE.match(line)
    return fence is not None and fence[1] not in line[fence.end() :]


def first_heading(text: str) -> str | None:
    """The first heading of the highest level among the first lines, code left out: a document's title."""
    headings, fenced = [], False
    for line in text.split("\n")[:60]:
        fenced ^= is_fence(line)
        if not fenced and (match := HEADING.match(line)):
            headings.append(match)
    best = min(headings, key=lambda match: len(match[1]), default=None)
    return plain_heading(best[2]) if best else None


def plain_heading(text: str) -> str:
    """A heading without emphasis, links and escapes."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"(\*\*|__|`|\\)", "", text).strip(" *_")
