"""The messages of OpenAI's chat format: what is asked, what was said before, and the answer with its citations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from assistant.ask.events import MARKER, Finished, Notice, Source, Turn
from assistant.ask.language import language_of
from assistant.errors import AssistantError
from assistant.ui.render import document_link, safe_inline
from assistant.ui.texts import dated_text, notice_text, out_of_force, place_text, texts


class UnsupportedRequest(AssistantError):
    http_status = 400


class ChatMessage(BaseModel):
    """One message of a conversation; the assistant has instructions of its own, so `system` messages are passed over."""

    role: str = Field(examples=["user"])
    content: str | list[dict[str, Any]] | None = Field(None, examples=["Как настроить VPN?"])

    @property
    def text(self) -> str:
        """Raises `UnsupportedRequest` for pictures, sounds and files."""
        if not isinstance(self.content, list):
            return self.content or ""  # pydantic has refused halves of surrogate pairs
        for part in self.content:
            if part.get("type") != "text":
                raise UnsupportedRequest(f"only text can be asked: leave out the part of type {part.get('type')!a:.60}")
        text = "\n".join(str(part.get("text", "")) for part in self.content)
        return text.encode("utf-8", "replace").decode()  # what is in the parts nobody has looked at


def question_of(messages: Sequence[ChatMessage]) -> tuple[str, list[Turn]]:
    """The last thing the user said, and each question before it that was answered. Raises `UnsupportedRequest`."""
    last = next((number for number in reversed(range(len(messages))) if messages[number].role == "user"), None)
    if last is None:
        raise UnsupportedRequest("there is no message with the role 'user', so nothing is asked")
    turns, asked = [], ""
    for message in messages[:last]:
        if message.role == "user":
            asked = message.text
        elif message.role == "assistant" and asked:
            turns.append(Turn(asked, message.text))
            asked = ""
    return messages[last].text, turns


def citations_of(content: str, sources: Sequence[Source], base: str) -> list[dict[str, Any]]:
    """For each [n] in the text where it stands (`content[start_index:end_index]`) and what it names."""
    by_number = {source.n: source for source in sources}
    found = []
    for marker in MARKER.finditer(content):
        if source := by_number.get(int(marker[1])):
            cited = {
                "start_index": marker.start(),
                "end_index": marker.end(),
                "title": source.passage.title,
                "url": base + document_link(source),
            }
            found.append({"type": "url_citation", "url_citation": cited})
    return found


def below_the_answer(finished: Finished, question: str, base: str) -> str:
    """For people before a program that shows text only: what they should know, and the list of the sources."""
    language = language_of(question)
    lines = [f"> {notice_text(notice, language)}" for notice in finished.notices if _is_for_people(notice)]
    if finished.cited:
        lines += ["", f"**{texts(language)['sources']}**", ""] if lines else [f"**{texts(language)['sources']}**", ""]
    for source in sorted(finished.cited, key=lambda source: source.n):
        place = (source.passage.title, place_text(source.passage, language), dated_text(source.standing, language))
        gone = out_of_force(source.standing, language)
        named = ", ".join(safe_inline(part) for part in place if part) + (f" ({safe_inline(gone)})" if gone else "")
        lines.append(f"- \\[{source.n}\\] [{named}]({base}{document_link(source)})")
    return "\n\n" + "\n".join(lines) if lines else ""


def _is_for_people(notice: Notice) -> bool:
    return notice.kind not in ("rerank_failed", "rerank_late")
