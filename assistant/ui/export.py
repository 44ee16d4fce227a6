"""A conversation as a file to keep: Markdown, or DOCX for a word processor. Masked as it is on the page."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from assistant.ask.events import Source
from assistant.contracts import Say, open_conversation_json
from assistant.conversations.views import MessageView, OpenConversation, SourceView
from assistant.ui.admin_texts import moment_text
from assistant.ui.render import safe_inline, safe_markdown
from assistant.ui.texts import dated_text, notice_text, out_of_force, place_text, texts
from assistant.ui.word import add_markdown

_TEXTS = {
    "ru": {
        "sources": "Источники",
        "withheld": "Источник скрыт: вы не можете его читать.",
        "changed": "документ с тех пор обновили",
        "stopped": "Ответ остановлен.",
        "failed": "Ответа не получилось.",
        "answering": "Ответ ещё готовится.",
        "untitled": "Разговор",
    },
    "en": {
        "sources": "Sources",
        "withheld": "Source withheld: you may not read it.",
        "changed": "the document was changed since",
        "stopped": "The answer was stopped.",
        "failed": "There was no answer.",
        "answering": "The answer is still being made.",
        "untitled": "Conversation",
    },
}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # XML has no way to write them


@dataclass(frozen=True)
class _Shown:
    """A message as both formats write it."""

    question: str
    asked: str
    notes: list[str]
    answer: str
    sources: list[tuple[str, str]]  # a line, and the passage


def export_texts(language: str) -> dict[str, str]:
    return _TEXTS[language]


def file_name(opened: OpenConversation, language: str, ending: str) -> str:
    """From the title, without what file systems do not take."""
    title = " ".join(re.sub(r'[\\/:*?"<>|\x00-\x1f\x7f]', " ", opened.conversation.title).split()).strip(" .")
    return f"{title or _TEXTS[language]['untitled']}.{ending}"


def exported(
    opened: OpenConversation, language: str, wanted: Literal["md", "json", "docx"], say: Say | None = None
) -> bytes:
    """The file's content."""
    match wanted:
        case "md":
            return markdown(opened, language).encode()
        case "docx":
            return docx(opened, language)
        case "json":
            return json.dumps(open_conversation_json(opened, say=say), ensure_ascii=False, indent=2).encode()


def markdown(opened: OpenConversation, language: str) -> str:
    """Nothing that a model or a document said can draw, link or run anything where the file is shown."""
    parts = [f"# {safe_inline(opened.conversation.title or _TEXTS[language]['untitled'])}"]
    for shown in _messages(opened, language):
        parts += [f"## {safe_inline(shown.question)}", f"*{shown.asked}*"]
        parts += [f"> {safe_inline(note)}" for note in shown.notes]
        parts += [safe_markdown(shown.answer)] if shown.answer else []
        if shown.sources:
            parts.append(f"**{_TEXTS[language]['sources']}**")
        for line, passage in shown.sources:
            quoted = "\n".join(f"> {text}" for text in safe_markdown(passage).splitlines())
            parts.append(f"{safe_inline(line)}\n\n{quoted}" if passage else safe_inline(line))
    return "\n\n".join(parts) + "\n"


def docx(opened: OpenConversation, language: str) -> bytes:
    """A Word document."""
    from docx import Document

    document = Document()
    title = _printable(opened.conversation.title or _TEXTS[language]["untitled"])
    document.core_properties.title = title
    document.add_heading(title, 0)
    for shown in _messages(opened, language):
        document.add_heading(_printable(shown.question), 1)
        for note in (shown.asked, *shown.notes):
            document.add_paragraph().add_run(_printable(note)).italic = True
        add_markdown(document, _printable(shown.answer))
        if shown.sources:
            document.add_heading(_TEXTS[language]["sources"], 2)
        for line, passage in shown.sources:
            document.add_paragraph(_printable(line))
            if passage:
                add_markdown(document, _printable(passage), style="Quote")
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _messages(opened: OpenConversation, language: str) -> Iterator[_Shown]:
    for message in opened.messages:
        asked = moment_text(message.asked_at, language)
        sources = [_source(one, language) for one in message.sources if one.is_cited]
        yield _Shown(message.question, asked, list(_notes(message, language)), message.answer, sources)


def _notes(message: MessageView, language: str) -> Iterator[str]:
    yield from (notice_text(notice, language) for notice in message.notices)
    if message.status != "finished":
        yield _TEXTS[language][message.status]
    if said := [message.answer[span.start : span.end].strip() for span in message.unsupported]:
        yield f"{texts(language)['unsupported_note']} {' '.join(said)}"
    if message.nearest:
        yield f"{texts(language)['nearest']}: {'; '.join(one.passage.title for one in message.nearest)}"


def _source(view: SourceView, language: str) -> tuple[str, str]:
    if view.source is None:
        return f"[{view.n}] {_TEXTS[language]['withheld']}", ""
    parts = [*_place(view.source, language), *([_TEXTS[language]["changed"]] if view.is_changed else [])]
    return f"[{view.n}] {', '.join(parts)}", view.source.passage.text


def _place(source: Source, language: str) -> list[str]:
    """Title, page, date, file, department, and whether it is out of force."""
    passage, standing = source.passage, source.standing
    parts = (
        passage.title,
        place_text(passage, language),
        dated_text(standing, language),
        passage.path,
        passage.access_class.department,
        out_of_force(standing, language),
    )
    return [part for part in parts if part]


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("", text)
