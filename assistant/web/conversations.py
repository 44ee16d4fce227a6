"""/api/conversations and /api/feedback: each person's own; what is another's is not found, whatever the role."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from assistant.contracts import Say, conversation_json, feedback_json, open_conversation_json
from assistant.ui import export
from assistant.ui.texts import notice_text, reader_language
from assistant.web.conversation_models import (
    ConversationOut,
    ConversationsOut,
    FeedbackIn,
    FeedbackOut,
    NewConversation,
    OpenConversationOut,
    Rename,
)
from assistant.web.session import AssistantDep, UserDep

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "There is none, or it is not yours."}}
router = APIRouter(prefix="/api", tags=["conversations"])
_PRIVATE = {"Cache-Control": "private, no-store"}  # what may be read of it is asked each time
_KINDS = {
    "md": "text/markdown",
    "json": "application/json",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


@router.get("/conversations", summary="Your conversations", response_model=ConversationsOut)
def list_conversations(
    assistant: AssistantDep,
    user: UserDep,
    search: Annotated[str, Query(max_length=200, description="In titles, questions and answers.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> dict[str, Any]:
    """Your conversations, the one that was used last first."""
    page = assistant.conversations.list(user, search=search, limit=limit, offset=offset)
    return {"conversations": [conversation_json(one) for one in page.conversations], "more": page.has_more}


@router.post("/conversations", summary="Begin a conversation", response_model=ConversationOut, status_code=201)
def new_conversation(assistant: AssistantDep, user: UserDep, body: NewConversation | None = None) -> dict[str, Any]:
    """An empty conversation; `/api/ask` fills it."""
    return conversation_json(assistant.conversations.create(user, body.title if body else ""))


@router.get(
    "/conversations/{conversation}",
    summary="Open a conversation",
    response_model=OpenConversationOut,
    responses=_NOT_FOUND,
)
def open_conversation(
    request: Request, response: Response, conversation: str, assistant: AssistantDep, user: UserDep
) -> dict[str, Any]:
    """With its messages and their sources, as far as you may read them today."""
    response.headers.update(_PRIVATE)
    opened = assistant.conversations.open(user, conversation)
    return open_conversation_json(opened, say=_sayer(request))


@router.patch(
    "/conversations/{conversation}",
    summary="Rename a conversation",
    response_model=ConversationOut,
    responses=_NOT_FOUND,
)
def rename_conversation(conversation: str, body: Rename, assistant: AssistantDep, user: UserDep) -> dict[str, Any]:
    """Another title; of a long one the first 80 characters."""
    return conversation_json(assistant.conversations.rename(user, conversation, body.title))


@router.delete("/conversations/{conversation}", summary="Delete a conversation", status_code=204, responses=_NOT_FOUND)
def delete_conversation(conversation: str, assistant: AssistantDep, user: UserDep) -> None:
    """It is hidden at once, and can be restored for `state.undo_days`."""
    assistant.conversations.delete(user, conversation)


@router.post(
    "/conversations/{conversation}/restore",
    summary="Restore a conversation",
    response_model=ConversationOut,
    responses=_NOT_FOUND,
)
def restore_conversation(conversation: str, assistant: AssistantDep, user: UserDep) -> dict[str, Any]:
    """Undo a deletion."""
    return conversation_json(assistant.conversations.restore(user, conversation))


@router.get(
    "/conversations/{conversation}/export",
    summary="A conversation as a file",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in _KINDS.values()}}, **_NOT_FOUND},
)
def export_conversation(
    request: Request,
    conversation: str,
    assistant: AssistantDep,
    user: UserDep,
    format: Annotated[Literal["md", "json", "docx"], Query()] = "md",
) -> Response:
    """A file with questions, answers and sources, as far as you may read them today."""
    opened = assistant.conversations.export(user, conversation, format)
    language = reader_language(request)
    name = quote(export.file_name(opened, language, format))
    headers = {"Content-Disposition": f"attachment; filename*=utf-8''{name}", **_PRIVATE}
    content = export.exported(opened, language, format, _sayer(request))
    return Response(content, media_type=_KINDS[format], headers=headers)


@router.post("/feedback", summary="Rate an answer", response_model=FeedbackOut, responses=_NOT_FOUND)
def give_feedback(body: FeedbackIn, assistant: AssistantDep, user: UserDep) -> dict[str, Any]:
    """Rate an answer, or change what you said of it."""
    conversations = assistant.conversations
    return feedback_json(conversations.rate(user, body.message, body.rating, reason=body.reason, comment=body.comment))


@router.get(
    "/feedback/{message}", summary="What you said of an answer", response_model=FeedbackOut, responses=_NOT_FOUND
)
def get_feedback(message: str, assistant: AssistantDep, user: UserDep) -> dict[str, Any]:
    """The rating, its reason and the comment, as you gave them last."""
    return feedback_json(assistant.conversations.rating(user, message))


@router.delete("/feedback/{message}", summary="Take a rating back", status_code=204, responses=_NOT_FOUND)
def remove_feedback(message: str, assistant: AssistantDep, user: UserDep) -> None:
    """Take it back."""
    assistant.conversations.take_back(user, message)


def _sayer(request: Request) -> Say:
    language = reader_language(request)
    return lambda notice: notice_text(notice, language)
