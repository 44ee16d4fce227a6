"""The message that is being made, as it is shown while its events arrive."""

from __future__ import annotations

from html import escape

from assistant.ask.events import (
    Event,
    Finished,
    Notice,
    Queued,
    Recorded,
    Source,
    Sources,
    Step,
    Token,
    without_markers,
)
from assistant.conversations.views import MessageView
from assistant.ui.messages import Shown, message_html
from assistant.ui.texts import failure_text, queued_text, texts

_TOLD = 1500  # characters


class Live:
    """One for each page that follows an answer."""

    def __init__(self, question: str, language: str, *, key: str = "") -> None:
        self.talk = ""  # known from its first event on
        self.message = ""
        self._question = question
        self._language = language
        self._key = key
        self._progress = texts(language)["answering"]
        self._step: Step | None = None
        self._text = ""
        self._sources: tuple[Source, ...] = ()
        self._notices: list[Notice] = []
        self._finished: Finished | None = None
        self._beats = 0
        self._end: str | None = None  # known of one whose events were not at hand

    def take(self, event: Event) -> None:
        match event:
            case Recorded():
                self.talk, self.message = event.conversation, event.message
            case Queued():
                self._progress = queued_text(event, self._language)
            case Step():
                self._step, self._progress = event, texts(self._language)["writing"]
            case Notice():
                self._notices.append(event)
            case Sources():
                self._sources = event.sources
            case Token():
                self._text += event.text
            case Finished():
                self._finished = event

    def show(self, text: str) -> None:
        """What is kept of the answer so far, where its events are not at hand."""
        self._text = text
        self.beat()

    def end(self, message: MessageView | None) -> None:
        """How one that was looked for has ended; None: it was refused after all, and is not kept."""
        if message is None:
            self._end = ""
        elif message.status == "finished":
            self._end = self._ready(message.answer)
        else:
            self._end = escape(failure_text(message.status, message.error, message.id, self._language))

    def beat(self) -> None:
        """Nothing has come for a while, but the connection stands: the page sees that."""
        self._beats += 1

    def told(self) -> str:
        """For who cannot see it: the whole answer at once, not each of its pieces; HTML, as all that is shown."""
        if self._end is not None:
            return self._end
        return self._ready(self._finished.answer) if self._finished else escape(texts(self._language)["stopped"])

    def _ready(self, answer: str) -> str:
        return escape(f"{texts(self._language)['answer_ready']} {without_markers(answer)[:_TOLD]}")

    def html(self) -> str:
        shown = Shown(
            question=self._question,
            id=self.message,
            progress="" if self._text else self._progress,
            step=self._step,
            text=self._text,
            sources=self._sources,
            cited=self._finished.cited if self._finished else (),
            nearest=self._finished.nearest if self._finished else (),
            notices=tuple(self._notices),
        )
        return (
            f'<div class="live" data-answering data-talk="{escape(self.talk)}" data-key="{escape(self._key)}" '
            f'data-beat="{self._beats}">{message_html(shown, self._language)}</div>'
        )
