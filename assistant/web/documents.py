"""/documents/{id}: the document with the passage marked, a PDF's pages, the original file; access is checked for each."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.concurrency import run_in_threadpool

from assistant.assistant import Assistant, DocumentView
from assistant.errors import DocumentError, FileChanged, NotFound
from assistant.ui.texts import reader_language
from assistant.web.document_page import Cited, has_pages, picture_html, text_html
from assistant.web.headers import FILE_POLICY, PDF_POLICY
from assistant.web.session import AssistantDep, UserDep

if TYPE_CHECKING:
    from assistant.parts.pdf_view import PageView

router = APIRouter(tags=["documents"])

_PRIVATE = {"Cache-Control": "private, no-store"}  # who may read it is asked each time
_INLINE = {".pdf": "application/pdf"}  # a text file may be in any encoding, and browsers guess wrong
_AT_ONCE = 8  # pages that are drawn or wait for it; others wait for a thread


def drawing_limiter() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(_AT_ONCE)


@router.get("/documents/{document}", summary="A document with a passage marked", response_class=HTMLResponse)
async def show(
    request: Request,
    document: str,
    assistant: AssistantDep,
    user: UserDep,
    chunk: str = "",
    page: int = 0,
    view: str = "",
) -> Response:
    """The document at the passage `chunk`, which is marked: a PDF as the picture of its page, everything else as text.

    `page` is another page of a PDF; `view=text` shows a PDF as text.
    """
    found, passages = await run_in_threadpool(assistant.document, document, user, f"page {page}" if page else "text")
    standing = await run_in_threadpool(lambda: assistant.retriever.standing(document, user))
    language = reader_language(request)
    cited = Cited(found, passages, standing, chunk, language)
    why = ""
    if has_pages(cited) and view != "text":
        try:
            look = partial(_looked, assistant, cited, page or cited.place or 1)
            drawn = await run_sync(look, limiter=request.app.state.drawing)
            return HTMLResponse(picture_html(cited, drawn), headers=_PRIVATE)
        except FileChanged:
            why = "changed"
        except DocumentError:
            why = "undrawn"
    return HTMLResponse(text_html(cited, page, why), headers=_PRIVATE)


@router.get("/documents/{document}/pages/{number}", summary="A picture of a page", response_class=Response)
async def page_picture(
    request: Request, document: str, number: int, assistant: AssistantDep, user: UserDep
) -> Response:
    """A page of a PDF as a WebP picture, as long as the file is the version that was loaded."""
    found, _ = await run_in_threadpool(assistant.document, document, user, f"page {number}")
    if Path(found.row.path).suffix.lower() not in _INLINE:
        raise NotFound("the document has no pages")
    _check_is_there(found)
    draw = partial(assistant.drawing.draw, found.row.location, found.row.sha256, number)
    picture = await run_sync(draw, limiter=request.app.state.drawing)
    return Response(picture, media_type="image/webp", headers=_PRIVATE)


@router.get("/documents/{document}/original", summary="The file itself", response_class=Response)
async def original(document: str, assistant: AssistantDep, user: UserDep) -> Response:
    """The file itself, as long as it is the version that was loaded."""
    view, _ = await run_in_threadpool(assistant.document, document, user, "file")
    file = Path(view.row.location)
    _check_is_there(view)
    if not await run_in_threadpool(_is_loaded, file, view):
        raise FileChanged(_CHANGED)
    name = quote(Path(view.row.path).name)
    kind = _INLINE.get(file.suffix.lower())
    # Whatever could run scripts in our origin (HTML, SVG) is only ever downloaded.
    headers = {
        "Content-Disposition": f"{'inline' if kind else 'attachment'}; filename*=utf-8''{name}",
        "Content-Security-Policy": PDF_POLICY if kind else FILE_POLICY,
        **_PRIVATE,
    }
    return FileResponse(file, media_type=kind or "application/octet-stream", headers=headers)


_CHANGED = "the file was moved, changed or deleted since it was loaded: the next ingest brings it up to date"


def _looked(assistant: Assistant, cited: Cited, shown: int) -> PageView:
    """In a thread."""
    _check_is_there(cited.view)
    row = cited.view.row
    text = cited.passages[cited.marked].text if cited.marked is not None else ""
    return assistant.drawing.look(row.location, row.sha256, shown, cited.place or 0, text)


def _check_is_there(view: DocumentView) -> None:
    """The passages of a document that failed are of an earlier content. Raises `FileChanged`."""
    if not view.row.location or view.row.status != "indexed":
        raise FileChanged(_CHANGED)


def _is_loaded(file: Path, view: DocumentView) -> bool:
    """Whether the file is what the passages were made of."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == view.row.sha256
    except OSError:
        return False
