"""The survey of the time that was saved: whether it is due, the answer, and a small form that a page puts in by itself."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from pydantic import BaseModel, Field

from assistant.ui.review_texts import review_texts
from assistant.ui.texts import reader_language
from assistant.web.pages import render
from assistant.web.session import AssistantDep, UserDep

router = APIRouter()
_SCRIPT = Path(__file__).parent / "static" / "survey.js"


class SurveyState(BaseModel):
    due: bool = Field(examples=[True], description="Whether the person is to be asked: after ten answers, once a week.")


class SurveyAnswer(BaseModel):
    minutes: int | None = Field(examples=[30], description="Saved in the last week; null: the person does not say.")


@router.get("/api/survey", tags=["survey"], summary="Whether to ask how much time was saved")
def state(assistant: AssistantDep, user: UserDep) -> SurveyState:
    """After ten answers, and once a week."""
    return SurveyState(due=assistant.surveys.is_due(user.id))


@router.post("/api/survey", tags=["survey"], status_code=204, summary="Say how much time was saved")
def answer(body: SurveyAnswer, assistant: AssistantDep, user: UserDep) -> None:
    """A second answer in a week replaces the first."""
    assistant.surveys.answer(user.id, body.minutes)


@router.get("/survey", include_in_schema=False)
def form(request: Request, assistant: AssistantDep, user: UserDep) -> Response:
    """The form, in the reader's language; 204 when it is not due."""
    if not assistant.surveys.is_due(user.id):
        return Response(status_code=204)
    language = reader_language(request)
    html = render("survey.html", language=language, t=review_texts(language))
    return HTMLResponse(html, headers={"Cache-Control": "private, no-store"})


@router.get("/survey.js", include_in_schema=False)
def script(user: UserDep) -> Response:  # noqa: ARG001 - for who is signed in
    return FileResponse(_SCRIPT, media_type="text/javascript", headers={"Cache-Control": "no-cache"})
