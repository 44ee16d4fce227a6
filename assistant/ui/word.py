"""Markdown in a Word document: paragraphs, lists, tables and bold words; all else is text."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_LEVEL = 3  # deeper bullets have no style of their own in the document's template


def add_markdown(document: Any, text: str, *, style: str | None = None) -> None:  # noqa: ANN401
    """`style` is that of plain paragraphs. Numbers of lists are text: Word would go on counting from list to list."""
    marks: list[str] = []  # of the lists around
    rows: list[list[Token]] = []  # of the table that is being read
    item = ""  # the mark of an item whose first line is to come
    in_table = is_heading = False
    for token in _parser().parse(text):
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                marks.append("•" if token.type.startswith("bullet") else ".")
            case "bullet_list_close" | "ordered_list_close":
                marks.pop()
            case "list_item_open":
                item = marks[-1] if marks[-1] == "•" else f"{token.info}{token.markup} "
            case "heading_open" | "heading_close":
                is_heading = token.type == "heading_open"
            case "table_open":
                rows, in_table = [], True
            case "tr_open":
                rows.append([])
            case "inline" if in_table:
                rows[-1].append(token)
            case "inline":
                _paragraph(document, token, item, len(marks), style, is_bold=is_heading)
                item = ""
            case "table_close":
                _table(document, rows)
                in_table = False
            case "fence" | "code_block":
                document.add_paragraph(token.content.rstrip("\n"), style=style)
            case _:
                pass


def _paragraph(document: Any, token: Token, item: str, depth: int, style: str | None, *, is_bold: bool) -> None:  # noqa: ANN401
    level = min(depth, _LEVEL)
    if item == "•":
        style, item = "List Bullet" if level == 1 else f"List Bullet {level}", ""
    elif depth:
        style = "List Continue" if level == 1 else f"List Continue {level}"
    paragraph = document.add_paragraph(item, style=style)
    _runs(paragraph, token, is_bold=is_bold)


def _table(document: Any, rows: list[list[Token]]) -> None:  # noqa: ANN401
    table = document.add_table(rows=len(rows), cols=len(rows[0]), style="Table Grid")
    for n, row in enumerate(rows):
        for cell, token in zip(table.rows[n].cells, row, strict=True):
            _runs(cell.paragraphs[0], token, is_bold=n == 0)
    document.add_paragraph()  # two tables in a row would become one


def _runs(paragraph: Any, token: Token, *, is_bold: bool) -> None:  # noqa: ANN401
    depth = 0
    for part in token.children or []:
        depth += {"strong_open": 1, "strong_close": -1}.get(part.type, 0)
        text = "\n" if part.type in ("softbreak", "hardbreak") else part.content
        if text:
            paragraph.add_run(text).bold = True if is_bold or depth else None


@cache
def _parser() -> MarkdownIt:
    """What could draw or link stays the text that it is."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    return parser.disable(["link", "image", "autolink", "html_inline", "html_block", "reference", "entity"])
