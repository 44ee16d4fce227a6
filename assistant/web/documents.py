"""/documents/{id}: the document's text with the passage marked, and its original file; access is checked for both."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.concurrency import run_in_threadpool

from assistant.assistant import DocumentView
from assistant.errors import NotFound
from assistant.index.catalog import Passage
from assistant.ui.texts import dated_text, out_of_force, page_language, place_text, texts
from assistant.web.pages import markdown_html, render
from assistant.web.session import AssistantDep, UserDep

router = APIRouter(tags=["documents"])

_AROUND = 15  # passages shown before and after the marked one
_PRIVATE = {"Cache-Control": "private, no-store"}  # who may read it is asked each time
_INLINE = {".pdf": "application/pdf"}  # a text file may be in any encoding, and browsers guess wrong


@router.get("/documents/{document}", response_class=HTMLResponse)
async def show(request: Request, document: str, assistant: AssistantDep, user: UserDep, chunk: str = "") -> Response:
    """The document as text, around the passage `chunk`, which is marked."""
    view, passages = await run_in_threadpool(assistant.document, document, user)
    standing = await run_in_threadpool(lambda: assistant.retriever.standing(document, user))
    language = page_language(request.headers.get("accept-language"))
    marked = next((number for number, passage in enumerate(passages) if passage.chunk == chunk), None)
    start = max(0, (marked or 0) - _AROUND)
    shown = passages[start : (marked or 0) + _AROUND + 1]
    parts = [
        {
            "place": place_text(p, language),
            "section": p.section,
            "html": markdown_html(text),
            "marked": p.chunk == chunk,
        }
        for p, text in zip(shown, without_overlaps(shown), strict=True)
    ]
    place = place_text(passages[marked], language) if marked is not None else ""
    html = render(
        "document.html",
        language=language,
        t=texts(language),
        row=view.row,
        access=view.access_class,
        parts=parts,
        more_before=start > 0,
        more_after=start + len(shown) < len(passages),
        place=place,
        dated=dated_text(standing, language),
        out_of_force=out_of_force(standing, language),
        successor=standing.superseded_by,
        outdated=bool(chunk) and marked is None,
        original=f"/documents/{document}/original" + _page_anchor(passages, marked),
    )
    return HTMLResponse(html, headers=_PRIVATE)


@router.get("/documents/{document}/original")
async def original(document: str, assistant: AssistantDep, user: UserDep) -> Response:
    """The file itself, as long as it is the version that was loaded."""
    view, _ = await run_in_threadpool(assistant.document, document, user)
    file = Path(view.row.location)
    if not view.row.location or not await run_in_threadpool(_is_loaded, file, view):
        raise NotFound(
            "the file was moved, changed or deleted since it was loaded: the next ingest brings it up to date"
        )
    name = quote(Path(view.row.path).name)
    kind = _INLINE.get(file.suffix.lower())
    # Whatever could run scripts in our origin (HTML, SVG) is only ever downloaded.
    headers = {"Content-Disposition": f"{'inline' if kind else 'attachment'}; filename*=utf-8''{name}", **_PRIVATE}
    return FileResponse(file, media_type=kind or "application/octet-stream", headers=headers)


def _page_anchor(passages: list[Passage], marked: int | None) -> str:
    """Where a PDF is to be opened; sheets and attachments have no place that an address could name."""
    passage = passages[marked] if marked is not None else None
    return f"#page={passage.page}" if passage and passage.page and passage.page_kind == "page" else ""


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


def _is_loaded(file: Path, view: DocumentView) -> bool:
    """Whether the file is what the passages were made of; those of one that failed are of an earlier content."""
    try:
        with file.open("rb") as content:
            is_same = hashlib.file_digest(content, "sha256").hexdigest() == view.row.sha256
            return is_same and view.row.status == "indexed"
    except OSError:
        return False
