"""/documents/{id}: the document's text with the passage marked, and its original file; access is checked for both."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.concurrency import run_in_threadpool

from assistant.errors import NotFound
from assistant.index.catalog import Passage
from assistant.ui.texts import page_language, texts
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
    marked = next((number for number, passage in enumerate(passages) if passage.chunk == chunk), None)
    start = max(0, (marked or 0) - _AROUND)
    shown = passages[start : (marked or 0) + _AROUND + 1]
    parts = [
        {"page": p.page, "section": p.section, "html": markdown_html(text), "marked": p.chunk == chunk}
        for p, text in zip(shown, without_overlaps(shown), strict=True)
    ]
    language = page_language(request.headers.get("accept-language"))
    page = passages[marked].page if marked is not None else None
    html = render(
        "document.html",
        language=language,
        t=texts(language),
        row=view.row,
        access=view.access_class,
        parts=parts,
        more_before=start > 0,
        more_after=start + len(shown) < len(passages),
        page=page,
        outdated=bool(chunk) and marked is None,
        original=f"/documents/{document}/original" + (f"#page={page}" if page else ""),
    )
    return HTMLResponse(html, headers=_PRIVATE)


@router.get("/documents/{document}/original")
async def original(document: str, assistant: AssistantDep, user: UserDep) -> Response:
    """The file itself, as long as it is the version that was loaded."""
    view, _ = await run_in_threadpool(assistant.document, document, user)
    file = Path(view.row.location)
    if not view.row.location or not await run_in_threadpool(_is_version, file, view.row.version):
        raise NotFound(
            "the file was moved, changed or deleted since it was loaded: the next ingest brings it up to date"
        )
    name = quote(Path(view.row.path).name)
    kind = _INLINE.get(file.suffix.lower())
    # Whatever could run scripts in our origin (HTML, SVG) is only ever downloaded.
    headers = {"Content-Disposition": f"{'inline' if kind else 'attachment'}; filename*=utf-8''{name}", **_PRIVATE}
    return FileResponse(file, media_type=kind or "application/octet-stream", headers=headers)


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


def _is_version(file: Path, version: str) -> bool:
    """Whether the file is what the passages were made of; a version begins with its content's sha256."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest().startswith(version[:12] or "no version")
    except OSError:
        return False
