"""Pages for engineers and administrators: answers with 👎, questions without an answer, statistics. For others: 404."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from assistant.errors import NotFound
from assistant.review.service import Answer, AnswerPage, Unanswered
from assistant.ui.admin_texts import moment_text
from assistant.ui.header import links_of
from assistant.ui.markup import answer_html
from assistant.ui.render import answer_markdown
from assistant.ui.review_texts import review_texts
from assistant.ui.texts import reader_language, texts
from assistant.web.pages import render
from assistant.web.session import AssistantDep, UserDep
from assistant.web.statistics_page import PERIODS, statistics_html

router = APIRouter()
log = structlog.get_logger("assistant.web")
_PRIVATE = {"Cache-Control": "private, no-store"}
_ANSWERS, _UNANSWERED = "/admin/answers", "/admin/unanswered"
_FIGURES = {
    "people": 41,
    "questions": 388,
    "ended": 380,
    "answered": 331,
    "failed": 2,
    "liked": 70,
    "disliked": 9,
    "first_token_p50": 640.0,
    "first_token_p95": 1900.0,
    "total_p50": 4200.0,
    "total_p95": 9800.0,
    "answered_share": 0.8711,
    "liked_share": 0.8861,
}
_EXAMPLE = {
    "days": 7,
    "since": "2026-11-23",
    "until": "2026-11-29",
    "department": None,
    "totals": _FIGURES,
    "adoption": {"active_people_a_week": 41.0, "accounts": 60, "share": 0.6833},
    "time_saved": {"answers": 12, "median_minutes": 30.0, "hours_a_year": 943.0},
    "by": "day",
    "points": [{"from": "2026-11-23", **_FIGURES}],
    "departments": [{"department": "hr", "accounts": 7, **_FIGURES}],
}
_LAST_PAGE = 1_000_000  # databases do not count as far as an address can
_SAID = ("added", "known", "missing", "empty")


@router.get(_ANSWERS, include_in_schema=False)
def answers(request: Request, assistant: AssistantDep, user: UserDep, page: int = 1, said: str = "") -> Response:
    found = assistant.review(user).disliked(min(page, _LAST_PAGE))
    back = f"{_ANSWERS}?page={found.number}"
    return _page(request, assistant, user, back=back, said=said, page=found)


@router.get(_UNANSWERED, include_in_schema=False)
def unanswered(request: Request, assistant: AssistantDep, user: UserDep, days: int = 30, said: str = "") -> Response:
    days = days if days in PERIODS else PERIODS[1]
    found = assistant.review(user).unanswered(days)
    back = f"{_UNANSWERED}?days={days}"
    return _page(request, assistant, user, back=back, said=said, topics=found, days=days)


@router.post("/admin/answers/{message}/golden", include_in_schema=False)
def to_golden(
    assistant: AssistantDep,
    user: UserDep,
    message: str,
    what: Annotated[str, Form()],
    gold: Annotated[list[str] | None, Form()] = None,
    path: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Back to the list, where it is said what became of it."""
    review = assistant.review(user)
    wanted = [] if what == "none" else [*(gold or []), *filter(None, [path.strip()])]
    review.check(message)
    if what != "none" and not wanted:
        said = "empty"
    else:
        try:
            said = "added" if review.to_golden(message, wanted) else "known"
        except NotFound:
            said = "missing"
    if said == "added":
        log.info("golden question added", user=user.name, message=message)
    place = back if back.startswith((f"{_ANSWERS}?page=", f"{_UNANSWERED}?days=")) else f"{_ANSWERS}?page=1"
    return RedirectResponse(f"{place}&said={said}", 303)


@router.get("/admin/statistics", include_in_schema=False)
def statistics(
    request: Request, assistant: AssistantDep, user: UserDep, days: int = 30, department: str = ""
) -> Response:
    report = assistant.review(user).statistics.report(days=days, department=department or None)
    html = statistics_html(report, roles=user.roles, language=reader_language(request))
    return HTMLResponse(html, headers=_PRIVATE)


@router.get(
    "/api/admin/statistics",
    tags=["statistics"],
    summary="How the assistant is used and how well it answers",
    responses={
        200: {"content": {"application/json": {"example": _EXAMPLE}}},
        404: {"description": "The caller is neither engineer nor administrator."},
    },
)
def api_statistics(
    assistant: AssistantDep, user: UserDep, days: int = 30, department: str | None = None
) -> JSONResponse:
    """The numbers of `assistant stats --json`. For the roles `engineer` and `admin`."""
    report = assistant.review(user).statistics.report(days=days, department=department)
    return JSONResponse(report.as_json(), headers=_PRIVATE)


def _page(
    request: Request,
    assistant: AssistantDep,
    user: UserDep,
    *,
    back: str,
    said: str,
    page: AnswerPage | None = None,
    topics: Unanswered | None = None,
    days: int = 0,
) -> HTMLResponse:
    language = reader_language(request)
    html = render(
        "admin_answers.html",
        language=language,
        t={**texts(language), **review_texts(language)},
        links=links_of(user.roles),
        here=_ANSWERS,
        page=page,
        topics=topics,
        days=days,
        periods=PERIODS,
        back=back,
        said=said if said in _SAID else "",
        folder=assistant.settings.storage.path / "golden",
        at=lambda moment: moment_text(moment, language),
        documents=_documents,
        answer=_answer_html,
    )
    return HTMLResponse(html, headers=_PRIVATE)


def _answer_html(answer: Answer) -> str:
    """As the chat shows it to who asked."""
    found = [one.source for one in answer.message.sources if one.source is not None]
    return answer_html(answer_markdown(answer.message.answer, found))


def _documents(answer: Answer) -> list[tuple[str, str, bool]]:
    """Path, title and whether it is cited, of each document among the sources that may be seen."""
    found: dict[str, tuple[str, bool]] = {}
    for one in answer.message.sources:
        if one.source is not None:
            passage = one.source.passage
            cited = one.is_cited or found.get(passage.path, ("", False))[1]
            found[passage.path] = (passage.title, cited)
    return [(path, title, cited) for path, (title, cited) in found.items()]
