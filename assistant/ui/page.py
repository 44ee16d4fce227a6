"""The chat page: its parts and what is connected with what.

What happens is in `handlers` and `talk_handlers`, how it reads in `messages` and `sidebar`, the words in `texts`, the looks
in `page.css`, keys, address and focus in `page.js`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from assistant.assistant import Assistant
from assistant.ui.handlers import Handlers
from assistant.ui.talk_handlers import TalkHandlers
from assistant.ui.texts import LANGUAGES

_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_AT_ONCE: dict[str, Any] = {**_QUIET, "queue": False}
_ADDRESS = "() => [assistantPage.talk()]"


@dataclass(frozen=True)
class _Parts:
    header: gr.HTML
    sidebar_head: gr.HTML
    talks: gr.HTML
    undo: gr.HTML
    history: gr.HTML
    live: gr.HTML
    told: gr.HTML
    rated: gr.HTML
    question: gr.Textbox
    send: gr.Button
    stop: gr.Button
    talk: gr.Textbox  # both are filled by the page's script with each question
    key: gr.Textbox
    bridge: gr.HTML  # through which the page's script tells what was pressed in our own HTML


def build_page(assistant: Assistant) -> tuple[gr.Blocks, dict[str, Any]]:
    """The Gradio page and the look that its mounting wants."""
    words = gr.I18n(**LANGUAGES)
    with gr.Blocks(title="Assistant", analytics_enabled=False, fill_width=True) as page:
        parts = _parts(words)
        _connect(page, Handlers(assistant), parts)
        _connect_sidebar(TalkHandlers(assistant), parts)

    # Mounted pages have no launch() to set it: the default of 40 makes the 41st person wait for nothing.
    server = assistant.settings.server
    page.max_threads = max(64, 4 * server.concurrent_answers + server.waiting_answers)
    page.queue(api_open=False, max_size=256, default_concurrency_limit=64)
    return page, {"theme": _theme(), "head": _head(), "i18n": words}


def _parts(words: gr.I18n) -> _Parts:
    header = _html("header")
    with gr.Row(elem_id="layout"):
        with gr.Column(elem_id="sidebar"):
            sidebar_head, undo, talks = _html("sidebar-head"), _html("undo"), _html("talks")
        with gr.Column(elem_id="main"):
            with gr.Column(elem_id="chat"):
                history, live = _html("history"), _html("live")
            told = _html("told", html_template='<div role="status" aria-live="polite" class="unseen">${value}</div>')
            rated = _html("rated")
            with gr.Row(elem_id="asking"):
                question = gr.Textbox(
                    elem_id="question",
                    label=words("question"),
                    show_label=True,
                    placeholder=words("ask_placeholder"),
                    lines=1,  # Enter sends, Shift+Enter makes a line; with more lines Gradio turns that round
                    max_lines=5,
                    autofocus=True,
                    scale=8,
                    container=True,
                )
                send = gr.Button(words("send"), variant="primary", scale=1, min_width=110, elem_id="send")
                stop = gr.Button(words("stop"), variant="stop", scale=1, min_width=110, elem_id="stop")
    talk, key = gr.Textbox(visible=False), gr.Textbox(visible=False)
    bridge = _html("bridge", js_on_load="assistantPage.connect(trigger)")
    return _Parts(
        header, sidebar_head, talks, undo, history, live, told, rated, question, send, stop, talk, key, bridge
    )  # fmt: skip


def _html(elem_id: str, **options: Any) -> gr.HTML:
    return gr.HTML("", elem_id=elem_id, apply_default_css=False, **{"js_on_load": None, **options})


def _connect(page: gr.Blocks, handlers: Handlers, parts: _Parts) -> None:
    """Leaving a conversation cancels what follows its answer here; the answer itself goes on at the server."""
    shown = [parts.question, parts.history, parts.live, parts.told]
    named = [parts.header, parts.sidebar_head, parts.question, parts.send, parts.stop]
    page.load(handlers.enter, None, named, **_AT_ONCE)
    following: dict[str, Any] = {**_QUIET, "concurrency_limit": None}  # who waits for an answer waits in our own line
    asking = gr.on(
        [parts.send.click, parts.question.submit],
        handlers.ask,
        [parts.question, parts.talk, parts.key],
        shown,
        js="(question) => assistantPage.asked(question)",
        **following,
    )
    asking.then(None, None, None, js="() => assistantPage.answered()", **_AT_ONCE)
    loading = page.load(handlers.open, [parts.talk], shown, js=_ADDRESS, **following)
    again = parts.bridge.select(handlers.open, [parts.talk], shown, js=_ADDRESS, trigger_mode="multiple", **following)
    parts.bridge.clear(None, None, None, cancels=[asking, loading, again], **_AT_ONCE)
    again.then(None, None, None, js="() => assistantPage.opened()", **_AT_ONCE)
    parts.stop.click(handlers.stop, [parts.talk], None, js=_ADDRESS, **_AT_ONCE)


def _connect_sidebar(handlers: TalkHandlers, parts: _Parts) -> None:
    bridge = parts.bridge
    multiple: dict[str, Any] = {**_AT_ONCE, "trigger_mode": "multiple"}
    bridge.input(handlers.list, None, parts.talks, **multiple)
    bridge.edit(handlers.rename, None, parts.talks, **multiple)
    bridge.delete(handlers.delete, None, [parts.talks, parts.undo], **multiple)
    bridge.undo(handlers.restore, None, [parts.talks, parts.undo], **multiple)
    bridge.like(handlers.rate, None, parts.rated, **multiple)


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


def page_script() -> str:
    """Gradio writes it into the page: a browser runs it if the page's policy has its hash."""
    return _asset("page.js")


def _head() -> str:
    """A style of Gradio's `css` would reach only what is inside its container."""
    own = f"<style>{_asset('page.css')}</style><script>{page_script()}</script>"
    return own + '<script src="/survey.js" defer></script>'


def _theme() -> gr.Theme:
    """System fonts: the default theme loads its own from the internet."""
    fonts = ["system-ui", "Segoe UI", "DejaVu Sans", "sans-serif"]
    return gr.themes.Default(
        primary_hue="blue", neutral_hue="slate", font=fonts, font_mono=["ui-monospace", "monospace"]
    )
