"""The Markdown that `render` makes as HTML: its links lead to documents of this server, and to nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_KEPT = 4000  # texts: a conversation is shown whole again after each answer


@lru_cache(maxsize=_KEPT)
def answer_html(markdown: str) -> str:
    """What a model or a document says, made safe by `render`. No HTML of its own goes through."""
    html: str = _parser(html=False).render(markdown)
    return html


@lru_cache(maxsize=_KEPT)
def list_html(markdown: str) -> str:
    """Lists that `render` writes itself, which hold `<small>` and the like; what is quoted in them it has escaped."""
    html: str = _parser(html=True).render(markdown)
    return html


@cache
def _parser(*, html: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": html, "breaks": True}).enable(["table", "strikethrough"])
    parser.disable(["image", "autolink", "reference"])
    parser.add_render_rule("link_open", _link_open)
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    return parser


def _link_open(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:  # noqa: ANN401
    """In a tab of its own: the chat stays where it is."""
    token = tokens[index]
    if not str(token.attrs.get("href", "")).startswith("/documents/"):
        token.attrs = {}
    else:
        token.attrSet("target", "_blank")
    return str(renderer.renderToken(tokens, index, options, env))


def _table_open(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:  # noqa: ANN401
    return '<div class="wide" tabindex="0" role="group"><table>'


def _table_close(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:  # noqa: ANN401
    return "</table></div>"
