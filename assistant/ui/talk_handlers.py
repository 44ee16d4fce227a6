"""What happens when something is pressed in the sidebar or under an answer.

What is pressed arrives as an event with plain values from the browser: each is checked here, and whose it is by the service.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from assistant.access.caller import ADDRESS, ADDRESS_IN_SCOPE
from assistant.access.principal import Principal
from assistant.assistant import Assistant
from assistant.conversations.views import ConversationView
from assistant.errors import AssistantError
from assistant.ui.handlers import sentence_of
from assistant.ui.messages import problem_html
from assistant.ui.sidebar import SHOWN, talks_html, undo_html
from assistant.ui.texts import reader_language, texts

_MOST_SHOWN = 1000


class TalkHandlers:
    """Handlers of the sidebar and of ratings. They hold the service, and no state of any user."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    def list(self, request: gr.Request, event: gr.EventData) -> str:
        return self._done(request, event, lambda user: None)

    def rename(self, request: gr.Request, event: gr.EventData) -> str:
        return self._done(
            request,
            event,
            lambda user: self._assistant.conversations.rename(user, _text(event, "talk"), _text(event, "title")),
        )

    def delete(self, request: gr.Request, event: gr.EventData) -> tuple[str, str]:
        """The list, and the way back."""
        conversations, talk = self._assistant.conversations, _text(event, "talk")
        deleted: list[ConversationView] = []

        def work(user: Principal) -> None:
            deleted.append(conversations.open(user, talk, was_shown=True).conversation)
            conversations.delete(user, talk)

        listed = self._done(request, event, work)
        return listed, undo_html(deleted[0], reader_language(request)) if deleted else ""

    def restore(self, request: gr.Request, event: gr.EventData) -> tuple[str, str]:
        listed = self._done(
            request, event, lambda user: self._assistant.conversations.restore(user, _text(event, "talk"))
        )
        return listed, ""

    def rate(self, request: gr.Request, event: gr.EventData) -> str:
        """For the script of the page: which message has which rating now, and what to say about it."""
        language = reader_language(request)
        t = texts(language)
        message, rating = _text(event, "message"), _number(event, "rating")
        conversations = self._assistant.conversations
        try:
            user = self._user(request)
            if rating == 0:
                conversations.take_back(user, message)
            else:
                conversations.rate(
                    user, message, rating, reason=_text(event, "reason"), comment=_text(event, "comment")
                )
        except AssistantError as error:
            return f'<span role="alert">{escape(sentence_of(error, language, secrets.token_hex(4)))}</span>'
        said = t["rated" if rating else "rating_gone"]
        mark = secrets.token_hex(4)  # the same twice is news twice
        return (
            f'<span role="status" data-rated="{escape(message)}" data-rating="{rating}" data-mark="{mark}">'
            f"{escape(said)}</span>"
        )

    def _user(self, request: gr.Request) -> Principal:
        """Gradio's queue runs handlers in tasks that know nothing of the request: its address is given on here."""
        if request.request is not None:
            ADDRESS.set(request.request.scope[ADDRESS_IN_SCOPE])
        return self._assistant.users.of_id(request.username)

    def _done(self, request: gr.Request, event: gr.EventData, work: Callable[[Principal], object]) -> str:
        """The list as it is after the work."""
        language = reader_language(request)
        search, shown = _text(event, "search")[:200], min(max(_number(event, "shown"), SHOWN), _MOST_SHOWN)
        try:
            user = self._user(request)
            work(user)
            page = self._assistant.conversations.list(user, search=search, limit=shown)
        except AssistantError as error:
            return problem_html(sentence_of(error, language, secrets.token_hex(4)))
        return talks_html(page, language, search=search, shown=shown)


def _text(event: gr.EventData, name: str) -> str:
    value = _value(event, name)
    return value if isinstance(value, str) else ""


def _number(event: gr.EventData, name: str) -> int:
    value = _value(event, name)
    return value if isinstance(value, int) else 0


def _value(event: gr.EventData, name: str) -> Any:  # noqa: ANN401 - whatever the browser sent
    data = event._data  # noqa: SLF001 - by its attributes a missing value is an error
    return data.get(name) if isinstance(data, dict) else None
