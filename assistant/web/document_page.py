"""The page of a document: as a picture of one page with boxes over the passage, or as text around it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from assistant.ask.events import Standing
from assistant.assistant import DocumentView
from assistant.index.catalog import Passage
from assistant.ui.document_texts import document_texts
from assistant.ui.texts import date_text, dated_text, out_of_force, place_text, texts
from assistant.web.pages import markdown_html, render

if TYPE_CHECKING:
    from assistant.parts.pdf_view import PageView

_AROUND = 15  # passages shown before and after the marked one
_SPOKEN = 300  # characters of the passage that the box says to those who don't see it


@dataclass(frozen=True)
class Cited:
    """A document that its reader may read, and the passage that was asked for."""

    view: DocumentView
    passages: list[Passage]
    standing: Standing
    chunk: str
    language: str

    @cached_property
    def marked(self) -> int | None:
        """Number of the passage among all; None if none was asked for, or it is no more."""
        return next((n for n, passage in enumerate(self.passages) if passage.chunk == self.chunk), None)

    @property
    def passage(self) -> Passage | None:
        return self.passages[self.marked] if self.marked is not None else None

    @property
    def place(self) -> int | None:
        """Page of a PDF that the passage is on, from 1."""
        return _page_number(self.passage) if self.passage else None

    def address(self, *, page: int | None = None, view: str = "", anchor: str = "") -> str:
        pairs = [("chunk", self.chunk if self.passage else ""), ("page", str(page or "")), ("view", view)]
        query = "&".join(f"{name}={quote(value)}" for name, value in pairs if value)
        return f"/documents/{self.view.row.id}" + (f"?{query}" if query else "") + (f"#{anchor}" if anchor else "")


def has_pages(cited: Cited) -> bool:
    """Whether it is a PDF whose page we know: labels of other readers ("iv", "A-3") are no numbers."""
    is_pdf = Path(cited.view.row.path).suffix.lower() == ".pdf"
    return is_pdf and (cited.place is not None if cited.passage else not cited.chunk)


def picture_html(cited: Cited, drawn: PageView) -> str:
    """One page of a PDF: its picture, boxes over the passage, ways to the pages beside it, and its text below."""
    words = document_texts(cited.language)
    back = drawn.marked[0] if drawn.marked else cited.place
    on_page = [passage for passage in cited.passages if _page_number(passage) == drawn.number]
    page = {
        "number": drawn.number,
        "label": words["page_of"].format(page=drawn.number, pages=drawn.pages),
        "picture": f"/documents/{cited.view.row.id}/pages/{drawn.number}",
        "width": drawn.width,
        "height": drawn.height,
        "alt": words["picture"].format(page=drawn.number, title=cited.view.row.title),
        "boxes": [_style(box) for box in drawn.boxes],
        "spoken": words["passage"].format(text=_short(cited.passage.text)) if cited.passage else "",
        "said": _said(cited, drawn, words),
        "before": cited.address(page=drawn.number - 1, anchor="sheet") if drawn.number > 1 else "",
        "next": cited.address(page=drawn.number + 1, anchor="sheet") if drawn.number < drawn.pages else "",
        "cited": cited.address(page=back, anchor="found") if back not in (None, drawn.number) else "",
        "cited_label": words["cited"].format(page=back),
        "as_text": cited.address(page=drawn.number, view="text", anchor="found"),
    }
    return _html(cited, page=page, parts=_parts(cited, on_page), shown_page=drawn.number)


def text_html(cited: Cited, page: int = 0, why: str = "") -> str:
    """The text around the passage; `why` names the sentence that says why a PDF's page is not shown."""
    first = cited.marked if cited.marked is not None else _first_on(cited.passages, page)
    start = max(0, first - _AROUND)
    shown = cited.passages[start : first + _AROUND + 1]
    return _html(
        cited,
        parts=_parts(cited, shown),
        why=document_texts(cited.language)[why] if why else "",
        more_before=start > 0,
        more_after=start + len(shown) < len(cited.passages),
        as_pages=cited.address(page=page, anchor="found") if has_pages(cited) and not why else "",
        shown_page=cited.place or 0,
    )


def _html(cited: Cited, *, shown_page: int, **values: Any) -> str:
    row, language, passage = cited.view.row, cited.language, cited.passage
    anchor = f"#page={shown_page}" if shown_page and _is_page(cited) else ""
    shown: dict[str, Any] = {"page": None, "why": "", "as_pages": "", "more_before": False, "more_after": False}
    return render(
        "document.html",
        language=language,
        t=texts(language),
        d=document_texts(language),
        row=row,
        access=cited.view.access_class,
        place=place_text(passage, language) if passage else "",
        section=passage.section if passage else "",
        dated=dated_text(cited.standing, language),
        loaded=date_text(row.indexed_at.strftime("%Y-%m-%d"), language) if row.indexed_at else "",
        out_of_force=out_of_force(cited.standing, language),
        successor=cited.standing.superseded_by,
        outdated=bool(cited.chunk) and passage is None,
        original=f"/documents/{row.id}/original{anchor}",
        **(shown | values),
    )


def _is_page(cited: Cited) -> bool:
    return Path(cited.view.row.path).suffix.lower() == ".pdf"


def _parts(cited: Cited, passages: list[Passage]) -> list[dict[str, Any]]:
    return [
        {
            "place": place_text(passage, cited.language),
            "section": passage.section,
            "html": markdown_html(text),
            "marked": passage.chunk == cited.chunk,
        }
        for passage, text in zip(passages, without_overlaps(passages), strict=True)
    ]


def _said(cited: Cited, drawn: PageView, words: dict[str, str]) -> str:
    """What became of the mark; nothing on a page that the passage is not on."""
    if drawn.number == cited.place and any(page != drawn.number for page in drawn.marked):
        return words["marked_on"].format(pages=", ".join(map(str, drawn.marked)))
    if drawn.boxes:
        return words["marked"]
    if cited.place != drawn.number:
        return ""
    return words["unmarked"] if drawn.has_text else words["scan"]


def _page_number(passage: Passage) -> int | None:
    label = passage.page or ""
    return (
        int(label) if passage.page_kind == "page" and label.isascii() and label.isdigit() and len(label) < 6 else None
    )


def _first_on(passages: list[Passage], page: int) -> int:
    return next((n for n, passage in enumerate(passages) if page and _page_number(passage) == page), 0)


def _style(box: tuple[float, float, float, float]) -> str:
    left, top, right, bottom = (round(100 * edge, 3) for edge in box)
    return f"left:{left}%;top:{top}%;width:{right - left:.3f}%;height:{bottom - top:.3f}%"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SPOKEN else line[:_SPOKEN].rsplit(" ", 1)[0] + " …"


def without_overlaps(passages: list[Passage]) -> list[str]:
    """The passages' texts, each without what the one before it already ended with."""
    texts_ = [passage.text for passage in passages]
    for number in range(len(texts_) - 1, 0, -1):
        before, text = passages[number - 1], texts_[number]
        if before.section != passages[number].section:
            continue
        longest = min(len(before.text), len(text), 600)
        overlap = next((n for n in range(longest, 20, -1) if before.text.endswith(text[:n])), 0)
        texts_[number] = text[overlap:].lstrip()
    return texts_
