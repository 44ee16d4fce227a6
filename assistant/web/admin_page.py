"""The administrator's page as HTML: what is being loaded, the form, what failed and what was loaded last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from assistant.access.principal import Principal
from assistant.assistant import Assistant, DocumentView
from assistant.errors import AssistantError
from assistant.ingest.report import IngestReport
from assistant.ingest.upload import UploadRefused
from assistant.ui.admin_texts import admin_texts, moment_text, refusal_text
from assistant.ui.header import links_of
from assistant.ui.reason_texts import reason_text
from assistant.ui.review_texts import review_texts
from assistant.ui.texts import texts
from assistant.web.loading import Loading, Outcome, Running
from assistant.web.pages import render

_SHOWN_FAILED, _SHOWN_LOADED, _SHOWN_SKIPPED = 200, 25, 20
_REFRESH_SECONDS = 3
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

Sees = Callable[[str, str], bool]  # whether the person may know of (source, path)


@dataclass
class Upload:
    """What became of each file that was sent."""

    source: str = ""
    folder: str = ""
    stored: list[str] = field(default_factory=list)
    count: int = 0  # of stored files; all that is known of them on the page after the form
    refused: list[tuple[str, UploadRefused]] = field(default_factory=list)


def page_html(
    assistant: Assistant, user: Principal, loading: Loading, upload: Upload, *, language: str, still: bool
) -> str:
    """While documents are loaded the page follows that, and shows nothing else, unless `still`: it asks for itself again
    and again then, and neither a form can be filled in meanwhile nor the whole catalog be read each time.
    """
    administration = assistant.administration(user)
    running = loading.running
    follows = running is not None and not still
    sources = administration.sources(with_folders=not follows)
    names = {source.id: source.name for source in sources}
    return render(
        "admin_documents.html",
        language=language,
        why=partial(reason_text, language=language),
        t={**texts(language), **admin_texts(language), **review_texts(language)},
        links=links_of(user.roles),
        refresh=_REFRESH_SECONDS if follows else 0,
        running=_running(running, names, administration.sees),
        waiting=[names.get(source, source) for source in loading.waiting()],
        outcomes=[
            _ended(names.get(source, source), source, outcome, language, administration.sees)
            for source, outcome in loading.outcomes().items()
        ],
        upload=upload,
        refusals=[(name, refusal_text(error, language)) for name, error in upload.refused],
        sources=sources,
        problems=[(source.name, _said(source.problem, language)) for source in sources if source.problem],
        limit=assistant.settings.ingest.limits.file_mb,
        **({} if follows else _catalog(*assistant.documents_for(user), language)),
    )


def _said(error: AssistantError, language: str) -> str:
    return refusal_text(error, language) if isinstance(error, UploadRefused) else reason_text(str(error), language)


def _catalog(known: list[DocumentView], others: list[DocumentView], language: str) -> dict[str, Any]:
    failed = [view for view in known if view.row.status == "failed"]
    loaded = sorted(known, key=lambda view: view.row.indexed_at or _NEVER, reverse=True)
    return {
        "failed": failed[:_SHOWN_FAILED],
        "failed_more": max(0, len(failed) - _SHOWN_FAILED),
        "failed_others": sum(view.row.status == "failed" for view in others),
        "loaded": [
            (view, moment_text(view.row.indexed_at, language)) for view in loaded[:_SHOWN_LOADED] if view.row.indexed_at
        ],
        "total": len(known),
        "others": len(others),
    }


def _running(running: Running | None, names: dict[str, str], sees: Sees) -> dict[str, Any] | None:
    if running is None:
        return None
    progress = running.progress
    known = progress is not None and progress.current != "" and sees(running.source, progress.current)
    return {
        "name": names.get(running.source, running.source),
        "waits": running.waits,
        "progress": progress,
        "current": progress.current if progress and known else "",
    }


def _ended(name: str, source: str, outcome: Outcome, language: str, sees: Sees) -> dict[str, Any]:
    """A finished run; files that were passed over are named as far as the person may know of them."""
    report: IngestReport | None = outcome.report
    passed_over = report.skipped if report else []
    shown = [path for path in passed_over[:1000] if sees(source, path)][:_SHOWN_SKIPPED]
    return {
        "name": name,
        "at": moment_text(outcome.at, language),
        "report": report,
        "problem": outcome.problem,
        "error_id": outcome.error_id,
        "skipped": shown,
        "skipped_more": len(passed_over) - len(shown),
    }
