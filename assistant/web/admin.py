"""/admin/documents: files into the source folders, loading them, and what became of each; its JSON twin below /api."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from assistant.access.principal import Principal
from assistant.assistant import Assistant
from assistant.contracts import document_json
from assistant.ingest.upload import UploadRefused, refusal
from assistant.ui.texts import reader_language
from assistant.web.admin_page import Upload, page_html
from assistant.web.api_models import DocumentsOut, StoredOut
from assistant.web.loading import Loading
from assistant.web.problems import respond
from assistant.web.session import AssistantDep, UserDep
from assistant.web.upload_form import UploadForm

router = APIRouter()
log = structlog.get_logger("assistant.web")

_PRIVATE = {"Cache-Control": "private, no-store"}
_SCRIPT = Path(__file__).parent / "static" / "follow.js"
_ANSWERED = 1000  # documents in one answer of the API, at most
_NOT_YOURS: dict[int | str, dict[str, Any]] = {404: {"description": "You have not the role `admin`."}}
_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["place", "files"],
                "properties": {
                    "place": {"type": "string", "description": "source|folder", "examples": ["company|it"]},
                    "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    "replace": {
                        "type": "string",
                        "description": "1 overwrites files of the same name.",
                        "examples": ["1"],
                    },
                },
            }
        }
    },
}


@router.get("/admin/documents", response_class=HTMLResponse, include_in_schema=False)
async def show(
    request: Request, assistant: AssistantDep, user: UserDep, still: bool = False, stored: int = 0
) -> Response:
    """The page. While documents are loaded it refreshes itself; if `still` its script does that around the form."""
    html = await _page(request, assistant, user, Upload(count=stored), still=still)
    return HTMLResponse(html, headers=_PRIVATE)


@router.post("/admin/documents", include_in_schema=False)
async def send(request: Request, assistant: AssistantDep, user: UserDep) -> Response:
    """The form's files. What was refused is said on the page; the others are stored, and loaded at once."""
    try:
        upload = await _upload(request, assistant, user)
    except ClientDisconnect:
        return Response(status_code=400)
    if not upload.refused:
        return RedirectResponse(f"/admin/documents?stored={upload.count}", 303)
    html = await _page(request, assistant, user, upload, still=True)
    return HTMLResponse(html, upload.refused[0][1].http_status, headers=_PRIVATE)


@router.post("/admin/documents/load", include_in_schema=False)
async def load(request: Request, assistant: AssistantDep, user: UserDep) -> Response:
    """Load what is new or changed, from all configured sources."""
    await run_in_threadpool(assistant.administration, user)
    for source in assistant.settings.ingest.pipelines:
        _loading(request).ask_for(source, user)
    return RedirectResponse("/admin/documents", 303)


@router.post("/admin/documents/retry", include_in_schema=False)
async def retry(request: Request, assistant: AssistantDep, user: UserDep) -> Response:
    """Load once more, and read the failed documents that the person may see again."""
    administration = await run_in_threadpool(assistant.administration, user)
    await run_in_threadpool(administration.retry)
    return await load(request, assistant, user)


@router.get("/admin/documents/follow.js", include_in_schema=False)
async def follow(assistant: AssistantDep, user: UserDep) -> Response:
    """The script of the page with the form while documents are loaded."""
    await run_in_threadpool(assistant.administration, user)
    return FileResponse(_SCRIPT, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@router.get(
    "/api/admin/documents",
    tags=["documents"],
    summary="The catalog",
    responses={200: {"model": DocumentsOut}, **_NOT_YOURS},
)
async def api_list(
    assistant: AssistantDep, user: UserDep, status: str | None = None, limit: int = 100, offset: int = 0
) -> Response:
    """Documents that the caller may read, by path; of the others only the number. For the role `admin`."""
    known, others = await run_in_threadpool(assistant.documents_for, user)
    wanted = [view for view in known if status is None or view.row.status == status]
    start = max(0, offset)
    shown = wanted[start : start + max(1, min(limit, _ANSWERED))]
    readable = {view.row.id: view for view in known}
    body = {
        "documents": [document_json(view, readable) for view in shown],
        "total": len(wanted),
        "other_departments": sum(status is None or view.row.status == status for view in others),
    }
    return JSONResponse(body, headers=_PRIVATE)


@router.post(
    "/api/admin/documents",
    tags=["documents"],
    status_code=201,
    summary="Store files and load them",
    responses={201: {"model": StoredOut}, **_NOT_YOURS},
    openapi_extra={"requestBody": _FORM},
)
async def api_send(request: Request, assistant: AssistantDep, user: UserDep) -> Response:
    """A form (multipart/form-data): `place` (source|folder), `files`, and `replace`=1 to overwrite; loaded at once."""
    try:
        upload = await _upload(request, assistant, user)
    except ClientDisconnect:
        return Response(status_code=400)
    if not upload.stored:
        return await respond(request, upload.refused[0][1])
    refused = [{"name": name, "reason": str(error)} for name, error in upload.refused]
    return JSONResponse({"source": upload.source, "stored": upload.stored, "refused": refused}, 201, headers=_PRIVATE)


# --- taking files


async def _upload(request: Request, assistant: Assistant, user: Principal) -> Upload:
    """Take the form and store its files; each is stored or refused by itself. Raises `NotFound` for a non-admin."""
    administration = await run_in_threadpool(assistant.administration, user)  # before a byte of the body is taken
    await run_in_threadpool(assistant.serving.check_model)  # a file that could not be loaded is not taken
    settings = assistant.settings
    upload = Upload()
    with UploadForm(settings.storage.path.expanduser() / "cache", settings.ingest.limits.file_mb) as form:
        try:
            await form.read(request)
        except UploadRefused as error:
            upload.refused.append(("", error))
            return upload
        upload.source, _, upload.folder = form.fields.get("place", "").partition("|")
        replace = bool(form.fields.get("replace"))
        if not form.files:
            upload.refused.append(("", refusal("nothing")))
        for file in form.files:
            try:
                if file.too_large:
                    mb = settings.ingest.limits.file_mb
                    raise refusal("too_large", name=_short(file.name), mb=mb)
                path = await run_in_threadpool(
                    administration.put, upload.source, upload.folder, file.name, file.content, replace=replace
                )
                upload.stored.append(path)
                upload.count += 1
            except UploadRefused as error:
                upload.refused.append((_short(file.name), error))
    if upload.stored:
        log.info("documents uploaded", user=user.name, source=upload.source, paths=upload.stored)
        _loading(request).ask_for(upload.source, user)
    return upload


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:80]}…"


def _loading(request: Request) -> Loading:
    found = request.app.state.loading
    assert isinstance(found, Loading)
    return found


async def _page(request: Request, assistant: Assistant, user: Principal, upload: Upload, *, still: bool) -> str:
    language = reader_language(request)
    return await run_in_threadpool(
        page_html, assistant, user, _loading(request), upload, language=language, still=still
    )
