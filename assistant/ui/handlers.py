"""What happens when something is pressed: one service call, its events turned into chat messages."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import gradio as gr
import structlog

from assistant.ask.events import Event, Finished, Notice, Queued, Source, Sources, Step, Token
from assistant.assistant import Assistant
from assistant.errors import AccessDenied, AssistantError
from assistant.ui.header import header_html
from assistant.ui.render import (
    answer_markdown,
    notices_markdown,
    safe_markdown,
    sources_markdown,
    step_markdown,
)
from assistant.ui.texts import error_text, queued_text, reader_language, texts

log = structlog.get_logger("assistant.ui")

Message = dict[str, Any]
_SEND_EVERY_SECONDS = (
    0.08  # a shown piece costs a render for everyone's browser and our CPU; nobody sees the difference
)
_SHOWN_OF_TOO_LONG = 300  # characters; the whole of it stays in the input


class Handlers:
    """Handlers of the page. They hold the service, and no state of any user."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    async def ask(
        self, question: str, shown: list[Message], request: gr.Request
    ) -> AsyncIterator[tuple[str, list[Message]]]:
        """(what is in the input, the chat) again and again while the answer arrives."""
        language = reader_language(request)
        limit = self._assistant.settings.retrieval.max_question_chars
        asked = question if len(question) <= limit else question[:_SHOWN_OF_TOO_LONG] + " …"
        view = _View([*shown, {"role": "user", "content": safe_markdown(asked)}], language)
        try:
            principal = await asyncio.to_thread(self._assistant.users.of_id, request.username)
            yield "", view.pending()
            async with aclosing(self._assistant.ask(question, principal)) as events:
                sent = 0.0
                async for event in events:
                    view.take(event)
                    now = time.monotonic()
                    if not isinstance(event, Token) or now - sent >= _SEND_EVERY_SECONDS:
                        sent = now
                        yield "", view.messages()
        except AccessDenied:
            yield question, view.failed(texts(language)["sign_in"])
        except AssistantError as error:
            log.warning("question failed", kind=type(error).__name__, reason=str(error))
            yield question, view.failed(error_text(error, language, limit=limit))
        except Exception as error:  # noqa: BLE001 - the page's last door: an id for the person, the traceback for the log
            error_id = secrets.token_hex(4)
            log.error("unexpected error", error_id=error_id, exc_info=error)
            yield question, view.failed(texts(language)["unexpected"].format(error_id=error_id))

    def header(self, request: gr.Request) -> str:
        """The bar above the chat, in the browser's language."""
        user = self._assistant.users.of_id(request.username)
        language = reader_language(request)
        return header_html(user.name, language, user.roles)


class _View:
    """The chat as it is shown while one answer is made."""

    def __init__(self, before: list[Message], language: str) -> None:
        self._before = before
        self._language = language
        self._step: Message = {}
        self._text = ""
        self._sources: tuple[Source, ...] = ()
        self._notices: list[Notice] = []
        self._finished: Finished | None = None

    def pending(self) -> list[Message]:
        metadata = {"title": texts(self._language)["searching"], "status": "pending"}
        return [*self._before, {"role": "assistant", "content": "", "metadata": metadata}]

    def take(self, event: Event) -> None:
        match event:
            case Queued():
                title = queued_text(event, self._language)
                self._step = {"role": "assistant", "content": "", "metadata": {"title": title, "status": "pending"}}
            case Step():
                title = texts(self._language)["searching"]
                metadata = {
                    "title": title,
                    "status": "done",
                    "duration": event.seconds,
                    "log": texts(self._language)["passages"].format(n=len(event.found)),
                }
                self._step = {
                    "role": "assistant",
                    "content": step_markdown(event, self._language),
                    "metadata": metadata,
                }
            case Notice():
                self._notices.append(event)
            case Sources():
                self._sources = event.sources
            case Token():
                self._text += event.text
            case Finished():
                self._finished = event

    def messages(self) -> list[Message]:
        parts = [answer_markdown(self._text, self._sources)]
        if self._notices:
            parts.insert(0, notices_markdown(self._notices, self._language))
        if self._finished and self._finished.cited:
            parts.append(sources_markdown(self._finished.cited, self._language))
        answer = {"role": "assistant", "content": "\n\n".join(part for part in parts if part) or "…"}
        return [*self._before, self._step, answer] if self._step else [*self._before, answer]

    def failed(self, sentence: str) -> list[Message]:
        shown = self.messages() if self._step else self._before
        return [*shown, {"role": "assistant", "content": f"⚠️ {sentence}"}]
