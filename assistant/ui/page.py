"""The chat page: layout and looks. What happens is in `handlers`, how it reads in `render`, the words in `texts`."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components.chatbot import ChatbotDataMessages, TextMessage

from assistant.assistant import Assistant
from assistant.ui.handlers import Handlers
from assistant.ui.texts import LANGUAGES

_CSS = """
.gradio-container { max-width: 60rem !important; width: 100% !important; margin: 0 auto !important; }
footer { display: none !important; }
.bar { display: flex; justify-content: space-between; align-items: center; gap: 1rem; }
.bar .line { margin-left: .75rem; color: var(--body-text-color-subdued); font-size: .9rem; }
.bar form { display: flex; gap: .75rem; align-items: center; margin: 0; }
.bar button { padding: .25rem .7rem !important; border: 1px solid var(--border-color-primary) !important;
  border-radius: 6px; font-size: .85rem !important; font-weight: 400 !important; background: transparent !important; }
#chat { min-height: 16rem; }
#chat .placeholder-content { min-height: 40vh; display: flex; align-items: center; justify-content: center; }
#chat .placeholder-content p { color: var(--body-text-color-subdued); font-size: 1.05rem; }
#chat blockquote { font-size: .9rem; margin: 0 0 .6rem; color: var(--body-text-color-subdued); }
#chat small { color: var(--body-text-color-subdued); }
#chat details { font-size: .9rem; margin: .15rem 0 .5rem; }
#chat summary { cursor: pointer; color: var(--body-text-color-subdued); }
#chat table { display: block; overflow-x: auto; border: 0 !important; padding: 0 !important; }
#chat th, #chat td { word-break: normal; overflow-wrap: normal; padding: .3rem .6rem !important; }
#question textarea { font-size: 1rem; }
@media (max-width: 40rem) {
  .bar .line { display: none; }
  .bar form { flex-wrap: wrap; justify-content: flex-end; gap: .3rem .75rem; }
  .gradio-container main, .gradio-container .main { padding: .4rem !important; }
  #chat { height: calc(100dvh - 14.5rem) !important; }
}
"""
_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def _take_text_only(chat: gr.Chatbot) -> None:
    """Refuse everything but text on the way in: the shown messages come back from the browser with each question.

    The stock chat makes any component, with any arguments, that a message names. Not by a subclass: Gradio writes a file
    beside the module of each one.
    """
    stock = chat.preprocess

    def preprocess(payload: ChatbotDataMessages | None) -> Any:  # noqa: ANN401 - Gradio's own union
        parts = [part for message in payload.root for part in message.content] if payload else []
        if not all(isinstance(part, TextMessage) for part in parts):
            raise gr.Error("only text is taken here")
        return stock(payload)

    chat.preprocess = preprocess


def build_page(assistant: Assistant) -> tuple[gr.Blocks, dict[str, Any]]:
    """The Gradio page and the look that its mounting wants."""
    handlers = Handlers(assistant)
    words = gr.I18n(**LANGUAGES)
    with gr.Blocks(title="Assistant", analytics_enabled=False, fill_height=True) as page:
        header = gr.HTML(elem_id="header")
        chat = _chat(words)
        with gr.Row(equal_height=True):
            question = gr.Textbox(
                elem_id="question",
                label=words("question"),
                show_label=False,
                placeholder=words("ask_placeholder"),
                lines=1,  # Enter sends, Shift+Enter makes a line; with more lines Gradio turns that round
                max_lines=5,
                autofocus=True,
                scale=8,
                container=False,
            )
            send = gr.Button(words("send"), variant="primary", scale=1, min_width=110, elem_id="send")
            stop = gr.Button(words("stop"), variant="stop", scale=1, min_width=110, visible=False, elem_id="stop")
        with gr.Row():
            new = gr.Button(words("new"), size="sm", variant="secondary", elem_id="new", scale=0, min_width=180)

        page.load(handlers.header, None, header, **_QUIET)
        _connect(handlers, chat, question, (send, stop, new))

    # Mounted pages have no launch() to set it: the default of 40 makes the 41st person wait for nothing.
    server = assistant.settings.server
    page.max_threads = max(64, 4 * server.concurrent_answers + server.waiting_answers)
    page.queue(api_open=False, max_size=256, default_concurrency_limit=64)
    return page, {"theme": _theme(), "css": _CSS, "i18n": words}


def _chat(words: gr.I18n) -> gr.Chatbot:
    chat = gr.Chatbot(
        elem_id="chat",
        label=words("product"),
        show_label=False,
        height="calc(100dvh - 15rem)",
        layout="panel",
        buttons=["copy"],
        feedback_options=None,
        placeholder=words("empty"),
        latex_delimiters=[],
        allow_tags=False,
        allow_file_downloads=False,
        group_consecutive_messages=True,
        line_breaks=True,
    )
    _take_text_only(chat)
    return chat


def _connect(
    handlers: Handlers,
    chat: gr.Chatbot,
    question: gr.Textbox,
    buttons: tuple[gr.Button, gr.Button, gr.Button],
) -> None:
    """Asking swaps "send" for "stop"; stopping and a new conversation cancel the answer, and with it the model."""
    send, stop, new = buttons
    at_once: dict[str, Any] = {**_QUIET, "queue": False}
    asking = gr.on([send.click, question.submit], _busy, None, [send, stop], **at_once).then(
        handlers.ask,
        [question, chat],
        [question, chat],
        concurrency_limit=None,  # who waits for an answer waits in our own line, where the place is known
        **_QUIET,
    )
    asking.then(_idle, None, [send, stop], **at_once)
    stop.click(_idle, None, [send, stop], cancels=[asking], **at_once)
    cleared = new.click(lambda: ("", []), None, [question, chat], cancels=[asking], **at_once)
    cleared.then(_idle, None, [send, stop], **at_once)


def _busy() -> tuple[gr.Button, gr.Button]:
    return gr.Button(visible=False), gr.Button(visible=True)


def _idle() -> tuple[gr.Button, gr.Button]:
    return gr.Button(visible=True), gr.Button(visible=False)


def _theme() -> gr.Theme:
    """System fonts: the default theme loads its own from the internet."""
    fonts = ["system-ui", "Segoe UI", "DejaVu Sans", "sans-serif"]
    return gr.themes.Default(
        primary_hue="blue", neutral_hue="slate", font=fonts, font_mono=["ui-monospace", "monospace"]
    )
