"""A question with its answer as HTML: one that is being made, and one that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from assistant.ask.events import Notice, Source, Span, Step, without_markers
from assistant.conversations.views import MessageView, OpenConversation, SourceView
from assistant.ui.doubts import doubted_html
from assistant.ui.markup import list_html
from assistant.ui.rating import rating_html
from assistant.ui.render import safe_inline, sources_markdown, step_markdown
from assistant.ui.texts import decimal_text, failure_text, notice_text, texts

EXPORTS = ("md", "docx", "json")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What there is to show of one message, whether it is complete or not."""

    question: str
    id: str = ""
    progress: str = ""  # what is being done at this moment; empty when nothing is
    step: Step | None = None
    text: str = ""
    sources: tuple[Source, ...] = ()  # that its markers may point to
    cited: tuple[Source, ...] = ()
    nearest: tuple[Source, ...] = ()  # where the answer is that there is none
    unsupported: tuple[Span, ...] = ()  # of the text
    others: tuple[SourceView, ...] = ()  # cited too, but withheld or changed since
    notices: tuple[Notice, ...] = ()
    problem: str = ""
    is_stopped: bool = False
    is_withheld: bool = False


def talk_html(opened: OpenConversation, language: str) -> str:
    """A whole conversation; a message that is still being answered is shown by who follows it."""
    kept = [one for one in opened.messages if one.status != "answering"]
    messages = "".join(message_html(stored(one, language), language, kept=one) for one in kept)
    talk = opened.conversation
    return f'<div class="talk" data-talk="{escape(talk.id)}">{_head(talk.id, talk.title, language)}{messages}</div>'


def empty_html(language: str) -> str:
    t = texts(language)
    head = f'<h1 class="unseen">{escape(t["new"])}</h1>'
    return f'<div class="talk" data-talk="">{head}<p class="empty">{escape(t["empty"])}</p></div>'


def problem_html(sentence: str) -> str:
    return f'<div class="problem" role="alert">{escape(sentence)}</div>'


def stored(message: MessageView, language: str) -> Shown:
    """Of a message that is kept, what its owner may see today."""
    found = tuple(one.source for one in message.sources if one.source is not None)
    seconds = float(message.timings.get("retrieval", 0)) / 1000
    documents = len({source.passage.document for source in found})
    step = Step(message.searched, found, documents, seconds) if message.searched else None
    return Shown(
        question=message.question,
        id=message.id,
        step=step,
        text=message.answer,
        sources=found,
        cited=message.cited,
        nearest=message.nearest,
        unsupported=message.unsupported,
        others=tuple(one for one in message.sources if one.is_cited and (one.is_withheld or one.is_changed)),
        notices=message.notices,
        problem=failure_text(message.status, message.error, message.id, language),
        is_stopped=message.status == "stopped",
        is_withheld=message.is_withheld,
    )


def message_html(shown: Shown, language: str, *, kept: MessageView | None = None) -> str:
    """The question is a heading: a screen reader goes from one to the next."""
    t = texts(language)
    parts = [
        f'<h2 class="asked"><span class="unseen">{escape(t["you"])}: </span>{escape(shown.question)}</h2>',
        _step(shown, language),
        f'<p class="progress" data-keep="progress">{escape(shown.progress)}</p>' if shown.progress else "",
        "".join(f'<p class="notice">{escape(notice_text(notice, language))}</p>' for notice in shown.notices),
        f'<div class="text">{doubted_html(shown.text, shown.unsupported, shown.sources)}</div>' if shown.text else "",
        _unsupported(shown, t),
        f'<p class="note">{escape(t["withheld_note"])}</p>' if shown.is_withheld else "",
        _sources(shown, language),
        _nearest(shown, language),
        _problem(shown, language),
        _tools(kept, language) if kept and kept.status in ("finished", "stopped") else "",
    ]
    return f'<article class="message" data-message="{escape(shown.id)}">{"".join(parts)}</article>'


def _head(talk: str, title: str, language: str) -> str:
    t = {key: escape(text) for key, text in texts(language).items()}
    links = "".join(
        f'<a href="/api/conversations/{escape(talk)}/export?format={kind}" download>{t[f"export.{kind}"]}</a>'
        for kind in EXPORTS
    )
    return (
        f'<div class="head"><h1>{escape(title) or t["untitled"]}</h1>'
        f'<details class="export" data-keep="export"><summary>{t["export"]}</summary><div>{links}</div></details></div>'
    )


def _step(shown: Shown, language: str) -> str:
    if shown.step is None:
        return ""
    t = texts(language)
    passages = escape(t["passages"].format(n=len(shown.step.found)))
    seconds = decimal_text(f"{shown.step.seconds:.1f}", language)
    return (
        f'<details class="step" data-keep="step-{escape(shown.id)}"><summary><span>{escape(t["searching"])}</span> '
        f'<span class="soft">{passages}, {seconds} {escape(t["seconds"])}</span></summary>'
        f"<div>{list_html(step_markdown(shown.step, language))}</div></details>"
    )


def _sources(shown: Shown, language: str) -> str:
    if not shown.cited and not shown.others:
        return ""
    t = texts(language)
    lists = (
        list_html(sources_markdown(shown.cited, language)) if shown.cited else f"<p><strong>{t['sources']}</strong></p>"
    )
    return f'<div class="sources">{lists}{_others(shown.others, t)}</div>'


def _nearest(shown: Shown, language: str) -> str:
    if not shown.nearest:
        return ""
    head = safe_inline(texts(language)["nearest"])
    return f'<div class="sources">{list_html(sources_markdown(shown.nearest, language, head=head))}</div>'


def _unsupported(shown: Shown, t: dict[str, str]) -> str:
    """The sentences themselves: a reader who does not see the looks of an answer learns of them too."""
    said = [shown.text[span.start : span.end].strip() for span in shown.unsupported]
    quotes = "".join(f"<li>{escape(without_markers(one))}</li>" for one in said if one)
    return f'<div class="unsupported"><p>{escape(t["unsupported_note"])}</p><ul>{quotes}</ul></div>' if quotes else ""


def _others(sources: Sequence[SourceView], t: dict[str, str]) -> str:
    """What is to be said beside the list: of a withheld source nothing but its number is known."""
    lines = [f"- \\[{one.n}\\] {safe_inline(t['withheld' if one.is_withheld else 'changed'])}" for one in sources]
    return f'<div class="others">{list_html(chr(10).join(lines))}</div>' if lines else ""


def _problem(shown: Shown, language: str) -> str:
    if not shown.problem:
        return ""
    again = escape(texts(language)["ask_again"])
    return (
        f'<div class="problem{" quiet" if shown.is_stopped else ""}"><p>{escape(shown.problem)}</p>'
        f'<button type="button" data-do="again" data-question="{escape(shown.question)}">{again}</button></div>'
    )


def _tools(message: MessageView, language: str) -> str:
    t = texts(language)
    copy = f'<button type="button" data-do="copy" data-done="{escape(t["copied"])}">{escape(t["copy"])}</button>'
    return f'<div class="tools">{copy}{rating_html(message, language)}</div>'
