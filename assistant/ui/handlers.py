"""What happens when something is asked or opened: a service call, and what the page shows of it.

The server is the truth: of what a page shows nothing comes back but an address, a question and its key.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any

import gradio as gr
import structlog

from assistant.access.caller import ADDRESS, ADDRESS_IN_SCOPE
from assistant.access.principal import Principal
from assistant.ask.events import Event, Recorded, Token
from assistant.assistant import Assistant
from assistant.conversations.views import NEW, MessageView
from assistant.errors import AccessDenied, AlreadyAsked, AssistantError, Busy, InvalidQuestion, LimitReached, NotFound
from assistant.ui.header import header_html
from assistant.ui.live import Live
from assistant.ui.messages import empty_html, problem_html, talk_html
from assistant.ui.sidebar import sidebar_head_html
from assistant.ui.texts import error_id, error_text, numbered, reader_language, texts

log = structlog.get_logger("assistant.ui")

# A shown piece costs a render in everyone's browser and our CPU; nobody sees the difference.
_SEND_EVERY_SECONDS = 0.08
_BEAT_SECONDS = 4.0
_LOOK_SECONDS = 2.0
_WITHOUT_NUMBER = (InvalidQuestion, Busy, LimitReached)  # they say all there is to know

Shown = tuple[Any, Any, Any, Any]  # what was typed, the conversation, the answer that is being made, what is told
_SAME = gr.skip()


class Handlers:
    """Handlers of the page. They hold the service, and no state of any user."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    def enter(self, request: gr.Request) -> tuple[str, str, gr.Textbox, gr.Button, gr.Button]:
        """The bar above, the head of the sidebar, and the names of Gradio's parts, in the person's language."""
        user = self._assistant.users.of_id(request.username)
        language = reader_language(request)
        t = texts(language)
        return (
            header_html(user.name, language, user.roles),
            sidebar_head_html(language),
            gr.Textbox(label=t["question"], placeholder=t["ask_placeholder"]),
            gr.Button(t["send"]),
            gr.Button(t["stop"]),
        )

    async def open(self, talk: str, request: gr.Request) -> AsyncIterator[Shown]:
        """The conversation of the page's address; an answer that is still being made in it is followed."""
        language = reader_language(request)
        try:
            user = await self._user(request)
            if not talk:
                yield _SAME, empty_html(language), "", ""
                return
            opened = await asyncio.to_thread(self._assistant.conversations.open, user, talk)
            yield _SAME, await asyncio.to_thread(talk_html, opened, language), "", ""
            pending = next((one for one in opened.messages[-1:] if one.status == "answering"), None)
            if pending is None:
                return
            live = Live(pending.question, language)
            running = self._assistant.running.of(user.id, talk)
            following = (
                self._followed(running.follow(), live) if running else self._looked_for(user, pending, talk, live)
            )
            try:
                async for shown in following:
                    yield shown
                told = live.told()
            except AssistantError as error:  # kept with the message too
                told = sentence_of(error, language, error_id(pending.id))
            yield _SAME, await self._talk(user, talk, language), "", told
        except NotFound:
            yield _SAME, problem_html(texts(language)["talk_gone"]), "", ""
        except Exception as error:  # noqa: BLE001 - the page's last door: an id for the person, the traceback for the log
            yield _SAME, _SAME, problem_html(sentence_of(error, language, secrets.token_hex(4))), ""

    async def ask(self, question: str, talk: str, key: str, request: gr.Request) -> AsyncIterator[Shown]:
        """Ask in the conversation of the page's address, or in a new one, and follow the answer."""
        language = reader_language(request)
        live = Live(question, language, key=key)
        assistant = self._assistant
        try:
            user = await self._user(request)
            if talk and assistant.running.of(user.id, talk) is not None:
                yield _SAME, _SAME, _SAME, texts(language)["still_busy"]
                return
            yield "", _SAME, live.html(), texts(language)["answering"]
            starting = asyncio.create_task(assistant.begin(question, user, talk or NEW, key or None))
            while not (await asyncio.wait([starting], timeout=_BEAT_SECONDS))[0]:
                live.beat()  # a busy database or a slow search: the page must not think that the server is gone
                yield _SAME, _SAME, live.html(), _SAME
            running = starting.result()
            async for shown in self._followed(running.follow(), live):
                yield shown
            yield _SAME, await self._talk(user, live.talk, language), "", live.told()
        except AlreadyAsked:
            yield "", await self._talk(user, talk, language), "", texts(language)["asked_again"]
        except Exception as error:  # noqa: BLE001 - the page's last door: an id for the person, the traceback for the log
            yield await self._failed(error, question, live, request)

    async def stop(self, talk: str, request: gr.Request) -> None:
        """Stop the answer that is being made in this conversation, and with it the model."""
        user = await self._user(request)
        running = self._assistant.running.of(user.id, talk)
        if running is not None:
            with contextlib.suppress(NotFound):  # it has just ended by itself
                await self._assistant.running.stop(user.id, running.message)

    async def _followed(self, events: AsyncGenerator[Event, None], live: Live) -> AsyncIterator[Shown]:
        sent = 0.0
        async with aclosing(_with_beats(events)) as beating:
            async for event in beating:
                if event is None:
                    live.beat()
                else:
                    live.take(event)
                now = time.monotonic()
                if not isinstance(event, Token) or now - sent >= _SEND_EVERY_SECONDS:
                    sent = now
                    yield _SAME, _SAME, live.html(), _SAME

    async def _looked_for(self, user: Principal, message: MessageView, talk: str, live: Live) -> AsyncIterator[Shown]:
        """One that no page asked for here, or whose server was stopped: what is kept of it, until it ends or is given up."""
        live.take(Recorded(talk, message.id))
        found: MessageView | None = message
        while found is not None and found.status == "answering":
            live.show(found.answer)
            yield _SAME, _SAME, live.html(), _SAME
            await asyncio.sleep(_LOOK_SECONDS)
            open_again = partial(self._assistant.conversations.open, user, talk, was_shown=True)
            opened = await asyncio.to_thread(open_again)
            found = next((one for one in opened.messages if one.id == message.id), None)
        live.end(found)

    async def _failed(self, error: Exception, question: str, live: Live, request: gr.Request) -> Shown:
        """What is kept of it is shown with the reason; what was refused stays in the input."""
        language = reader_language(request)
        limit = self._assistant.settings.retrieval.max_question_chars
        if not live.message:
            return question, _SAME, problem_html(sentence_of(error, language, secrets.token_hex(4), limit=limit)), ""
        said = sentence_of(error, language, error_id(live.message), limit=limit)
        user = await self._user(request)
        with contextlib.suppress(AssistantError):  # the database may be what is down
            return _SAME, await self._talk(user, live.talk, language), "", said
        return question, _SAME, problem_html(said), ""

    async def _user(self, request: gr.Request) -> Principal:
        """Gradio's queue runs handlers in tasks that know nothing of the request: its address is given on here."""
        if request.request is not None:
            ADDRESS.set(request.request.scope[ADDRESS_IN_SCOPE])
        return await asyncio.to_thread(self._assistant.users.of_id, request.username)

    async def _talk(self, user: Principal, talk: str, language: str) -> str:
        if not talk:
            return empty_html(language)
        conversations = self._assistant.conversations
        return await asyncio.to_thread(lambda: talk_html(conversations.open(user, talk, was_shown=True), language))


async def _with_beats(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event | None, None]:
    """The same events, with None for each while in which nothing comes."""
    async with aclosing(events):
        while True:
            coming = asyncio.ensure_future(anext(events))
            try:
                while not (await asyncio.wait([coming], timeout=_BEAT_SECONDS))[0]:
                    yield None
            finally:
                if not coming.done():
                    coming.cancel()
                    await asyncio.wait([coming])
            try:
                yield coming.result()
            except StopAsyncIteration:
                return


def sentence_of(error: Exception, language: str, number: str, *, limit: int = 0) -> str:
    """One sentence in the person's language, with the number that the log has it under."""
    if isinstance(error, AccessDenied):
        return texts(language)["sign_in_again"]
    if isinstance(error, NotFound):  # a conversation, or a message of one, that another tab deleted
        return texts(language)["talk_gone"]
    if not isinstance(error, AssistantError):
        log.error("unexpected error", error_id=number, exc_info=error)
        return texts(language)["unexpected"].format(error_id=number)
    log.warning("page failed", error_id=number, kind=type(error).__name__, reason=str(error))
    sentence = error_text(error, language, limit=limit)
    return sentence if isinstance(error, _WITHOUT_NUMBER) else numbered(sentence, number, language)
