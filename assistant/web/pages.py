"""Small HTML pages beside the chat: Jinja templates, everything escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.web.headers import NONCE

if TYPE_CHECKING:
    from jinja2 import Environment
    from markdown_it import MarkdownIt


def render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(nonce=NONCE.get(), **values)


def markdown_html(text: str) -> str:
    """Document text as HTML: no raw HTML, no images, no links; tables, lists and emphasis."""
    html: str = _markdown().render(text)
    return html


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    folder = Path(__file__).with_name("templates")

    def styled(name: str) -> str:
        """Styles carry the request's number: one that got into a page otherwise is none."""
        return (folder / name).read_text("utf-8").replace("<style>", '<style nonce="{{ nonce }}">')

    return Environment(loader=FunctionLoader(styled), autoescape=True, undefined=StrictUndefined)


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return (
        MarkdownIt("commonmark", {"html": False})
        .enable("table")
        .disable(["link", "image", "autolink", "html_inline", "reference"])
    )
